from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from agentops.engine import events as e
from agentops.ledger.store import StoredEntry
from runs.admin.timeline import Group, lay_out
from runs.trace import tell

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DECIDED = {"step": 1, "tokens": 10, "usd": "0.01", "calls": [{"call": 1, "tool": "refund"}]}
PROPOSED = {"calls": [{"call": 1, "tool": "refund", "arguments": {"order_id": "#W1"}}]}
ONE = {"step": 1, "call": 1}
NOBODY: dict[str, str] = {}
ALLOWED = {
    **ONE,
    "tool": "refund",
    "reasons": [{"source": "grant", "code": "granted", "detail": ""}],
    "approval": "a1",
}


def laid_out(*drafts: tuple[str, dict[str, Any], Any], deciders: dict[str, str] = NOBODY) -> list[Group]:
    entries = [
        StoredEntry(seq, kind, facts, content, NOON + timedelta(seconds=seq), None)
        for seq, (kind, facts, content) in enumerate(drafts, start=1)
    ]
    return lay_out(list(tell(entries)), deciders)


def kinds(timeline: list[Group]) -> list[str]:
    return [told.item.kind for group in timeline for told in group.told]


def test_what_only_led_up_to_an_outcome_is_left_out() -> None:
    timeline = laid_out(
        (e.RUN_STARTED, {}, {"message": "hello"}),
        (e.BUDGET_DRAWN, {}, None),
        (e.BUDGET_RETURNED, {}, None),
        (e.MODEL_REQUESTED, {"step": 1}, None),
        (e.STEP_DECIDED, DECIDED, PROPOSED),
        (e.CALL_ALLOWED, ALLOWED, None),
        (e.ATTEMPT_STARTED, {**ONE, "attempt": 1}, None),
        (e.CALL_SUCCEEDED, {**ONE, "latency_ms": 5}, {"value": {"done": True}}),
    )
    assert kinds(timeline) == [e.RUN_STARTED, e.STEP_DECIDED, e.CALL_SUCCEEDED]


@pytest.mark.parametrize(
    "last",
    [(e.MODEL_REQUESTED, {"step": 2}, None), (e.CALL_ALLOWED, {**ALLOWED, "step": 2}, None),
     (e.ATTEMPT_STARTED, {"step": 2, "call": 1, "attempt": 1}, None)],
)  # fmt: skip
def test_what_is_still_going_on_is_shown(last: tuple[str, dict[str, Any], Any]) -> None:
    assert kinds(laid_out((e.STEP_DECIDED, DECIDED, PROPOSED), last))[-1] == last[0]


def test_an_outcome_tells_what_was_given_and_why_it_was_allowed() -> None:
    timeline = laid_out(
        (e.STEP_DECIDED, DECIDED, PROPOSED),
        (e.CALL_ALLOWED, ALLOWED, None),
        (e.CALL_SUCCEEDED, ONE, {"value": {"done": True}}),
    )
    told = timeline[0].told[-1]
    assert told.arguments == {"order_id": "#W1"}
    assert told.result == {"done": True}
    assert (told.approval, [reason["code"] for reason in told.reasons]) == ("a1", ["granted"])


@pytest.mark.parametrize("kind", [e.APPROVAL_GRANTED, e.APPROVAL_REFUSED])
def test_a_verdict_names_the_person(kind: str) -> None:
    verdict = {**ONE, "approval": "a1", "verdict": "approved"}
    told = laid_out((kind, verdict, None), deciders={"a1": "fiona"})[0].told[0]
    assert (told.person, told.approval) == ("fiona", "a1")


def test_a_second_attempt_does_not_hide_the_first_ones_failure() -> None:
    timeline = laid_out(
        (e.STEP_DECIDED, DECIDED, PROPOSED),
        (e.ATTEMPT_STARTED, {**ONE, "attempt": 1}, None),
        (e.ATTEMPT_FAILED, {**ONE, "attempt": 1, "code": "http_503"}, None),
        (e.ATTEMPT_STARTED, {**ONE, "attempt": 2}, None),
        (e.CALL_SUCCEEDED, ONE, {"value": 1}),
    )
    assert [(told.item.lane, told.item.kind) for told in timeline[0].told[1:]] == [
        ("broke", e.ATTEMPT_FAILED),
        ("executed", e.CALL_SUCCEEDED),
    ]


def test_steps_are_groups_and_the_cost_runs_up() -> None:
    timeline = laid_out(
        (e.RUN_STARTED, {}, None),
        (e.STEP_DECIDED, DECIDED, PROPOSED),
        (e.RUN_PAUSED, {}, None),
        (e.STEP_DECIDED, {**DECIDED, "step": 2, "usd": "0.02"}, None),
    )
    assert [group.step for group in timeline] == [None, 1, 2]
    assert [group.running_usd for group in timeline] == [Decimal(0), Decimal("0.01"), Decimal("0.03")]


def test_the_cost_runs_up_from_what_earlier_pages_cost() -> None:
    items = list(tell([StoredEntry(7, e.STEP_DECIDED, DECIDED, None, NOON, None)]))
    assert lay_out(items, spent=Decimal("0.5"))[0].running_usd == Decimal("0.51")


def test_the_number_of_the_step_is_not_said_twice() -> None:
    assert laid_out((e.STEP_DECIDED, DECIDED, PROPOSED))[0].told[0].title == "Wants to call refund"


def test_erased_words_leave_the_rest_standing() -> None:
    timeline = laid_out((e.STEP_DECIDED, DECIDED, None), (e.CALL_SUCCEEDED, ONE, None))
    told = timeline[0].told
    assert (told[0].content, told[1].arguments, told[1].result) == ({}, None, None)
