"""Outcomes that nobody knows: parked, settled by a person, and never undone in words."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from django.utils import timezone

from agentops.errors import StateConflict
from runs.models import Run
from runs.services import kill_run, settle_outcome
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.deeds import Result, lose_reply
from tools.models import CapUsage, EffectRecord


@pytest.mark.parametrize(("happened", "state"), [(True, "succeeded"), (False, "failed")])
def test_a_person_settles_a_parked_call(company: Company, happened: bool, state: str) -> None:
    company.add_tool("refund", idempotency="none")
    company.world.mishaps.extend([lose_reply])
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert run.required_actions == [{"type": "outcome", "step": 1, "call": 1}]
    assert EffectRecord.objects.get().state == "unknown"
    settle_outcome(
        actor=company.cast.alice, run=run, step=1, call=1, happened=happened, note="I called the bank."
    )
    run = company.drive(run)
    assert (run.state, run.required_actions) == ("completed", [])
    assert company.states(run)[0][0] == state
    assert EffectRecord.objects.get().state == state
    assert len(company.world.attempts) == 1, "never twice"
    assert company.observations()[0]["settled_by"] == "a person"


def test_an_unknown_outcome_halts_the_run_where_the_tool_says_so(company: Company) -> None:
    company.add_tool("refund", idempotency="none", on_unknown="halt")
    company.world.mishaps.extend([lose_reply])
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert (run.state, run.status_reason) == ("halted", "outcome_unknown")
    assert company.content(run, "run.halted")["unknown"] == ["1 × refund"]


def halt(company: Company, run: Run) -> None:
    """The tool itself asks for the end."""


def kill(company: Company, run: Run) -> None:
    kill_run(actor=company.cast.alice, run=run)


def expire(company: Company, run: Run) -> None:
    time.sleep(max(0.0, (run.expires_at - timezone.now()).total_seconds()))


@pytest.mark.parametrize(("end", "on_unknown"), [(halt, "halt"), (kill, "wait"), (expire, "wait")])
@pytest.mark.parametrize(("happened", "state", "used"), [(True, "succeeded", 1), (False, "failed", 0)])
def test_an_outcome_can_be_settled_after_the_end_of_its_run(
    company: Company,
    end: Callable[[Company, Run], None],
    on_unknown: str,
    happened: bool,
    state: str,
    used: int,
) -> None:
    caps = [{"per": "month", "count": 3}]
    company.add_tool(
        "refund",
        grant="ALLOW_WITH_CAPS",
        grant_caps=caps,
        idempotency="none",
        on_unknown=on_unknown,
        dedupe_on=["order_id"],
    )
    company.publish(run_expires_after_s=2)
    company.world.mishaps.extend([lose_reply])
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    end(company, run)
    run = company.drive(run)
    ended, ended_at = run.state, run.ended_at
    assert (run.has_ended, CapUsage.objects.get().used_count) == (True, 1)
    assert run.required_actions == [{"type": "outcome", "step": 1, "call": 1}]
    run = settle_outcome(
        actor=company.cast.alice, run=run, step=1, call=1, happened=happened, note="I called the bank."
    )
    assert (run.state, run.ended_at, run.required_actions) == (ended, ended_at, [])
    assert (company.states(run)[0][0], EffectRecord.objects.get().state) == (state, state)
    assert CapUsage.objects.get().used_count == used
    again = company.run(proposes(("refund", ORDER)), says("Done."))
    code = company.states(again)[0][1]
    assert (code == "duplicate_effect") == happened, "what did not happen may be done"
    with pytest.raises(StateConflict):
        settle_outcome(actor=company.cast.alice, run=run, step=1, call=1, happened=True, note="Twice.")


def test_a_retry_cut_off_by_the_end_is_settled_like_a_parked_call(company: Company) -> None:
    company.add_tool("refund", idempotency="honours_key")

    def kill_and_lose(do: Callable[[], Result]) -> Result:
        kill_run(actor=company.cast.alice, run=Run.objects.get())
        return lose_reply(do)

    company.world.mishaps.extend([kill_and_lose])
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert (run.status_reason, company.states(run)[0][0]) == ("killed", "retrying")
    run = settle_outcome(actor=company.cast.alice, run=run, step=1, call=1, happened=True, note="Seen.")
    assert (company.states(run)[0][0], EffectRecord.objects.get().state) == ("succeeded", "succeeded")


def test_the_summary_does_not_call_an_effect_in_doubt_undone(company: Company) -> None:
    company.add_tool("refund", idempotency="honours_key", backoff_base_s=1e7, backoff_cap_s=1e7)
    company.world.mishaps.extend([lose_reply])
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert company.states(run)[0][0] == "retrying"
    kill_run(actor=company.cast.alice, run=run)
    run = company.drive(run)
    ending = company.content(run, "run.halted")
    assert (ending["unknown"], ending["not_done"]) == (["1 × refund"], [])
