"""Identifiers, paths and amounts."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote

from tools.formats.scripts import is_single_script

LONGEST_PATH = 1_024
_IDENTIFIER = re.compile(r"[#A-Za-z0-9][A-Za-z0-9._:#-]{0,127}")
_AMOUNT = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,4})?")
# With %uFF0E, by which some servers of old write a character.
_UNSAFE_IN_PATH = re.compile(r"[\\\x00-\x1f\x7f\ufffd:*?\"<>|]|%u[0-9a-f]{4}", re.IGNORECASE)
# Names that Windows takes for devices, in any folder and with any ending.
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])[ ]*(?:\.|$)", re.IGNORECASE)
_DECODINGS = 3


def is_identifier(text: str) -> bool:
    """Return whether a text is an identifier in plain ASCII, which no lookalike passes for."""
    return _IDENTIFIER.fullmatch(text) is not None and ".." not in text


def is_amount(text: str) -> bool:
    """Return whether a text is a decimal of at most 15 digits and 4 places: no exponent, sign of plus, or grouping."""
    return _AMOUNT.fullmatch(text) is not None


def is_relative_path(text: str) -> bool:
    """Return whether a path stays below where it starts, also for who decodes it, or reads wide characters as plain.

    Whatever the system: a drive, a stream and a wildcard of Windows are refused like the rest.
    """
    if not text or len(text) > LONGEST_PATH or not is_single_script(text):
        return False
    return all(_stays_below(reading) for reading in _readings(text))


def _readings(text: str) -> list[str]:
    """Return what a path reads as, decoded over and over; bytes that are no text read as U+FFFD."""
    readings = [text]
    for _ in range(_DECODINGS):
        readings.append(unquote(readings[-1]))
    return [unicodedata.normalize("NFKC", reading) for reading in dict.fromkeys(readings)]


def _stays_below(path: str) -> bool:
    # A leading - would be an option to whatever command is given the path.
    if path.startswith(("/", "~", "-")) or _UNSAFE_IN_PATH.search(path):
        return False
    parts = path.removesuffix("/").split("/")
    return all(part.strip(" .") and not _DEVICE.match(part) for part in parts)
