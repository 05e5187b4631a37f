"""How users ask for a tool: words that have to stand in the request before anything irreversible may be planned."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from tools.provenance.texts import is_in, plain
from tools.provenance.words import (
    LEADS,
    THINGS,
    forms,
    is_sure,
    nouns_like,
    verbs_about,
    verbs_like,
    verbs_with,
)

_NAME_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*|[$€£.,;:!?]")
_STOPS = ".,;:!?"
_TELLING = 5  # letters: of a description, only longer words say what it is about
_EMPTY = frozenset({
    "about", "after", "again", "another", "anybody", "anything", "before", "later", "minute", "minutes",
    "other", "others", "people", "please", "somebody", "something", "there", "these", "those", "until", "where",
    "which", "whose", "would",
})  # fmt: skip
_QUOTED = re.compile(r"[\"“«`][^\"”»`]*[\"”»`]|(?<!\w)['‘][^'’\n]*['’](?!\w)")


@dataclass(frozen=True, slots=True)
class Wording:
    """``phrases`` as a definition gives them; without any, a verb, and a noun where the tool's name has one.

    ``whole`` are verbs that say by themselves what they are about.
    """

    phrases: tuple[str, ...] = ()
    verbs: frozenset[str] = frozenset()
    nouns: frozenset[str] = frozenset()
    whole: frozenset[str] = frozenset()

    def is_asked_for(self, request: str) -> bool:
        """Return whether a user's text asks for the tool; what it quotes is what they speak of, not what they ask."""
        if self.phrases:
            text = plain(request)
            return any(is_in(phrase, text) for phrase in self.phrases)
        said = list(said_words(request))
        about = not self.nouns or any(forms(word) & self.nouns for word in said)
        asking = self.verbs | self.whole if about else self.whole
        return any(forms(word) & asking and _is_deed(word, before) for before, word in pairwise(["", *said]))


def is_near(request: str, tool: str, description: str) -> bool:
    """Return whether a user's text has to do with a tool, without asking for it in words that are known.

    It says a verb that is used for one in the tool's name. Of a tool whose name has no verb that is known, it may also
    say a word of the name or the description.
    """
    parts = [part.lower() for part in _NAME_PARTS.findall(tool)]
    telling = frozenset().union(
        *(verbs_like(part) for part in parts if is_sure(part) or not nouns_like(part))
    )
    if not any(map(is_sure, parts)):
        told = (form for word in said_words(description) for form in forms(word) if len(form) >= _TELLING)
        about = frozenset((*parts, *told)).union(*map(nouns_like, parts), *map(verbs_with, parts))
        telling |= about - _EMPTY
    return any(forms(word) & telling for word in said_words(request) if word)


def _is_deed(word: str, before: str) -> bool:
    return before in LEADS or not forms(word) & THINGS


@lru_cache(maxsize=2048)
def words_for(tool: str, phrases: tuple[str, ...]) -> Wording:
    """Return the words for a tool: those that its definition lists, or what its name says."""
    if phrases:
        return Wording(tuple(plain(phrase) for phrase in phrases))
    parts = [part.lower() for part in _NAME_PARTS.findall(tool)]
    verbs = [part for part in parts if is_sure(part)]
    verbs += [part for part in parts if verbs_like(part) and not nouns_like(part)]  # a file is no filing
    named = next(iter((*verbs, *parts)), "")
    nouns = frozenset().union(*(nouns_like(form) for part in parts for form in forms(part)))
    return Wording((), verbs_like(named) or frozenset({named}), nouns, verbs_about(nouns, named))


def said_words(request: str) -> Iterator[str]:
    """Yield the words of a user's own sentences, without what they quote; where one ends, an empty one."""
    for found in _WORD.finditer(plain(_QUOTED.sub(" ", request))):
        yield "" if found.group() in _STOPS else found.group()
