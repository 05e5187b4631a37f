"""Texts of S-FEEL cut into tokens.

Names may hold spaces and signs (DMN 1.5, 10.3.1.2), so where a name ends can be told only by who knows the names:
the longest known name that fits is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from tools.decisions.errors import FeelError
from tools.decisions.feel.literals import read_number, read_string
from tools.decisions.feel.values import Value

MAX_TEXT = 4_000  # characters: a cell of a table, not a program
CALLS = ("date and time", "date", "time", "duration")
KEYWORDS = ("true", "false", "null", "not", "and", "or")
# Full FEEL, which is refused by name: the reader shall know that it is not a slip of theirs.
FULL_FEEL = ("if", "then", "else", "for", "some", "every", "in", "between", "instance", "function", "return")

_TOKEN = re.compile(
    r"""
      (?P<number>(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d{1,4})?(?![\w]))
    | (?P<string>"(?:[^"\\\n]|\\.)*")
    | (?P<at>@(?="))
    | (?P<call>(?:date\s+and\s+time|date|time|duration)(?=\s*\())
    | (?P<word>[^\W\d]\w*)
    | (?P<sign>\.\.|\*\*|<=|>=|!=|[-+*/()\[\]<>=,])
    """,
    re.VERBOSE,
)
_SPACE = re.compile(r"\s*")
_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text: what it is, how it is written, where it starts, and a literal's value."""

    kind: str
    text: str
    position: int
    value: Value = None


def read_tokens(text: str, names: Iterable[str] = ()) -> list[Token]:
    """Return the tokens of a text, `names` being known; the last one has the kind ``end``. Raises FeelError."""
    if len(text) > MAX_TEXT:
        raise FeelError(f"longer than {MAX_TEXT} characters", MAX_TEXT)
    if unreadable := _UNREADABLE.search(text):
        raise FeelError("an invisible control character", unreadable.start() + 1)
    return list(_scan(text, _known(frozenset(names))))


def normalize_name(name: str) -> str:
    """Return a name with single spaces: how many were typed means nothing."""
    return " ".join(name.split())


def _scan(text: str, known: re.Pattern[str] | None) -> Iterator[Token]:
    at = _skip(text, 0)
    while at < len(text):
        match = (known.match(text, at) if known else None) or _TOKEN.match(text, at)
        if not match:
            raise FeelError(_describe(text, at), at + 1)
        yield _token(match, at + 1)
        at = _skip(text, match.end())
    yield Token("end", "", len(text) + 1)


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _token(match: re.Match[str], position: int) -> Token:
    kind, text = match.lastgroup or "name", match.group()
    try:
        return _READERS.get(kind, _read_word)(kind, text, position)
    except ValueError as error:
        raise FeelError(str(error), position) from None


def _read_word(kind: str, text: str, position: int) -> Token:
    plain = _DOTS.sub(".", normalize_name(text)) if kind == "name" else normalize_name(text)
    if kind == "word" and plain in FULL_FEEL:
        raise ValueError(f"`{plain}` is full FEEL; decision tables here are written in S-FEEL")
    return Token("keyword" if kind == "word" and plain in KEYWORDS else kind, plain, position)


_READERS = {
    "number": lambda kind, text, position: Token(kind, text, position, read_number(text)),
    "string": lambda kind, text, position: Token(kind, text, position, read_string(text)),
}
_DOTS = re.compile(r"\s*\.\s*")


def _describe(text: str, at: int) -> str:
    if text[at] == '"':
        return "a string without its closing quote"
    if text[at].isdigit():
        return "a number that goes on with letters"
    return f"`{text[at]}` means nothing here"


@lru_cache(maxsize=256)
def _known(names: frozenset[str]) -> re.Pattern[str] | None:
    """Return the pattern of all names, longest first: one pass, no nested repetition."""
    if not names:
        return None
    patterns = [_name_pattern(name) for name in sorted(names, key=len, reverse=True)]
    return re.compile(rf"(?P<name>{'|'.join(patterns)})(?!\w)")


def _name_pattern(name: str) -> str:
    parts = [r"\s+".join(map(re.escape, part.split())) for part in name.split(".")]
    return r"\s*\.\s*".join(parts)
