from __future__ import annotations

import pytest

from agentops.engine import events as e
from runs.trace_titles import LANES, TITLES, Lane, lane_of, title_of

KINDS = [
    value for name, value in vars(e).items() if name.isupper() and isinstance(value, str) and "." in value
]


def test_every_kind_of_event_has_a_lane_and_a_title() -> None:
    assert set(KINDS) == set(LANES) == set(TITLES)


@pytest.mark.parametrize("kind", KINDS)
def test_an_entry_with_missing_facts_is_still_told(kind: str) -> None:
    assert title_of(kind, {}, "")


@pytest.mark.parametrize(
    ("kind", "facts", "lane", "title"),
    [
        (
            e.RUN_HELD_BACK,
            {"waiting": 12, "under_way": 1, "capacity": 10},
            "decided",
            "Waits to begin: 12 wait, and people can decide 10 an hour",
        ),
        (e.STEP_DECIDED, {"step": 2, "calls": []}, "decided", "Step 2: answers"),
        (
            e.CALL_ALLOWED,
            {"reasons": [{"code": "no_human_waiver"}]},
            "decided",
            "refund: allowed, no human: waiver",
        ),
        (e.CALL_ALLOWED, {"reasons": [{"code": "waiver_lapsed"}]}, "decided", "refund: allowed"),
        (
            e.CALL_ALLOWED,
            {"reasons": [], "held_until": "2026-11-29T10:00:00.123456+00:00"},
            "decided",
            "refund: allowed, held for a veto until 2026-11-29 10:00:00 UTC",
        ),
        (
            e.CALL_HELD,
            {"held_until": "2026-11-29T10:00:00+00:00"},
            "decided",
            "refund: held for a veto until 2026-11-29 10:00:00 UTC",
        ),
        (e.CALL_VETOED, {}, "decided", "refund: vetoed by a person"),
        (e.CALL_ASKED, {"action": "handover"}, "decided", "Hands over to a person"),
        (e.CALL_ASKED, {"action": "input"}, "decided", "Asks the user"),
        (e.CALL_SUCCEEDED, {"read_back": True}, "executed", "refund: found to be done"),
        (
            e.CALL_SUCCEEDED,
            {"replayed": True},
            "executed",
            "refund: had been done before, its recorded outcome counts",
        ),
        (
            e.OUTCOME_SETTLED,
            {"happened": False},
            "decided",
            "refund: a person found that it had not happened",
        ),
        (
            e.CALL_AWAITED,
            {"code": "remote_working"},
            "executed",
            "refund: an agent elsewhere has the task, remote working",
        ),
        (e.RUN_HALTED, {"reason": "budget_reached"}, "broke", "Halted: budget reached"),
        ("something.new_here", {}, "executed", "Something new here"),
    ],
)
def test_titles_are_plain_sentences(kind: str, facts: dict[str, object], lane: Lane, title: str) -> None:
    assert (lane_of(kind), title_of(kind, facts, "refund")) == (lane, title)
