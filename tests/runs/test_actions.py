from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.utils import timezone

from agentops.errors import Permanent, StateConflict, Transient
from identities.models import AgentIdentity
from runs.actions import executing, proposals
from runs.models import Run
from runs.services import kill_run, settle_outcome
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.deeds import Result, busy, lose_reply, lose_request, meanwhile, refuse
from tools.assessment import Assessment
from tools.models import CapUsage, EffectRecord


def kinds_of_calls(company: Company, run: Run) -> list[str]:
    return [kind for kind in company.kinds(run) if kind.startswith(("call.", "attempt."))]


# --- proposals that never reach a tool --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("proposal", "code"),
    [
        (("fly", {}), "not_allow_listed"),
        (("cancel", ORDER), "not_allow_listed"),
        (("refund", '{"order_id": '), "malformed_arguments"),
        (("refund", '{"order_id": "A", "order_id": "B"}'), "malformed_arguments"),
        (("refund", {"order_id": 7}), "invalid_arguments"),
        (("refund", {}), "invalid_arguments"),
        (("refund", {**ORDER, "extra": 1}), "invalid_arguments"),
        (("re fund", ORDER), "invalid_name"),
        (("refund", {"order_id": "A", "amount": 2**60}), "malformed_arguments"),
    ],
)
def test_a_proposal_that_cannot_be_meant_is_refused_and_the_model_is_told(
    company: Company, proposal: tuple[str, object], code: str
) -> None:
    company.add_tool("refund")
    run = company.run(proposes(proposal), says("I cannot."))
    assert (run.state, company.states(run)) == ("completed", [("refused", code)])
    assert company.observations()[0]["error"] == code
    assert company.world.attempts == []


def test_an_invented_name_is_erasable_content(company: Company) -> None:
    company.add_tool("unknown")
    run = company.run(proposes(("refund_ann", {}), ("unknown", {}), ("refund ann", {})), says("I cannot."))
    (decided, _) = company.facts(run, "step.decided")
    assert [call["tool"] for call in decided["calls"]] == ["(unknown)", "unknown", "(unknown)"]
    assert "ann" not in str([entry.facts for entry in company.entries(run)])
    assert [row.tool_name for row in company.calls(run)] == ["(unknown)", "unknown", "(unknown)"]
    assert "there is no tool refund_ann; there are: unknown" in company.observations()[0]["detail"]
    shown = next(each for each in company.asked()[-1]["messages"] if each["role"] == "assistant")
    assert shown["tool_calls"][0]["function"]["name"] == "refund_ann"


def test_a_tool_without_a_grant_is_denied(company: Company) -> None:
    company.add_tool("refund", grant=None)
    run = company.run(proposes(("refund", ORDER)), says("I cannot."))
    assert company.states(run) == [("refused", "no_grant")]
    row = company.calls(run)[0]
    assert (row.decision, row.reasons[-1]["code"]) == ("DENY", "no_grant")
    assert company.world.attempts == []


# --- order ------------------------------------------------------------------------------------------------


def test_the_reads_of_a_step_run_together_and_its_writes_in_the_proposed_order(company: Company) -> None:
    company.add_reads()
    company.add_tool("refund")
    company.add_tool("cancel")
    together = threading.Barrier(2)

    def wait_for_the_other(do: Callable[[], Result]) -> Result:
        together.wait(20)
        return do()

    company.world.mishaps.extend([wait_for_the_other, wait_for_the_other])
    calls = (("cancel", ORDER), ("look_up", ORDER), ("refund", ORDER), ("look_up", {"order_id": "A-2"}))
    run = company.run(proposes(*calls), says("Done."))
    assert company.states(run) == [("succeeded", "ok")] * 4
    assert company.world.attempts == ["look_up", "look_up", "cancel", "refund"]
    assert len(company.observations()) == 4, "the next turn comes when all have settled"


