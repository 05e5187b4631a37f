from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from itertools import pairwise
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from hypothesis import given

from agentops.engine import decide
from agentops.engine import events as e
from agentops.engine.events import Event
from agentops.engine.fold import fold_all
from agentops.engine.state import RunState
from agentops.identifiers import new_id
from runs.answering import answer_handover
from runs.histories import load_history
from runs.models import ENDED_STATES, Handover, Run, Step, ToolCall
from runs.models import RunState as Shown
from runs.projection import Projection, project, required_actions, run_row, run_state
from runs.rebuild import rebuild_run
from tests.engine.histories import TERMS, Written, asked, decided, history, requested
from tests.engine.simulation import Simulation, ended_runs
from tests.replay.test_histories import HISTORIES
from tests.runs.company import ORDER, Company, proposes, rows_of, says
from tests.runs.deeds import busy, lose_reply
from tools.models import EffectRecord

WHERE = {"step": 1, "call": 1}
GATED = (
    e.CALL_GATED,
    {**WHERE, **TERMS, "approval": str(new_id()), "expires_at": "2026-11-22T13:00:00+00:00"},
)
BEGUN: list[Written] = [requested(1), decided(1)]
PARKED: list[Written] = [
    (e.CALL_ALLOWED, {**WHERE, **TERMS}),
    (e.ATTEMPT_STARTED, {**WHERE, "attempt": 1, "claims": []}),
    (e.CALL_UNKNOWN, {**WHERE, "code": "lost", "then": "park", "delay_ms": 0}),
    (e.CALL_PARKED, WHERE),
]


def state_after(*written: Written) -> RunState:
    return fold_all(history(*written))


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ([], "queued"),
        ([(e.MESSAGE_RECEIVED, {})], "queued"),
        ([(e.RUN_PAUSED, {})], "paused"),
        ([(e.RUN_PAUSED, {}), (e.RUN_UNPAUSED, {})], "queued"),
        ([(e.CANCEL_REQUESTED, {})], "cancelling"),
        ([(e.RUN_KILLED, {})], "cancelling"),
        ([requested(1)], "in_progress"),
        ([*BEGUN, GATED], "requires_action"),
        ([*BEGUN, GATED, (e.RUN_PAUSED, {})], "paused"),
        ([*BEGUN, GATED, (e.RUN_PAUSED, {}), (e.RUN_UNPAUSED, {})], "requires_action"),
        ([*BEGUN, GATED, (e.APPROVAL_GRANTED, WHERE)], "in_progress"),
        ([*BEGUN, asked(1)], "requires_action"),
        ([*BEGUN, asked(1), (e.INPUT_RECEIVED, WHERE)], "in_progress"),
        ([*BEGUN, *PARKED], "requires_action"),
        ([requested(1), decided(1, calls=2), GATED], "in_progress"),
        ([(e.RUN_HALTED, {"reason": "killed"})], "halted"),
        ([(e.RUN_EXPIRED, {})], "expired"),
    ],
)
def test_how_a_run_shows(written: list[Written], shown: str) -> None:
    assert run_state(state_after(*written)) == shown


@given(ended_runs)
def test_every_state_of_a_run_has_a_word_that_the_api_knows(run: Simulation) -> None:
    for before, after in pairwise(run.states):
        assert run_state(after) in Shown.values
        assert run_state(before) not in ENDED_STATES
        assert (run_state(after) == "queued") <= (after.step == 0)
    assert run_state(run.state) in ENDED_STATES


def test_what_people_have_to_do() -> None:
    approval = GATED[1]["approval"]
    waits = {"type": "approval", "id": approval, **WHERE, "expires_at": "2026-11-22T13:00:00+00:00"}
    assert required_actions(state_after(*BEGUN, GATED)) == [waits]
    assert required_actions(state_after(*BEGUN, asked(1))) == [{"type": "input", **WHERE}]
    assert required_actions(state_after(*BEGUN, *PARKED)) == [{"type": "outcome", **WHERE}]
    assert required_actions(state_after(*BEGUN)) == []


def test_a_run_that_has_ended_asks_for_nothing() -> None:
    ended = state_after(*BEGUN, GATED, (e.RUN_KILLED, {}), (e.RUN_HALTED, {"reason": "killed"}))
    row = run_row(ended, history()[0].at, Projection())
    assert (row.state, row.reason, row.actions, row.ended_at) == ("halted", "killed", [], history()[0].at)


