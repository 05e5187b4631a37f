"""English words by which people ask for things: families of verbs, and of what the verbs are about.

A tool's name is taken apart and each part looked up here. Tools that are asked for otherwise, or in another language,
say so themselves (``asked_by``).
"""

from __future__ import annotations

_VERBS = (
    "send forward reply respond answer write tell inform notify remind share message dm ping contact deliver ask let "
    "pass",
    "email mail forward reply respond write",
    "pay transfer wire refund reimburse settle remit send give donate tip repay return",
    "create add make schedule set plan book new put open register organise organize arrange block draft write start "
    "append save store record note",
    "schedule reschedule plan book set arrange organise organize postpone move shift recur monthly weekly",
    "reserve book order hire rent get buy purchase",
    "delete remove cancel erase clear drop clean discard trash unsubscribe kick get rid uninvite",
    "cancel call-off drop delete",
    "update change modify edit move reschedule postpone rename adjust replace set increase decrease correct fix extend "
    "shift push raise lower switch",
    "reschedule move postpone shift push change bring",
    "invite add include ask bring welcome onboard",
    "share give grant forward send show access",
    "post publish announce say tell write send share report",
    "append add write put note save include extend",
    "upload put save store share send publish",
    "move put archive file sort transfer relocate",
    "archive file move clean tidy",
    "copy duplicate back-up clone",
    "rename call name change",
    "merge combine join land",
    "open create file raise make submit",
    "close resolve finish end shut",
    "exchange swap replace change trade",
    "return send-back give-back refund",
    "refund pay-back money-back reimburse return",
    "buy purchase order get",
    "submit send hand file",
    "run execute start launch",
    "approve accept confirm sign",
    "subscribe sign-up join register follow",
    "mark flag set tag label star",
    "modify change update edit",
    "withdraw take-out take pull",
    "deposit put pay-in save",
    "print print-out",
    "download get fetch",
    "lock block freeze",
    "unlock unblock release",
    "remind reminder remember",
)  # fmt: skip

# Verbs of interfaces rather than of people. Guesses from these are less sure: tools that are named by them stay near by
# what their descriptions say, too.
_MORE_VERBS = (
    "edit update change modify rewrite revise correct fix amend adjust",
    "amend change update modify edit correct adjust raise lower increase decrease",
    "comment answer reply respond say write note add post tell",
    "add include put insert append attach give enter",
    "assign give hand reassign allocate delegate",
    "reassign assign give hand delegate move",
    "enable activate turn allow",
    "disable deactivate turn stop",
    "reset restore renew clear",
    "replace change swap exchange substitute",
    "dispatch send ship deliver",
    "deliver send bring ship",
    "release publish ship send hand",
    "deploy release ship install publish roll-out",
    "restart reboot start rerun",
    "rerun retry repeat restart run start",
    "retry rerun repeat restart try",
    "start run begin launch",
    "stop end halt cancel pause",
    "pause stop hold suspend",
    "resume continue start",
    "suspend pause stop block freeze",
    "waive forgive drop cancel",
    "renew extend refill prolong",
    "extend prolong renew lengthen",
    "escalate raise forward pass",
    "flag mark report",
    "tag label mark flag",
    "label tag mark flag",
    "reject decline refuse deny turn-down",
    "decline reject refuse deny turn-down",
    "deny decline reject refuse turn-down",
    "dismiss close reject decline drop",
    "accept approve confirm agree",
    "confirm accept approve",
    "grant give allow approve",
    "revoke withdraw remove take end",
    "refer send transfer pass",
    "log record note enter track",
    "record log note enter",
    "register sign-up enrol enroll log",
    "charge bill debit",
    "credit refund give pay",
    "freeze block lock stop",
    "ban block kick remove",
    "restore recover undelete bring",
    "draft write compose prepare",
    "write say tell note compose draft",
    "save store keep",
    "insert add put include",
    "attach add put include",
    "link connect attach",
    "join enter sign-up",
    "leave quit exit",
    "review rate",
    "rate review",
    "hire employ",
    "promote raise",
    "change update modify edit set adjust switch swap correct raise lower increase decrease",
    "adjust change set raise lower increase decrease correct update",
    "set change update adjust raise lower increase decrease",
    "shift move postpone reschedule push delay bring",
    "increase raise bump",
    "raise increase bump lift",
    "decrease lower reduce cut",
    "lower decrease reduce cut",
    "book reserve schedule make arrange plan",
    "order buy get purchase",
    "place make order",
    "file submit lodge raise report",
    "request ask order apply",
    "notify tell inform message write alert",
    "alert notify tell warn inform",
    "announce tell post say publish share",
    "remove delete take drop erase kick throw",
    "terminate end cancel close stop",
    "end close terminate stop finish cancel",
    "resolve close fix settle finish",
    "reply answer respond write tell",
    "complete finish close mark tick",
    "wire send transfer pay",
    "donate give send pay",
    "lend give hand",
)  # fmt: skip

