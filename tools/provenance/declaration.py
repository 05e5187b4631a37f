"""What a tool's definition says about provenance: which arguments matter, whose results are, how it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

from tools.provenance.labels import Label, Rules, Source
from tools.provenance.wording import Wording, words_for

# ``destination``: whom or what it reaches. ``amount``: how much. ``identifier``: which thing. ``url``: an address that
# is fetched or written to. ``content``: what it carries there.
Kind = Literal["destination", "amount", "identifier", "url", "content"]
KINDS: tuple[Kind, ...] = get_args(Kind)
SOURCES: tuple[Source, ...] = ("user", "trusted", "untrusted")
PARTS = ("arguments", "results", "asked_by")
SENSITIVE = "sensitive"


@dataclass(frozen=True, slots=True)
class Declaration:
    """``arguments`` are paths with their kinds, ``results`` paths with their labels, ``wording`` how users ask."""

    arguments: tuple[tuple[tuple[str, ...], Kind], ...] = ()
    results: Rules = ()
    wording: Wording = field(default_factory=Wording)


def read_declaration(tool: str, raw: Mapping[str, Any]) -> Declaration:  # Any: JSON
    """Return a checked definition's ``provenance``; what nobody declared is strict or derived from the tool's name."""
    arguments = tuple((parts_of(path), cast(Kind, kind)) for path, kind in raw.get("arguments", {}).items())
    results = tuple((parts_of(path), _label(words)) for path, words in raw.get("results", {}).items())
    return Declaration(arguments, results, words_for(tool, tuple(raw.get("asked_by", ()))))


def parts_of(path: str) -> tuple[str, ...]:
    """Return a dotted path as names; the empty one is the whole."""
    return tuple(path.split(".")) if path else ()


def _label(words: list[str]) -> Label:
    source = next((word for word in words if word != SENSITIVE), "untrusted")
    return Label(cast(Source, source), SENSITIVE in words)
