"""Where the arguments of a run's calls come from, for its page: found by the comparisons that judge calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from agentops.engine import events as e
from runs.sources import KINDS, RunSources
from runs.trace import TraceItem
from tools.calls import ToolSpec
from tools.provenance.labels import leaves_of
from tools.provenance.marks import Marks, mark_arguments

MOST_READ = 600  # entries before those on the page; beyond that nothing can be said, and nothing is
MOST_TEXT = 500_000  # characters of results; to look through them takes some 40 ms
HOLDS_CALLS = (e.STEP_DECIDED, e.CALL_EDITED)
JUDGED = (e.CALL_ALLOWED, e.CALL_GATED, e.CALL_REFUSED, e.CONFIRMATION_REQUESTED)

Held = tuple[int, int]  # the seq of the entry that holds a call, and the call's number
Origins = Mapping[Held, Marks]


def mark_calls(items: Iterable[TraceItem], catalogue: Mapping[str, ToolSpec]) -> dict[Held, Marks]:
    """Return where each argument of each call comes from that a model proposed or a person edited.

    ``items`` begin with the run's first. A call that was judged has the marks of that moment, by what the run had
    read then; until then, those of the moment when it was proposed. Erased words say nothing, and bear no marks; nor
    do calls that came after more was read than a page can look through.
    """
    heard, found, left = RunSources(), {}, MOST_TEXT
    held: dict[tuple[int | None, int | None], tuple[Held, ToolSpec, dict[str, Any]]] = {}
    for item in items:
        content = _readable(item)
        left -= _size_of(content) if item.kind == e.CALL_SUCCEEDED else 0
        if left < 0:
            break
        if item.kind in KINDS:
            heard.add((item.seq, item.kind, item.facts, content), dict(catalogue))
        for call in content["calls"] if content and item.kind in HOLDS_CALLS else ():
            spec, arguments = catalogue.get(call["tool"]), call.get("arguments")
            if spec is not None and isinstance(arguments, dict):
                held[item.step, call["call"]] = ((item.seq, call["call"]), spec, arguments)
                found[item.seq, call["call"]] = mark_arguments(spec.declared, arguments, heard.sources)
        judged = held.get((item.step, item.call)) if item.kind in JUDGED else None
        if judged is not None:
            place, spec, arguments = judged
            found[place] = mark_arguments(spec.declared, arguments, heard.sources)
    return found


def _readable(item: TraceItem) -> dict[str, Any] | None:  # Any: JSON
    content = item.content
    return content if isinstance(content, dict) and "unreadable" not in content else None


def _size_of(content: dict[str, Any] | None) -> int:  # Any: JSON
    return sum(len(text) for _, text in leaves_of((content or {}).get("value")))
