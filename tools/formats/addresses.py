"""Addresses: of people, hosts and pages. One address, bare, in the public internet."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import idna

from agentops.outgoing import is_public_literal
from tools.formats.scripts import is_single_script, poses_as_latin

LONGEST_ADDRESS = 254  # RFC 5321, 4.5.3.1.3, with its brackets
LONGEST_LOCAL_PART = 64
LONGEST_URL = 2_048

_ATOM = r"[A-Za-z0-9!#$&'*+/=?^_`{|}~-]+"  # RFC 5322, without %: it once routed mail through another host
_DOT_ATOM = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_UNSAFE_IN_LOCAL_PART = re.compile(r"[\s\"(),:;<>@\[\\\]%]")
_OTHER_DOTS = re.compile("[\u3002\uff0e\uff61]")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_TOP_LABEL = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])")
# Names that lead inside, whatever the resolver makes of them (RFC 6761, RFC 6762, RFC 8375, RFC 9476).
_INSIDE = (
    *("localhost", "localdomain", "local", "internal", "intranet", "private", "lan", "home", "corp", "svc"),
    *("arpa", "onion"),
)
_UNSAFE_IN_URL = re.compile(r"[\s\\<>\"`{}|^]|%(?![0-9A-Fa-f]{2})|%(?:00|0[aAdD]|7[fF])")


def is_email(text: str) -> bool:
    """Return whether a text is one address of RFC 5321 without quotes, comments, routes, names or literals."""
    return text.isascii() and is_international_email(text)


def is_international_email(text: str) -> bool:
    """Return whether a text is one address whose words each keep to one script."""
    local, at, host = text.rpartition("@")
    if not at or len(text) > LONGEST_ADDRESS or not 0 < len(local) <= LONGEST_LOCAL_PART:
        return False
    is_plain = _DOT_ATOM.fullmatch(local) if local.isascii() else _is_plain_local_part(local)
    return bool(is_plain) and is_hostname(host)


def _is_plain_local_part(local: str) -> bool:
    words = local.split(".")
    if not all(words) or _UNSAFE_IN_LOCAL_PART.search(local):
        return False
    return is_single_script(local) and not poses_as_latin(local)


def is_hostname(text: str) -> bool:
    """Return whether a text is a full host name, each label of one script (RFC 1123, RFC 5891)."""
    labels = _read_labels(text)
    if len(labels) < 2 or not _TOP_LABEL.fullmatch(labels[-1]):
        return False
    return all(_LABEL.fullmatch(label) and _is_honest(label) for label in labels)


def is_public_hostname(text: str) -> bool:
    """Return whether a text is a full host name that does not lead inside by its very name."""
    return is_hostname(text) and text.rpartition(".")[2].lower() not in _INSIDE


def _read_labels(text: str) -> list[str]:
    """Return the labels in ASCII; none for what cannot be registered, or has dots that only some read as dots."""
    if _OTHER_DOTS.search(text):
        return []
    try:
        ascii_form = text if text.isascii() else idna.encode(text, uts46=False).decode()
    except (idna.IDNAError, UnicodeError):
        return []
    return ascii_form.lower().split(".") if len(ascii_form) <= 253 else []


def _is_honest(label: str) -> bool:
    """Return whether an encoded label (``xn--…``) decodes, to letters of one script."""
    if not label.startswith("xn--"):
        return True
    try:
        word = idna.decode(label)
    except (idna.IDNAError, UnicodeError):
        return False
    return is_single_script(word) and not poses_as_latin(word)


def is_web_address(text: str) -> bool:
    """Return whether a text is an http(s) URL of the public internet, read alike by whoever reads it (RFC 3986).

    Names are looked up by whoever connects, so a tool that does still has to look at the address it gets.
    """
    if len(text) > LONGEST_URL or not is_single_script(text) or _UNSAFE_IN_URL.search(text):
        return False
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    is_bare = "@" not in parts.netloc and parts.scheme in ("http", "https") and port != 0
    return is_bare and (is_public_literal(host) or is_public_hostname(host))
