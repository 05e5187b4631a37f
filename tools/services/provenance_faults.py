"""What a definition says about provenance, checked before it is stored: a path to nowhere would guard nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tools.provenance.declaration import KINDS, PARTS, SENSITIVE, SOURCES, parts_of
from tools.services.schema_paths import property_at

WORDS_LIMIT = 100


def find_provenance_faults(raw: Any, schema: dict[str, Any]) -> Iterator[str]:  # Any: JSON
    """Yield what has to be put right in a ``provenance``, as remedies."""
    if not isinstance(raw, dict):
        yield "provenance: give an object with arguments, results and asked_by"
        return
    for name in sorted(raw.keys() - set(PARTS)):
        yield f"provenance: remove {name!r}: unknown"
    arguments, results, asked_by = (
        raw.get(part, kind()) for part, kind in zip(PARTS, (dict, dict, list), strict=True)
    )
    yield from _argument_faults(arguments, schema)
    yield from _result_faults(results)
    yield from _word_faults(asked_by)


def _argument_faults(arguments: Any, schema: dict[str, Any]) -> Iterator[str]:  # Any: JSON
    if not isinstance(arguments, dict):
        yield "provenance.arguments: give an object of paths"
        return
    for path, kind in arguments.items():
        if kind not in KINDS:
            yield f"provenance.arguments.{path}: choose one of {', '.join(KINDS)}"
        if not path or property_at(schema, parts_of(path)) is None:
            yield f"provenance.arguments.{path}: the input schema has no such argument"


def _result_faults(results: Any) -> Iterator[str]:  # Any: JSON
    if not isinstance(results, dict):
        yield "provenance.results: give an object of paths"
        return
    for path, words in results.items():
        known = isinstance(words, list) and all(word in (*SOURCES, SENSITIVE) for word in words)
        if not known or not words or len([word for word in words if word != SENSITIVE]) > 1:
            yield f"provenance.results.{path}: give one of {', '.join(SOURCES)}, and {SENSITIVE} where it may not leave"


def _word_faults(asked_by: Any) -> Iterator[str]:  # Any: JSON
    fine = isinstance(asked_by, list) and len(asked_by) <= WORDS_LIMIT
    if not fine or not all(isinstance(word, str) and word.strip() for word in asked_by):
        yield f"provenance.asked_by: give at most {WORDS_LIMIT} words or phrases"