def test_an_attempt_and_the_failure_before_it_in_one_append_leave_the_attempt() -> None:
    """A statement changes a row once: the effect must not be seen as failed while it is attempted again."""
    start = {**WHERE, "claims": [], "key": "k", "effect": "reversible", "dedupe": "d"}
    terms = (e.CALL_ALLOWED, {**WHERE, **TERMS, "tool_version": str(new_id())})
    first = (e.ATTEMPT_STARTED, {**start, "attempt": 1})
    failed = (e.ATTEMPT_FAILED, {**WHERE, "code": "busy", "delay_ms": 0, "key": "k"})
    again = (e.ATTEMPT_STARTED, {**start, "attempt": 2})
    events = history(*BEGUN, terms, first, failed, again)
    projection = Projection()
    for number, event in enumerate(events[-2:], start=len(events) - 1):
        project(projection, event, fold_all(events[:number]))
    assert projection.effects["k"].state == "started"
    assert projection.effects["k"].outcome_seq is None


# --- building anew ----------------------------------------------------------------------------------------


def projected(events: list[Event], appends: Iterator[int]) -> list[Projection]:
    """Project events in appends of the given sizes."""
    made, start = [], 0
    for size in appends:
        projection = Projection()
        for number in range(start, min(start + size, len(events))):
            project(projection, events[number], fold_all(events[: number + 1]))
        made.append(projection)
        start += size
        if start >= len(events):
            return made
    return made


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
def test_every_recorded_history_can_be_projected(path: Path) -> None:
    events = load_history(path.read_text())
    one_by_one = projected(events, iter([1] * len(events)))
    assert len(one_by_one) == len(events)


def test_rows_that_were_lost_or_damaged_are_built_from_the_ledger(company: Company) -> None:
    company.add_reads()
    company.add_tool("refund")
    company.world.mishaps.extend([lambda do: do(), busy, lose_reply])
    run = company.run(proposes(("look_up", ORDER)), proposes(("refund", ORDER)), says("Done."))
    before = rows_of(run)
    assert {row["table"] for row in before} == {"run", "step", "call", "effect"}
    Step.objects.filter(run=run, number=1).delete()
    ToolCall.objects.filter(run=run, step=2).update(state="refused", code="invented", attempts=0)
    Run.objects.filter(pk=run.pk).update(state="failed", tokens=1, usd=9, steps=0, tool_calls=77)
    EffectRecord.objects.update(state="failed", outcome_seq=None)
    assert rebuild_run(run.pk) == len(company.entries(run))
    assert rows_of(run) == before


def test_conversations_handed_over_are_put_back_into_their_queue(company: Company) -> None:
    passed_on = [proposes(("hand_over", {"reason": reason})) for reason in ("A discount?", "Really?")]
    run = company.run(*passed_on, says("Done."))
    answer_handover(actor=company.cast.alice, handover=Handover.objects.get(), text="Yes, 10 percent.")
    company.drive(run)
    before = rows_of(run)
    answered, waiting = Handover.objects.order_by("step")
    Handover.objects.filter(pk=waiting.pk).update(answered_at=timezone.now(), opened_at=timezone.now())
    answered.delete()
    rebuild_run(run.pk)
    after = rows_of(run)
    assert [{**row, "id": run.pk} for row in after] == [{**row, "id": run.pk} for row in before]
    assert Handover.objects.filter(pk=waiting.pk, answered_at=None).exists()
    assert Handover.objects.exclude(pk=waiting.pk).get().answered_by == company.cast.alice


def test_the_commands_for_operators(company: Company) -> None:
    run = company.run(says("Done."))
    out = StringIO()
    call_command("rebuild", str(run.pk), stdout=out)
    assert "built from 4 entries" in out.getvalue()
    out = StringIO()
    call_command("replay", str(run.pk), stdout=out)
    assert "4 events, 2 decisions: all as recorded" in out.getvalue()
    out = StringIO()
    call_command("record_history", str(run.pk), stdout=out)
    assert [event.kind for event in load_history(out.getvalue())] == company.kinds(run)
    assert "Please help." not in out.getvalue()


@pytest.mark.usefixtures("company")
@pytest.mark.parametrize("command", ["rebuild", "replay", "record_history"])
def test_an_unknown_run_is_named(command: str) -> None:
    with pytest.raises(CommandError, match="there is no run"):
        call_command(command, str(new_id()))


def test_a_history_that_this_engine_would_not_have_made_is_named(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.add_reads()
    run = company.run(proposes(("look_up", ORDER)))
    assert run.status_reason == "stuck"
    with monkeypatch.context() as patch:
        patch.setattr(decide, "is_stuck", lambda state: False)
        with pytest.raises(CommandError, match=r"run\.halted"):
            call_command("replay", str(run.pk), stdout=StringIO())
