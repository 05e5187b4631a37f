"""Whether what a call carries holds something that was read as sensitive, also where it was encoded."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import unquote_plus

from tools.provenance.texts import is_in, plain, read_wanted, words_in

_SHORTEST = 4  # shorter values are in every text
_START = 8  # shorter ones are not looked for where they are spaced out or turned round
_WORD = re.compile(r"[^\s,;:()<>\[\]{}\"']+")
_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")
_TELLING = re.compile(r"\d|@")
_LINK = re.compile(r"(?:https?://|www\.)\S+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
# What leads somewhere: links, hosts, mail addresses, account numbers.
_ADDRESS = re.compile(
    r"https?://[^\s<>\"')\]]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+|\bwww\.[\w./-]+|\b[a-z][\w-]*(?:\.[a-z][\w-]*)+/[\w./?=&-]*"
    r"|\b[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]{2,4}){3,8}\b"
)


class Secrets:
    """The sensitive values of a run, by what has to stand in a text that holds them.

    Looking takes time by the length of the texts, and by how many of the values begin like something in them.
    """

    def __init__(self) -> None:
        self._parts: dict[str, int] = {}  # in the order in which they were read
        self._by_word: dict[str, list[str]] = {}
        self._by_start: dict[str, list[str]] = {}
        self._wordless: list[str] = []

    def add(self, value: str) -> None:
        """Add a plain value."""
        for part in _parts(value):
            if part not in self._parts:
                self._parts[part] = len(self._parts)
                self._note(part)

    def find_in(self, payload: Iterable[str]) -> str:
        """Return the first value that some texts hold, plain or encoded, or an empty string."""
        if not self._parts:
            return ""
        texts = [form for text in payload for form in _readings(text)]
        squeezed = [_squeeze(text) for text in texts]
        possible = sorted(set(self._possible(texts, squeezed)), key=self._parts.__getitem__)
        return next((part for part in possible if _is_held(part, texts, squeezed)), "")

    def _note(self, part: str) -> None:
        wanted, bare = read_wanted(part), _squeeze(part)
        if wanted.words:
            known = (self._by_word.setdefault(word, []) for word in wanted.words)
            min(known, key=len).append(part)
        elif not wanted.code:
            self._wordless.append(part)
        starts = [wanted.code, bare, bare[::-1]] if wanted.code or _may_hide(part, bare) else []
        for start in {each[:_START] for each in starts if each}:
            self._by_start.setdefault(start, []).append(part)

    def _possible(self, texts: list[str], squeezed: list[str]) -> Iterator[str]:
        yield from self._wordless
        for word in {word for text in texts for word in words_in(text)}:
            yield from self._by_word.get(word, ())
        for start in {text[at : at + _START] for text in squeezed for at in range(len(text) - _START + 1)}:
            yield from self._by_start.get(start, ())


def _is_held(part: str, texts: list[str], squeezed: list[str]) -> bool:
    return any(is_in(part, text) for text in texts) or _is_hidden(part, squeezed)


def find_addresses(text: str) -> Iterator[str]:
    """Yield what in a text leads somewhere."""
    for found in _ADDRESS.findall(text):
        yield found.rstrip(".,;:!?")


def is_link(text: str) -> bool:
    """Return whether a text is a link or a mail address, and nothing else."""
    return _LINK.fullmatch(text.strip()) is not None


def _parts(value: str) -> Iterator[str]:
    """Yield the value, and of a longer text the words that tell: those with digits in them, and addresses."""
    if len(value) >= _SHORTEST:
        yield value
    for word in _WORD.findall(value):
        bare = word.strip(".!?")
        if bare != value and len(bare) >= _SHORTEST and _TELLING.search(bare):
            yield bare


def _is_hidden(part: str, squeezed: list[str]) -> bool:
    """A value that tells is found also where somebody spaced it out or turned it round."""
    bare = _squeeze(part)
    return _may_hide(part, bare) and any(bare in text or bare[::-1] in text for text in squeezed)


def _may_hide(part: str, bare: str) -> bool:
    return len(bare) >= _START and _TELLING.search(part) is not None


def _squeeze(text: str) -> str:
    return "".join(char for char in text if char.isalnum())


def _readings(text: str) -> Iterator[str]:
    """Yield a text as it stands, without URL escapes, and what its base64 and hexadecimal parts say."""
    yield plain(text)
    yield plain(unquote_plus(text))
    for found in _ENCODED.findall(text):
        yield from (plain(decoded) for decoded in _decode(found))


def _decode(text: str) -> Iterator[str]:
    readers: tuple[Callable[[str], bytes], ...] = (_from_base64, bytes.fromhex)
    for read in readers:
        try:
            yield read(text).decode()
        except ValueError:  # it is not written so
            continue


def _from_base64(text: str) -> bytes:
    bare = text.rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(bare + "=" * (-len(bare) % 4))
