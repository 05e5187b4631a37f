"""What names and descriptions of parameters give away."""

from __future__ import annotations

import re

from tools.lint.parameters import Parameter

VERBS = frozenset(
    re.findall(
        r"\w+",
        "add approve archive assign book cancel charge close create delete deny disable edit enable exchange find get"
        " insert invite list lookup merge modify move open patch pay post publish put query read refund reject remove"
        " rename reset restore return revoke search send set start stop transfer unassign update upsert upload write",
    )
)
CHOOSES_A_VERB = re.compile(r"^(action|operation|op|verb|method|command|mode|task)$")
TWO_VERBS = re.compile(r"_(or|and)_")
IDENTIFIER = re.compile(r"(^|_)(id|ids|uuid|guid|identifier|ref|reference|number|no|code|sku|iban|account)$")
UNIQUE_KEY = re.compile(
    r"(^|_)(idempotency_?key|nonce|request_id|client_token|dedupe_key|correlation_id|trace_id)$"
)
MOMENT = re.compile(
    r"(^|_)(timestamp|now|created_at|updated_at|sent_at|requested_at|current_(date|time|datetime))$"
)
DRY_RUN = re.compile(r"^(dry_?run|preview|preview_only|validate_only|simulate)$")
WHOEVER = "email, name or identifier"
# What a text is, by the name of its place, and the format that holds it to that: without one, letters of another
# alphabet that look the same, an address inside, a way out of a folder go through as any text does.
TELLING_FORMATS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(^|_)e?mails?(_address(es)?)?$"), "email"),
    (re.compile(r"(^|_)(urls?|uri|link|href|webhook|callback|website|homepage)$"), "uri"),
    (re.compile(r"(^|_)(host|hostname|domain)$"), "hostname"),
    (re.compile(r"(^|_)(paths?|file_?names?|folder|directory)$"), "path"),
    (re.compile(r"(^|_)(payee|beneficiary|account_holder|(full|first|last|family|company)_name)$"), "name"),
    (re.compile(r"^(to|cc|bcc|reply_to)$|(^|_)(recipients?|addressees?|destination|sender)$"), WHOEVER),
)
MARKED_FORMATS = {"url": "uri", "destination": WHOEVER, "identifier": "identifier"}
READ_OF_A_DESCRIPTION = 600  # characters: what is beyond that lists no values
_WORD = r"[\w-]{1,40}"
_QUOTED = rf"['\"`]{_WORD}['\"`]"
_LISTED = rf"['\"`]?{_WORD}['\"`]?"
_BETWEEN = r"(?:, or |, | or |/| / | ?\| ?)"
_EXAMPLES = re.compile(r"(such as|e\.g\.|example|like)\W*$", re.I)  # what follows these are no alternatives
_ALTERNATIVES = (
    re.compile(rf"(?:one of|either):? ((?:{_LISTED}{_BETWEEN})+{_LISTED})", re.I),
    re.compile(rf"((?:{_QUOTED}{_BETWEEN})+{_QUOTED})", re.I),
)


def telling_format(name: str) -> str:
    """Return the format that a place asks for by its name; empty where the name tells of none."""
    return next((told for pattern, told in TELLING_FORMATS if pattern.search(name.lower())), "")


def find_choices(words: str) -> list[str]:
    """Return the alternatives that a description names, such as ``one of a, b or c``; none for fewer than two."""
    for pattern in _ALTERNATIVES:
        match = pattern.search(words[:READ_OF_A_DESCRIPTION])
        if match and not _EXAMPLES.search(words[: match.start()]):
            return [word for word in re.findall(_WORD, match[1]) if word.lower() != "or"]
    return []


def verbs_of(parameter: Parameter) -> list[str]:
    """Return the verbs among which a parameter chooses, where it chooses what the tool does."""
    options = [option for option in parameter.schema.get("enum") or () if isinstance(option, str)]
    verbs = [option for option in options if re.split(r"[_\s-]", option.lower())[0] in VERBS]
    chooses = len(verbs) >= 2 and len(verbs) * 2 >= len(options)
    return options if chooses or (CHOOSES_A_VERB.match(parameter.name) and len(options) >= 2) else []