_NOUNS = (
    "money payment transaction amount funds bill invoice rent salary fee dollar dollars euro euros pound pounds usd "
    "eur gbp chf subscription debt deposit refund $ € £ cash wage bonus donation",
    "email mail e-mail inbox letter newsletter reply",
    "event meeting appointment calendar lunch dinner breakfast call session workshop slot party invitation reminder "
    "birthday trip visit interview sync stand-up standup date booking",
    "file document folder attachment report note notes spreadsheet list txt md docx xlsx pdf csv doc draft minutes",
    "message messages dm chat text word",
    "channel group room slack chat everyone team everybody",
    "hotel room stay accommodation",
    "restaurant table dinner lunch breakfast",
    "flight plane ticket seat",
    "car vehicle rental",
    "taxi cab ride",
    "password passphrase credentials login",
    "user member person colleague account people workspace",
    "webpage website page site url link web www",
    "contact address phone entry",
    "order purchase parcel",
    "address street city",
    "participant participants attendee attendees guest guests people",
    "ticket issue bug task case",
    "reservation booking table room stay flight",
    "info details name address street city phone data profile",
    "task todo to-do reminder",
    "membership subscription plan",
    "branch commit code repository repo pull-request",
)  # fmt: skip

# A verb that says what it is about.
_ABOUT = {
    "pay": "money", "transfer": "money", "wire": "money", "refund": "money", "reimburse": "money", "repay": "money",
    "donate": "money", "tip": "money", "settle": "money", "email": "email", "mail": "email", "reply": "email",
    "forward": "email", "respond": "email", "schedule": "event", "reschedule": "event", "postpone": "event",
    "dm": "message", "message": "message", "invite": "participant", "announce": "channel", "post": "channel",
    "tell": "message",
    "book": "reservation", "reserve": "reservation", "remind": "event",
}  # fmt: skip

_IRREGULAR = {
    "paid": "pay", "sent": "send", "made": "make", "wrote": "write", "written": "write", "told": "tell", "gave": "give",
    "given": "give", "bought": "buy", "got": "get", "people": "person",
}  # fmt: skip
_ENDINGS = (
    ("s", ""),
    ("es", ""),
    ("ies", "y"),
    ("ed", ""),
    ("d", ""),
    ("ied", "y"),
    ("ing", ""),
    ("ing", "e"),
)
_SHORTEST = 3

# Names of tools that bring about what their noun is: then a verb that is about the noun asks for them.
_MAKING = frozenset(
    (
        *("send", "pay", "create", "add", "make", "schedule", "reserve", "book", "post", "invite", "submit"),
        *("transfer", "share", "open", "buy", "order", "write", "set", "start", "new", "issue", "do"),
    )
)
# Things more often than deeds, unless they stand where a sentence begins or after one of these words.
THINGS = frozenset(("mail", "email", "message", "text", "dm", "post", "book", "report", "file", "list"))
LEADS = frozenset(
    (
        *("", "please", "and", "then", "to", "also", "you", "i", "we", "just", "now", "kindly", "or", "will"),
        *(
            "should",
            "must",
            "could",
            "can",
            "would",
            "may",
            "need",
            "not",
            "it",
            "them",
            "her",
            "him",
            "quickly",
        ),
    )
)

VERBS = tuple(frozenset(family.split()) for family in _VERBS)
_BY_HEAD = {family.split()[0]: frozenset(family.split()) for family in (*_MORE_VERBS, *_VERBS)}
_SURE = frozenset(family.split()[0] for family in _VERBS)
NOUNS = tuple(frozenset(family.split()) for family in _NOUNS)


def verbs_like(word: str) -> frozenset[str]:
    """Return the verbs by which people ask for what a verb names; a family is named by its first word."""
    return _BY_HEAD.get(word, frozenset())


def is_sure(word: str) -> bool:
    """Return whether the ways to ask for what a verb names are well known."""
    return word in _SURE


def verbs_with(word: str) -> frozenset[str]:
    """Return the verbs of every family that a verb is in."""
    return frozenset().union(*(family for family in VERBS if word in family))


def nouns_like(word: str) -> frozenset[str]:
    """Return the nouns that mean what a noun names."""
    return frozenset().union(*(family for family in NOUNS if word in family))


def verbs_about(nouns: frozenset[str], named: str) -> frozenset[str]:
    """Return the verbs that ask by themselves for a tool with these nouns, whose own verb is ``named``."""
    about = frozenset(verb for verb, noun in _ABOUT.items() if noun in nouns)
    return about if named in _MAKING else about & verbs_like(named)


def forms(word: str) -> frozenset[str]:
    """Return what a word may be a form of, itself included: moving is of move, replies of reply."""
    bare = {word.removesuffix(ending) + put for ending, put in _ENDINGS if word.endswith(ending)}
    undoubled = {stem[:-1] for stem in bare if len(stem) > _SHORTEST and stem[-1] == stem[-2]}
    kept = {stem for stem in bare | undoubled if len(stem) >= _SHORTEST}
    return frozenset({word, *kept, _IRREGULAR.get(word, word)})
