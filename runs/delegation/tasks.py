"""A task as one agent hands it to another: typed arguments, with a word for each value on where it comes from.

The child never sees the conversation of its parent. What its calls may carry is judged as in any run: against the
user's own words, which it inherits as evidence only, and against the values that it was given, each under the label
that it had in the parent. What the parent's planner made up is not among them, so the child has made it up too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from agentops.canonical import keyed_digest
from runs.session import Session
from runs.sources import read_sources
from tools.provenance.labels import leaves_of
from tools.provenance.sources import Sources

Json = Mapping[str, Any]  # Any: JSON


def write_task(parent: str, arguments: Json) -> str:
    """Return the words in which a child is given its task."""
    told = json.dumps(arguments, ensure_ascii=False, indent=2)
    return f"A task from the agent {json.dumps(parent, ensure_ascii=False)}, for whom you work:\n\n{told}"


def write_evidence(session: Session, arguments: Json) -> dict[str, Any]:
    """Return what a child is told beside its task: the user's words, and whose each value of the task is."""
    known = read_sources(session)
    given = [told for text in _texts_of(arguments) for told in _label(known.sources, text)]
    return {"task": dict(arguments), "heard": [text for _, text in known.words], "given": given}


def digest_task(arguments: Json) -> str:
    """Return what a task is recognised by when it is handed on: its values, under whatever names, however spelt."""
    values = {" ".join(text.split()).casefold() for text in _texts_of(arguments)}
    return keyed_digest(sorted(values - {""}))


def _texts_of(arguments: Json) -> list[str]:
    """Return the values, without the names of the fields: those are the tool's."""
    names = set(_names_of(arguments))
    found = dict.fromkeys(text for path, text in leaves_of(arguments) if (path, text) not in names)
    return list(found)


def _names_of(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:  # Any: JSON
    if isinstance(value, Mapping):
        for name, item in value.items():
            if isinstance(item, str) and item == name:  # a field that holds its own name is told as its value
                continue
            yield (*path, str(name)), str(name)
            yield from _names_of(item, (*path, str(name)))
    elif isinstance(value, list):
        for item in value:
            yield from _names_of(item, (*path, "*"))


def _label(sources: Sources, text: str) -> Iterator[dict[str, Any]]:
    origin = sources.trace(text)
    if origin.source != "nowhere":
        yield {"text": text, "source": origin.source, "sensitive": False}
    if secret := sources.carried([text]):
        yield {"text": secret, "source": "untrusted", "sensitive": True}
