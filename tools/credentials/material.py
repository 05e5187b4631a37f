"""What a call is let in with, in a wrapping that shows nothing, and taking it out of whatever a tool says."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any, NoReturn, TypeVar
from urllib.parse import quote, quote_plus

from tools.outcomes import JSON, Outcome

SHOWN = "[credential]"
SHORTEST_PART = 6  # a shorter one is found in ordinary text
SHORTEST_TAIL = 4  # characters of a credential that a cut text may end with unnoticed, less one


class Credential:
    """A credential of one call. Only ``reveal`` shows it: no text, copy, pickle or JSON of this does."""

    __slots__ = ("_forms", "_material", "header", "scheme")

    def __init__(
        self, material: str, header: str = "", scheme: str = "", *, parts: tuple[str, ...] = ()
    ) -> None:
        self._material = material
        secret = (material, *parts, *_basic_parts(material, scheme))
        self._forms = tuple(
            sorted({form for text in secret for form in _forms_of(text)}, key=len, reverse=True)
        )
        self.header = header
        self.scheme = scheme

    def reveal(self) -> str:
        """Return the credential itself, for the one request that needs it."""
        return self._material

    def in_header(self, name: str) -> Credential:
        """Return the same credential for another header, where it stands alone."""
        return Credential(self._material, name)

    def header_line(self) -> tuple[bytes, bytes]:
        """Return name and value of the header that carries it; raises ValueError if no header can."""
        value = f"{self.scheme} {self._material}" if self.scheme else self._material
        if not self.header or not (value.isascii() and value.isprintable() and value == value.strip()):
            raise ValueError("the tool's credential cannot be sent in a header")
        return self.header.encode(), value.encode()

    def conceal(self, text: str) -> str:
        """Return a text without the credential in it, nor in Base64, percent-encoded, escaped or in hexadecimals."""
        for form in self._forms:
            text = text.replace(form, SHOWN)
        return self._conceal_tail(text)

    def _conceal_tail(self, text: str) -> str:
        """Take out how far it comes where a text was cut off in the middle of it."""
        whole = text.removesuffix("…")
        for form in self._forms if whole != text else ():
            for length in range(min(len(form), len(whole)), SHORTEST_TAIL - 1, -1):
                if whole.endswith(form[:length]):
                    return f"{whole[:-length]}{SHOWN}…"
        return text

    def __repr__(self) -> str:
        return SHOWN

    __str__ = __repr__

    def __format__(self, _: str) -> str:
        return SHOWN

    def __reduce_ex__(self, _: object) -> NoReturn:
        raise TypeError("a credential is neither copied nor stored")


Answer = TypeVar("Answer", Outcome, Outcome | None)  # None: a tool that cannot be asked back


def conceal_outcome(credential: Credential, outcome: Answer) -> Answer:
    """Return what a tool said without its credential; a code that holds it is none of ours."""
    if not isinstance(outcome, Outcome):
        return outcome
    code = "tool_error" if credential.conceal(outcome.code) != outcome.code else outcome.code
    value = conceal_value(credential, outcome.value)
    return replace(outcome, code=code, detail=credential.conceal(outcome.detail), value=value)


def conceal_value(credential: Credential, value: Any) -> JSON:  # Any: an arbitrary JSON value
    """Return a JSON value without the credential in any text or name of it."""
    conceal = partial(conceal_value, credential)
    if isinstance(value, str):
        return credential.conceal(value)
    if isinstance(value, dict):
        return {credential.conceal(name): conceal(each) for name, each in value.items()}
    if isinstance(value, list):
        return [conceal(each) for each in value]
    # A number may be a credential as well as a text may.
    text = json.dumps(value)
    concealed = credential.conceal(text)
    return value if concealed == text else concealed


def _forms_of(material: str) -> Iterator[str]:
    """Yield how a credential may be written, on one line too: details are brought onto one."""
    for text in (material, " ".join(material.split())):
        raw = text.encode()
        yield text
        for safe in ("", "/", ":/@"):
            yield quote(text, safe=safe)
            yield quote(text, safe=safe).lower()
        yield quote_plus(text)
        for ascii_only in (True, False):
            yield json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        yield raw.hex()
        yield raw.hex().upper()
        yield from _base64_forms(raw)


def _basic_parts(material: str, scheme: str) -> tuple[str, ...]:
    """Return the credentials in those of Basic authentication (RFC 7617): a server decodes them before it complains."""
    if scheme.lower() != "basic":
        return ()
    try:
        decoded = base64.b64decode(material, validate=True).decode()
    except ValueError:
        return ()
    return tuple(part for part in (decoded, decoded.partition(":")[2]) if len(part) >= SHORTEST_PART)


def _base64_forms(raw: bytes) -> Iterator[str]:
    """Yield what stands in Base64 of any text with this in it: which digits depends on the place by three."""
    for before in range(3):
        whole = base64.b64encode(bytes(before) + raw).decode().rstrip("=")
        # The first digits and the last one are shared with the neighbours.
        inner = whole[(0, 2, 3)[before] : len(whole) - ((before + len(raw)) % 3 > 0)]
        yield inner
        yield inner.translate(str.maketrans("+/", "-_"))
