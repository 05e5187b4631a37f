"""Whose words some entries of a run hold, all together: what is made of them is believed no more than their least."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from agentops.engine import events as e
from runs.sources import SAID, label_result
from runs.window import Written
from tools.calls import ToolSpec
from tools.provenance.labels import Label, join_labels

USER, TRUSTED, STRANGERS = Label("user"), Label("trusted"), Label("untrusted")
# What people of the house wrote, and what the platform says by itself.
_OF_THE_HOUSE = frozenset(
    (
        e.HANDOVER_ANSWERED, e.OUTCOME_SETTLED, e.APPROVAL_REFUSED, e.CONFIRMATION_REFUSED, e.CALL_EDITED,
        e.CALL_VETOED, e.CALL_ASKED_BACK, e.CALL_STAGED, e.PLAN_FROZEN, e.BUDGET_EXTENDED, e.CHANGES_SENT_BACK,
        e.MEMORY_WRITTEN,
    )
)  # fmt: skip
# A label that was worked out when the entry was written, of all that it stands for.
_LABELLED = (e.SUMMARY_WRITTEN, e.SUMMARY_FAILED, e.RESULT_READ, e.MEMORY_RECALLED)


def label_entries(entries: Iterable[Written], catalogue: Mapping[str, ToolSpec]) -> Label:
    """Return the least trusted label among some entries, sensitive where one of their values is.

    What a planner said is made of what it had read: it adds nothing to the entries that it had before it.
    """
    written = list(entries)
    tools = {(each.facts["step"], call["call"]): call["tool"] for each in written for call in _calls_of(each)}
    return join_labels(label for each in written for label in _labels_of(each, tools, catalogue))


def _calls_of(written: Written) -> Iterable[dict[str, Any]]:
    return written.facts["calls"] if written.kind == e.STEP_DECIDED else ()


def _labels_of(
    written: Written, tools: Mapping[tuple[int, int], str], catalogue: Mapping[str, ToolSpec]
) -> Iterator[Label]:
    facts, content = written.facts, written.content or {}
    if written.kind == e.RUN_STARTED and "delegation" in facts:
        yield from (Label(each["source"], each["sensitive"]) for each in content.get("given", ()))
    elif written.kind == e.STEP_DECIDED:
        return
    elif written.kind in SAID:
        yield USER
    elif written.kind in _LABELLED:
        yield Label(facts["label"], facts["sensitive"])
    elif written.kind == e.CALL_SUCCEEDED:
        tool = tools.get((facts["step"], facts["call"]), "")
        yield from (leaf.label for leaf in label_result(tool, facts, content.get("value"), catalogue))
    elif written.kind == e.CALL_REFUSED:
        yield from (Label(each[name], each["sensitive"]) for each in content.get("candidates", ())
                    for name in ("value_from", "label_from"))  # fmt: skip
    else:
        yield TRUSTED if written.kind in _OF_THE_HOUSE else STRANGERS