def test_the_driver_makes_the_first_read_of_a_step_itself(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two reads that wait for each other need one reader: the other is the driver."""
    company.add_reads()
    together, readers = threading.Barrier(2), ThreadPoolExecutor(max_workers=1)
    monkeypatch.setattr(executing, "_readers", lambda: readers)

    def wait_for_the_other(do: Callable[[], Result]) -> Result:
        together.wait(20)
        return do()

    company.world.mishaps.extend([wait_for_the_other, wait_for_the_other])
    run = company.run(proposes(("look_up", ORDER), ("look_up", {"order_id": "A-2"})), says("Done."))
    readers.shutdown()
    assert company.states(run) == [("succeeded", "ok")] * 2
    assert company.world.attempts == ["look_up"] * 2, "neither waited in vain"
    assert [found["order"] for found in company.observations()] == ["A-1", "A-2"]


# --- what became of an attempt ----------------------------------------------------------------------------


def test_a_write_that_had_no_effect_is_tried_again_under_its_key(company: Company) -> None:
    company.add_tool("refund")
    company.world.mishaps.extend([busy, busy])
    run = company.run(proposes(("refund", ORDER)), says("Refunded."))
    assert company.states(run) == [("succeeded", "ok")]
    assert [facts["attempt"] for facts in company.facts(run, "attempt.started")] == [1, 2, 3]
    assert {caller.key for caller in company.world.callers} == {f"{run.pk}:1:refund:1"}
    assert company.calls(run)[0].attempts == 3
    assert EffectRecord.objects.get().state == "succeeded"


def test_attempts_end(company: Company) -> None:
    company.add_tool("refund", max_attempts=2)
    company.world.mishaps.extend([busy, busy, busy])
    run = company.run(proposes(("refund", ORDER)), says("Sorry."))
    assert (run.state, company.states(run)) == ("completed", [("failed", "busy")])
    assert len(company.world.attempts) == 2
    assert company.observations() == [{"error": "busy", "detail": "try later"}]
    assert EffectRecord.objects.get().state == "failed"


def test_a_refusal_by_the_tool_is_final(company: Company) -> None:
    company.add_tool("refund")
    company.world.mishaps.extend([refuse])
    run = company.run(proposes(("refund", ORDER)), says("Sorry."))
    assert company.states(run) == [("failed", "not_refundable")]
    assert len(company.world.attempts) == 1


def test_a_lost_reply_is_asked_for_again_under_a_key_that_is_honoured(company: Company) -> None:
    company.add_tool("refund", idempotency="honours_key")
    company.world.mishaps.extend([lose_reply])
    run = company.run(proposes(("refund", ORDER)), says("Refunded."))
    assert company.states(run) == [("succeeded", "ok")]
    assert len(company.world.attempts) == 2
    assert len(company.world.effects) == 1
    assert kinds_of_calls(company, run) == [
        "call.allowed",
        "attempt.started",
        "call.unknown",
        "attempt.started",
        "call.succeeded",
    ]


def test_what_a_retry_rests_on_is_recorded(company: Company) -> None:
    company.add_tool("refund", idempotency="honours_key")
    company.world.mishaps.extend([busy])
    (failed,) = company.facts(company.run(proposes(("refund", ORDER)), says("Done.")), "attempt.failed")
    assert (failed["status"], failed["retryable"]) == ("failed", True)
    assert 0 <= failed["jitter"] < 1_000_000
    assert failed["delay_ms"] == round(failed["jitter"] / 1_000_000)


@pytest.mark.parametrize(("wish", "kept_ms"), [(math.inf, 300_000), (math.nan, 0), (-5.0, 0), (0.0304, 30)])
def test_a_wish_to_be_left_alone_is_recorded_in_bounds(company: Company, wish: float, kept_ms: int) -> None:
    def ask_for_patience(do: Callable[[], Result]) -> Result:
        raise Transient("busy", "try later", retry_after_s=wish)

    company.add_tool("refund", idempotency="honours_key")
    company.world.mishaps.extend([ask_for_patience])
    company.publish(max_seconds=3600)
    (failed,) = company.facts(company.run(proposes(("refund", ORDER)), says("Done.")), "attempt.failed")
    assert failed["retry_after_ms"] == kept_ms
    assert failed["delay_ms"] >= kept_ms


@pytest.mark.parametrize(("mishap", "attempts"), [(lose_reply, 1), (lose_request, 2)])
def test_a_tool_that_can_be_asked_is_asked_what_became_of_the_key(
    company: Company, mishap: Callable[[Callable[[], Result]], Result], attempts: int
) -> None:
    company.add_tool("refund", idempotency="read_back")
    company.world.honours_keys = False
    company.world.mishaps.extend([mishap])
    run = company.run(proposes(("refund", ORDER)), says("Refunded."))
    assert company.states(run)[0][0] == "succeeded"
    assert (len(company.world.attempts), len(company.world.effects)) == (attempts, 1)


def test_the_policy_has_no_say_in_what_became_of_the_key(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.add_tool("refund", idempotency="read_back")

    def fail(*_: object, **__: object) -> Assessment:
        raise AssertionError("nothing is to be decided")

    def lose_reply_and_policy(do: Callable[[], Result]) -> Result:
        monkeypatch.setattr(proposals, "assess", fail)
        return lose_reply(do)

    company.world.mishaps.extend([lose_reply_and_policy])
    run = company.run(proposes(("refund", ORDER)), says("Refunded."))
    assert company.states(run) == [("succeeded", "ok")]


def test_a_tool_that_cannot_say_what_became_of_the_key_leaves_it_to_a_person(company: Company) -> None:
    company.add_tool("refund", idempotency="read_back", read_back="forget")
    company.world.mishaps.extend([lose_reply])
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert (run.state, company.states(run)[0][0]) == ("requires_action", "parked")
    assert company.kinds(run).count("call.unknown") == 4, "one lost reply, three vain questions"
    assert len(company.world.attempts) == 1


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


# --- what changes while a call is under way ---------------------------------------------------------------


def test_a_suspended_agent_makes_no_further_call(company: Company) -> None:
    company.add_tool("refund")
    company.add_tool("cancel")
    agents = AgentIdentity.objects.filter(pk=company.cast.agent.pk)
    company.world.mishaps.extend([meanwhile(lambda: agents.update(state="suspended"))])
    run = company.run(proposes(("refund", ORDER), ("cancel", ORDER)), says("Done."))
    assert company.states(run) == [("succeeded", "ok"), ("refused", "identity_suspended")]
    assert company.world.attempts == ["refund"]


def test_a_call_in_doubt_that_may_not_be_repeated_any_more_is_left_to_a_person(company: Company) -> None:
    """To tell the model "denied" would claim that nothing happened."""
    company.add_tool("refund", idempotency="honours_key")
    agents = AgentIdentity.objects.filter(pk=company.cast.agent.pk)

    def suspend_and_lose(do: Callable[[], Result]) -> Result:
        agents.update(state="suspended")
        return lose_reply(do)

    company.world.mishaps.extend([suspend_and_lose])
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert (run.status_reason, company.states(run)[0][0]) == ("identity_suspended", "parked")
    assert run.required_actions == [{"type": "outcome", "step": 1, "call": 1}]
    assert company.content(run, "run.halted")["summary"] == (
        "The agent was suspended. Unknown whether it happened: 1 × refund."
    )
    assert EffectRecord.objects.get().state == "unknown"
    assert company.world.attempts == ["refund"]


def test_a_retry_that_policy_no_longer_allows_is_refused(company: Company) -> None:
    company.add_tool("refund")
    agents = AgentIdentity.objects.filter(pk=company.cast.agent.pk)

    def suspend_and_fail(do: Callable[[], Result]) -> Result:
        agents.update(state="suspended")
        return busy(do)

    company.world.mishaps.extend([suspend_and_fail])
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert company.states(run) == [("refused", "identity_suspended")]
    assert EffectRecord.objects.get().state == "failed"


def test_a_retry_whose_grant_now_asks_for_a_person_waits_for_one(company: Company) -> None:
    version = company.add_tool("refund")
    company.let_decide(version.tool)

    def tighten_and_fail(do: Callable[[], Result]) -> Result:
        company.grant(version.tool, "REQUIRE_APPROVAL")
        return busy(do)

    company.world.mishaps.extend([tighten_and_fail])
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert (run.state, company.states(run)[0][0]) == ("requires_action", "waiting")
    company.decide()
    run = company.drive(run)
    assert (run.state, company.states(run)) == ("completed", [("succeeded", "ok")])


# --- caps -------------------------------------------------------------------------------------------------

# --- the same effect twice --------------------------------------------------------------------------------


def test_the_same_effect_proposed_twice_is_one(company: Company) -> None:
    company.add_tool("refund", dedupe_on=["order_id"])
    run = company.run(
        proposes(("refund", {**ORDER, "amount": "1.00"})),
        proposes(("refund", {**ORDER, "amount": "1.01"})),
        says("Done."),
    )
    assert company.states(run) == [("succeeded", "ok"), ("refused", "duplicate_effect")]
    assert len(company.world.effects) == 1


WINDOW_S = 60


def propose_again_after(company: Company, monkeypatch: pytest.MonkeyPatch, passed: timedelta) -> str:
    """Return what becomes of an effect that another run proposes so long after it was started."""
    company.add_tool("refund", dedupe_on=["order_id"], dedupe_window_s=WINDOW_S)
    company.run(proposes(("refund", ORDER)), says("Done."))
    moment = EffectRecord.objects.get().started_at + passed
    for module in (proposals, executing):
        monkeypatch.setattr(module, "utc_now", lambda: moment)
    ((_, code),) = company.states(company.run(proposes(("refund", ORDER)), says("Done.")))
    return code


def test_the_same_effect_is_another_once_the_window_has_passed(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert propose_again_after(company, monkeypatch, timedelta(seconds=WINDOW_S)) == "ok"
    assert len(company.world.effects) == 2


def test_a_second_before_that_it_is_the_same(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    code = propose_again_after(company, monkeypatch, timedelta(seconds=WINDOW_S - 1))
    assert (code, len(company.world.effects)) == ("duplicate_effect", 1)


def test_an_effect_that_failed_may_be_proposed_again(company: Company) -> None:
    company.add_tool("refund", dedupe_on=["order_id"])
    company.world.mishaps.extend([refuse])
    run = company.run(proposes(("refund", ORDER)), proposes(("refund", ORDER)), says("Done."))
    assert [state for state, _ in company.states(run)] == ["failed", "succeeded"]


# --- endings ----------------------------------------------------------------------------------------------


def test_the_summary_does_not_call_an_effect_in_doubt_undone(company: Company) -> None:
    company.add_tool("refund", idempotency="honours_key", backoff_base_s=1e7, backoff_cap_s=1e7)
    company.world.mishaps.extend([lose_reply])
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert company.states(run)[0][0] == "retrying"
    kill_run(actor=company.cast.alice, run=run)
    run = company.drive(run)
    ending = company.content(run, "run.halted")
    assert (ending["unknown"], ending["not_done"]) == (["1 × refund"], [])


def test_a_long_code_of_a_tool_loses_no_outcome(company: Company) -> None:
    company.add_tool("refund")

    def refuse_at_length(do: Callable[[], Result]) -> Result:
        raise Permanent("a" * 64, "no")

    company.world.mishaps.extend([refuse_at_length])
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert (run.state, company.states(run)[0][0]) == ("completed", "failed")
