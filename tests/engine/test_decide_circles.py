"""Runs that go round in circles, and answers that were cut off."""

from __future__ import annotations

from typing import Any

import pytest

from agentops.engine import commands as c
from agentops.engine import events as e
from agentops.engine.commands import Command
from tests.engine.histories import TERMS, Written, asked, decided, requested
from tests.engine.situations import (
    HALT,
    PARKED,
    READ,
    command_after,
)


def same_call(step: int) -> list[Written]:
    kind, facts = decided(step)
    return [requested(step), (kind, {**facts, "calls": [{**facts["calls"][0], "args_digest": "same"}]})]


def test_the_same_call_again_is_stuck_before_it_is_made() -> None:
    written: list[Written] = []
    for step in (1, 2):
        written += [*same_call(step), (e.CALL_REFUSED, {"step": step, "call": 1, "code": "no_grant"})]
    assert command_after(*written, repeat_limit=3) == c.AskPlanner(3, 1)
    written += same_call(3)
    assert command_after(*written, repeat_limit=3) == c.Finish(HALT, "stuck")
    assert command_after(*written, repeat_limit=4) == c.AssessCalls((1,))


def asked_thrice(word: Written) -> list[Written]:
    """Return a history in which the same question is put three times, and a person has spoken in between."""
    written: list[Written] = []
    for step in (1, 2):
        where = {"step": step, "call": 1}
        written += [*same_call(step), asked(step), (word[0], {**where, **word[1]})]
        if word[0] == e.MESSAGE_RECEIVED:
            written.append((e.INPUT_RECEIVED, where))
    return [*written, *same_call(3)]


@pytest.mark.parametrize(("engine", "expected"), [(2, c.Finish(HALT, "stuck")), (3, c.AssessCalls((1,)))])
@pytest.mark.parametrize("kind", [e.INPUT_RECEIVED, e.HANDOVER_ANSWERED, e.MESSAGE_RECEIVED])
def test_whoever_was_answered_in_between_is_not_stuck(engine: int, expected: Command, kind: str) -> None:
    assert command_after(*asked_thrice((kind, {})), repeat_limit=3, engine=engine) == expected


def test_a_person_who_speaks_for_once_does_not_answer_for_ever() -> None:
    written = [*same_call(1), (e.CALL_REFUSED, {"step": 1, "call": 1, "code": "no_grant"})]
    written += [(e.MESSAGE_RECEIVED, {}), *same_call(2)]
    for step in (2, 3):
        written += [(e.CALL_REFUSED, {"step": step, "call": 1, "code": "no_grant"}), *same_call(step + 1)]
    assert command_after(*written, repeat_limit=3, engine=3) == c.Finish(HALT, "stuck")


@pytest.mark.parametrize(
    ("happened", "expected"), [(True, c.AssessCalls((1,))), (False, c.Finish(HALT, "stuck"))]
)
def test_a_write_that_a_person_knows_to_have_happened_has_succeeded(
    happened: bool, expected: Command
) -> None:
    """Reads that were answered before it count anew."""
    written: list[Written] = []
    for step in (1, 2):
        terms = {**TERMS, **READ, "step": step, "call": 1}
        start: dict[str, Any] = {"step": step, "call": 1, "attempt": 1, "claims": []}
        done = (e.CALL_SUCCEEDED, {"step": step, "call": 1, "code": "ok"})
        written += [*same_call(step), (e.CALL_ALLOWED, terms), (e.ATTEMPT_STARTED, start), done]
    where = {"step": 3, "call": 1}
    written += [requested(3), decided(3)]
    written += [(kind, {**facts, **where}) for kind, facts in PARKED]
    written += [(e.OUTCOME_SETTLED, {**where, "happened": happened}), *same_call(4)]
    assert command_after(*written, repeat_limit=3, engine=3) == expected


# --- answers that were cut off ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("engine", "said", "expected"),
    [
        (2, [], c.Finish("run.completed", "")),
        (3, [], c.Finish(HALT, "budget_reached", "usd")),
        (3, [(e.MESSAGE_RECEIVED, {})], c.Finish(HALT, "budget_reached", "usd")),
    ],
)
def test_an_answer_that_a_limit_cut_short_completes_nothing(
    engine: int, said: list[Written], expected: Command
) -> None:
    kind, facts = decided(1, final=True)
    assert command_after(requested(1), (kind, {**facts, "cut_by": "usd"}), *said, engine=engine) == expected
