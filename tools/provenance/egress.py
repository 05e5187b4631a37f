"""Whether what a call carries holds something that was read as sensitive, also where it was encoded."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import unquote_plus

from tools.provenance.texts import is_in, plain

_SHORTEST = 4  # shorter values are in every text
_WORD = re.compile(r"[^\s,;:()<>\[\]{}\"']+")
_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")
_TELLING = re.compile(r"\d|@")
_LINK = re.compile(r"(?:https?://|www\.)\S+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
# What leads somewhere: links, hosts, mail addresses, account numbers.
_ADDRESS = re.compile(
    r"https?://[^\s<>\"')\]]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+|\bwww\.[\w./-]+|\b[a-z][\w-]*(?:\.[a-z][\w-]*)+/[\w./?=&-]*"
    r"|\b[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]{2,4}){3,8}\b"
)


def find_carried(payload: Iterable[str], sensitive: Iterable[str]) -> str:
    """Return a sensitive value that the payload holds, plain, or an empty string."""
    texts = [form for text in payload for form in _readings(text)]
    squeezed = [_squeeze(text) for text in texts]
    for value in sensitive:
        for part in _parts(value):
            if any(is_in(part, text) for text in texts) or _is_hidden(part, squeezed):
                return part
    return ""


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
    if len(bare) < 2 * _SHORTEST or not _TELLING.search(part):
        return False
    return any(bare in text or bare[::-1] in text for text in squeezed)


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
