"""What a tool's definition says about provenance: which arguments matter, whose results are, how it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

from tools.provenance.labels import EVERY, Label, Rules, Source
from tools.provenance.wording import Wording, words_for

# ``destination``: whom or what it reaches. ``amount``: how much. ``identifier``: which thing. ``url``: an address that
# is fetched or written to. ``content``: what it carries there.
Kind = Literal["destination", "amount", "identifier", "url", "content"]
KINDS: tuple[Kind, ...] = get_args(Kind)
SOURCES: tuple[Source, ...] = ("user", "trusted", "untrusted")
PARTS = ("arguments", "results", "asked_by")
SENSITIVE = "sensitive"
WORDS_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Declaration:
    """``arguments`` are paths with their kinds, ``results`` paths with their labels, ``wording`` how users ask."""

    arguments: tuple[tuple[tuple[str, ...], Kind], ...] = ()
    results: Rules = ()
    wording: Wording = field(default_factory=Wording)

    @property
    def reaches_out(self) -> bool:
        """Return whether a call can carry something to somebody."""
        return any(kind in ("destination", "url", "content") for _, kind in self.arguments)


def read_declaration(tool: str, raw: Mapping[str, Any]) -> Declaration:  # Any: JSON
    """Return a checked definition's ``provenance``; what nobody declared is strict or derived from the tool's name."""
    arguments = tuple((_parts(path), cast(Kind, kind)) for path, kind in raw.get("arguments", {}).items())
    results = tuple((_parts(path), _label(words)) for path, words in raw.get("results", {}).items())
    return Declaration(arguments, results, words_for(tool, tuple(raw.get("asked_by", ()))))


def _parts(path: str) -> tuple[str, ...]:
    return tuple(path.split(".")) if path else ()


def _label(words: list[str]) -> Label:
    source = next((word for word in words if word != SENSITIVE), "untrusted")
    return Label(cast(Source, source), SENSITIVE in words)


def find_remedies(raw: Any, schema: Mapping[str, Any]) -> Iterator[str]:  # Any: JSON
    """Yield what has to be put right in a ``provenance``, as remedies."""
    if not isinstance(raw, dict):
        yield "provenance: give an object with arguments, results and asked_by"
        return
    for name in sorted(raw.keys() - set(PARTS)):
        yield f"provenance: remove {name!r}: unknown"
    arguments, results, asked_by = (
        raw.get(part, kind()) for part, kind in zip(PARTS, (dict, dict, list), strict=True)
    )
    yield from _argument_remedies(arguments, schema)
    yield from _result_remedies(results)
    yield from _word_remedies(asked_by)


def _argument_remedies(arguments: Any, schema: Mapping[str, Any]) -> Iterator[str]:  # Any: JSON
    if not isinstance(arguments, dict):
        yield "provenance.arguments: give an object of paths"
        return
    for path, kind in arguments.items():
        if kind not in KINDS:
            yield f"provenance.arguments.{path}: choose one of {', '.join(KINDS)}"
        if not path or not _is_declared(_parts(path), schema):
            yield f"provenance.arguments.{path}: the input schema has no such argument"


def _is_declared(path: tuple[str, ...], schema: Any) -> bool:  # Any: JSON
    if not path:
        return True
    if not isinstance(schema, dict):
        return False
    part, rest = path[0], path[1:]
    inner = schema.get("items") if part == EVERY else (schema.get("properties") or {}).get(part)
    return inner is not None and _is_declared(rest, inner)


def _result_remedies(results: Any) -> Iterator[str]:  # Any: JSON
    if not isinstance(results, dict):
        yield "provenance.results: give an object of paths"
        return
    for path, words in results.items():
        known = isinstance(words, list) and all(word in (*SOURCES, SENSITIVE) for word in words)
        if not known or not words or len([word for word in words if word != SENSITIVE]) > 1:
            yield f"provenance.results.{path}: give one of {', '.join(SOURCES)}, and {SENSITIVE} where it may not leave"


def _word_remedies(asked_by: Any) -> Iterator[str]:  # Any: JSON
    fine = isinstance(asked_by, list) and len(asked_by) <= WORDS_LIMIT
    if not fine or not all(isinstance(word, str) and word.strip() for word in asked_by):
        yield f"provenance.asked_by: give at most {WORDS_LIMIT} words or phrases"
