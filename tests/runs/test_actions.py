from __future__ import annotations

import threading
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from agentops.engine.breaker import BreakerSettings, Transition
from agentops.errors import Permanent, StateConflict
from identities.models import AgentIdentity
from runs.actions import executing, proposals
from runs.driver import drive
from runs.models import Run
from runs.services import add_message, kill_run, settle_outcome
from runs.session import Session
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.deeds import Mishap, Result, busy, lose_reply, lose_request, meanwhile, refuse
from tests.runs.planner.provider import Conversation
from tools import mirror
from tools.assessment import Assessment
from tools.calls import ToolSpec
from tools.caps import release_caps, reserve_caps
from tools.execution import breaker
from tools.models import BreakerState, CapUsage, EffectRecord, Tool


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


def caps(*rows: dict[str, object]) -> list[dict[str, object]]:
    return list(rows)


def test_a_cap_on_the_count_of_a_run(company: Company) -> None:
    company.add_tool("refund", grant="ALLOW_WITH_CAPS", grant_caps=caps({"per": "run", "count": 2}))
    turns = [proposes(("refund", {"order_id": f"A-{n}"})) for n in range(3)]
    run = company.run(*turns, says("Done."))
    assert company.states(run) == [("succeeded", "ok"), ("succeeded", "ok"), ("refused", "cap_exceeded")]


def test_a_retry_is_counted_once(company: Company) -> None:
    company.add_tool("refund", grant="ALLOW_WITH_CAPS", grant_caps=caps({"per": "run", "count": 1}))
    company.world.mishaps.extend([busy])
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert company.states(run) == [("succeeded", "ok")]
    assert CapUsage.objects.get().used_count == 1


def test_a_call_that_surely_had_no_effect_gives_its_caps_back(company: Company) -> None:
    company.add_tool(
        "refund",
        grant="ALLOW_WITH_CAPS",
        grant_caps=caps({"per": "day", "count": 1, "amount": "5.00"}),
        amount_argument="amount",
    )
    company.world.mishaps.extend([refuse])
    turns = [proposes(("refund", {"order_id": f"A-{n}", "amount": "4.00"})) for n in range(3)]
    run = company.run(*turns, says("Done."))
    assert [state for state, _ in company.states(run)] == ["failed", "succeeded", "refused"]
    usage = CapUsage.objects.get()
    assert (usage.used_count, usage.used_amount) == (1, Decimal(4))


def test_a_call_in_doubt_keeps_its_caps(company: Company) -> None:
    company.add_tool(
        "refund", idempotency="none", grant="ALLOW_WITH_CAPS", grant_caps=caps({"per": "day", "count": 1})
    )
    company.world.mishaps.extend([lose_reply])
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert CapUsage.objects.get().used_count == 1
    settle_outcome(actor=company.cast.alice, run=run, step=1, call=1, happened=False, note="I looked.")
    company.drive(run)
    assert CapUsage.objects.get().used_count == 0


@pytest.mark.parametrize(("mishap", "left"), [(busy, 0), (lose_reply, 1)])
def test_a_run_that_ends_before_a_retry_gives_back_what_is_not_in_doubt(
    company: Company, mishap: Mishap, left: int
) -> None:
    company.add_tool(
        "refund",
        grant="ALLOW_WITH_CAPS",
        grant_caps=caps({"per": "day", "count": 1}),
        backoff_base_s=1e7,
        backoff_cap_s=1e7,
    )
    company.publish(max_seconds=1_000_000_000)
    company.world.mishaps.extend([mishap])
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert company.states(run)[0][0] == "retrying"
    company.drive(kill_run(actor=company.cast.alice, run=run))
    assert CapUsage.objects.get().used_count == left


def test_caps_are_locked_in_the_order_of_their_tools(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one tool's call gives back and another's takes is one transaction."""
    terms: dict[str, Any] = {"grant": "ALLOW_WITH_CAPS", "grant_caps": caps({"per": "day", "count": 9})}
    tools = [company.add_tool(name, **terms).tool for name in ("refund", "cancel")]
    first, second = sorted(tools, key=lambda tool: str(tool.pk))
    asked: list[object] = []
    watch(monkeypatch, "runs.actions.executing.reserve_caps", reserve_caps, asked)
    watch(monkeypatch, "runs.actions.refusals.release_caps", release_caps, asked)
    company.world.mishaps.extend([refuse])
    run = company.run(proposes((second.name, ORDER), (first.name, ORDER)), says("Done."))
    assert [state for state, _ in company.states(run)] == ["failed", "succeeded"]
    assert asked == [second.pk, first.pk, second.pk], "taken; then taken and given back, by tool"


def watch(patch: pytest.MonkeyPatch, name: str, function: Callable[..., object], seen: list[object]) -> None:
    """Note the tool of every call of a function of the caps."""

    def noting(cursor: object, identity: object, tool: object, rest: object) -> object:
        seen.append(tool)
        return function(cursor, identity, tool, rest)

    patch.setattr(name, noting)


def test_parallel_reads_get_no_more_than_their_cap(company: Company) -> None:
    company.add_tool(
        "look_up", effect="read", grant="ALLOW_WITH_CAPS", grant_caps=caps({"per": "run", "count": 3})
    )
    company.publish(max_seconds=86_400)  # a machine that stands still must not halt the run between two calls
    orders = [("look_up", {"order_id": f"A-{n}"}) for n in range(5)]
    run = company.run(proposes(*orders), says("Done."))
    assert (run.state, sorted(company.states(run))) == (
        "completed",
        [("refused", "cap_exceeded")] * 2 + [("succeeded", "ok")] * 3,
    )
    assert CapUsage.objects.get().used_count == 3


def test_an_amount_that_no_column_could_hold_is_refused(company: Company) -> None:
    company.add_tool(
        "refund",
        grant="ALLOW_WITH_CAPS",
        grant_caps=caps({"per": "day", "count": 9}),
        amount_argument="amount",
    )
    run = company.run(proposes(("refund", {**ORDER, "amount": "1e20"})), says("Sorry."))
    assert (run.state, company.states(run)) == ("completed", [("refused", "amount_out_of_range")])


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


def test_an_effect_that_failed_may_be_proposed_again(company: Company) -> None:
    company.add_tool("refund", dedupe_on=["order_id"])
    company.world.mishaps.extend([refuse])
    run = company.run(proposes(("refund", ORDER)), proposes(("refund", ORDER)), says("Done."))
    assert [state for state, _ in company.states(run)] == ["failed", "succeeded"]


def test_a_key_that_was_used_with_other_arguments_is_an_error(company: Company) -> None:
    version = company.add_tool("refund")
    company.play(proposes(("refund", ORDER)), says("Done."))
    run = company.start()
    EffectRecord.objects.create(
        key=f"{run.pk}:1:refund:1",
        identity=company.cast.agent,
        tool_version=version,
        args_digest="0" * 64,
        state="succeeded",
        stream_id=run.pk,
        started_at=run.created_at,
    )
    run = company.drive(run)
    assert company.states(run) == [("refused", "key_reused")]
    assert company.world.attempts == []


# --- breakers ---------------------------------------------------------------------------------------------


def force_open(company: Company) -> None:
    Tool.objects.filter(name="refund").update(
        forced_open_at=company.versions[0].created_at, forced_open_reason="maintenance"
    )


def test_an_open_breaker_halts_the_run_by_default(company: Company) -> None:
    company.add_tool("refund")
    force_open(company)
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert (run.state, run.status_reason) == ("halted", "circuit_open")
    assert company.states(run) == [("refused", "circuit_open")]
    assert company.world.attempts == []


def test_a_run_goes_on_without_a_tool_that_may_be_skipped(company: Company) -> None:
    company.add_tool("refund", on_breaker_open="skip")
    force_open(company)
    run = company.run(proposes(("refund", ORDER)), says("Later."))
    assert (run.state, company.states(run)) == ("completed", [("refused", "circuit_open")])
    assert company.observations()[0]["error"] == "circuit_open"


def test_a_run_waits_for_a_tool_that_it_is_told_to_wait_for(company: Company) -> None:
    company.add_tool("refund", on_breaker_open="wait", breaker={"open_s": 0.05, "open_cap_s": 0.1})
    force_open(company)
    company.play(proposes(("refund", ORDER)), says("Done."))
    run = company.start()
    lift = threading.Timer(0.3, lambda: _lift())
    lift.start()
    run = company.drive(run)
    lift.join()
    assert (run.state, company.states(run)[0][0]) == ("completed", "succeeded")
    assert company.kinds(run).count("call.deferred") >= 1
    assert company.kinds(run).count("attempt.started") == 1


def _lift() -> None:
    Tool.objects.update(forced_open_at=None, forced_open_reason="")
    connection.close()


def test_a_call_in_doubt_whose_breaker_has_opened_is_left_to_a_person(company: Company) -> None:
    company.add_tool("refund", idempotency="honours_key")

    def lose_and_open(do: Callable[[], Result]) -> Result:
        force_open(company)
        return lose_reply(do)

    company.world.mishaps.extend([lose_and_open])
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert (run.state, company.states(run)[0][0]) == ("requires_action", "parked")


def test_a_tool_that_keeps_failing_trips_its_breaker(company: Company) -> None:
    company.add_tool(
        "refund", max_attempts=5, breaker={"consecutive_failures": 2, "open_s": 60, "open_cap_s": 60}
    )
    company.world.mishaps.extend([busy] * 5)
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert (run.state, run.status_reason) == ("halted", "circuit_open")
    assert len(company.world.attempts) == 2


def use_up_retries(company: Company) -> None:
    tool = company.versions[0].tool
    while breaker().spend_retry(tool.pk, BreakerSettings()):
        pass


@pytest.mark.parametrize(
    ("mishap", "idempotency", "state", "kind"),
    [
        (busy, "honours_key", ("failed", "busy"), "call.failed"),
        # A call in doubt is never simply failed.
        (lose_reply, "honours_key", ("parked", "reply_lost"), "call.unknown"),
        # What is read back to have not happened is surely without effect.
        (lose_request, "read_back", ("failed", "not_executed"), "call.failed"),
    ],
)
def test_a_tool_whose_retries_are_used_up_is_not_called_again(
    company: Company, mishap: Mishap, idempotency: str, state: tuple[str, str], kind: str
) -> None:
    company.add_tool("refund", idempotency=idempotency)
    use_up_retries(company)
    company.world.mishaps.extend([mishap])
    run = company.run(proposes(("refund", ORDER)), says("I cannot."))
    assert company.states(run) == [state]
    assert len(company.world.attempts) == 1
    assert company.facts(run, kind)[-1]["retry_budget"] == "exhausted"


def test_what_happened_is_found_out_although_retries_are_used_up(company: Company) -> None:
    company.add_tool("refund", idempotency="read_back")
    use_up_retries(company)
    company.world.mishaps.extend([lose_reply])
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert (run.state, company.states(run)) == ("completed", [("succeeded", "ok")])
    assert "retry_budget" not in company.facts(run, "call.unknown")[0]


def test_a_call_that_gives_up_its_retry_gives_its_caps_back(company: Company) -> None:
    company.add_tool("refund", grant="ALLOW_WITH_CAPS", grant_caps=caps({"per": "day", "count": 1}))
    use_up_retries(company)
    company.world.mishaps.extend([busy])
    run = company.run(proposes(("refund", ORDER)), says("I cannot."))
    assert (company.states(run), CapUsage.objects.get().used_count) == ([("failed", "busy")], 0)


def test_the_retries_of_many_runs_come_out_of_one_budget(company: Company) -> None:
    company.add_tool("refund", breaker={"consecutive_failures": 1000, "minimum_calls": 1000})
    company.world.mishaps.extend([busy] * 100)
    runs = [company.run(proposes(("refund", ORDER)), says("I cannot.")) for _ in range(12)]
    attempts = [len(company.facts(run, "attempt.started")) for run in runs]
    assert (sum(attempts) - len(runs), attempts[-1]) == (10, 1)


TRIPS_AT_ONCE = {"consecutive_failures": 1, "open_s": 60, "open_cap_s": 60}


def test_a_mirror_that_fails_costs_no_outcome(
    company: Company, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    company.add_tool("refund", max_attempts=1, breaker=TRIPS_AT_ONCE)
    company.world.mishaps.extend([busy])
    company.play(proposes(("refund", ORDER)), says("I cannot."))
    run, seen = company.start(), []

    def fail(spec: ToolSpec, transition: Transition) -> None:
        seen.append(company.kinds(run)[-1])
        raise OperationalError("the database is in trouble")

    monkeypatch.setattr(mirror, "record_transition", fail)
    run = company.drive(run)
    assert seen == ["call.failed"], "the outcome is safe before anything is shown"
    assert (run.state, company.states(run)) == ("completed", [("failed", "busy")])
    assert "the breaker of refund is open" in caplog.text


def test_a_breaker_that_moves_while_somebody_writes_is_shown(company: Company) -> None:
    company.add_tool("refund", max_attempts=1, breaker=TRIPS_AT_ONCE)
    company.play(proposes(("refund", ORDER)), says("I cannot."))
    run = company.start()

    def write_and_fail(do: Callable[[], Result]) -> Result:
        add_message(actor=company.cast.application.service_account, run=run, text="Well?")
        return busy(do)

    company.world.mishaps.extend([write_and_fail])
    run = company.drive(run)
    assert company.states(run) == [("failed", "busy")]
    assert BreakerState.objects.get().state == "open"


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


# --- many runs at once ------------------------------------------------------------------------------------


def drive_together(company: Company, runs: list[Run], threads: int) -> None:
    """Drive runs in threads, as the workers of a concurrent pool do."""
    left = list(runs)

    def work() -> None:
        try:
            while left:
                run = left.pop()
                while drive(run.pk):
                    pass
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def test_a_hundred_runs_at_once_overspend_no_cap(company: Company) -> None:
    company.add_tool(
        "refund",
        grant="ALLOW_WITH_CAPS",
        grant_caps=caps({"per": "month", "count": 40, "amount": "37.00"}),
        amount_argument="amount",
    )
    company.provider.play(refund_once)
    runs = [company.start() for _ in range(100)]
    drive_together(company, runs, 12)
    usage = CapUsage.objects.get()
    assert (usage.used_count, usage.used_amount) == (37, Decimal(37))
    assert len(company.world.effects) == 37
    codes = [code for run in runs for _, code in company.states(run)]
    assert (codes.count("ok"), codes.count("cap_exceeded")) == (37, 63)


def test_the_same_effect_proposed_by_many_runs_at_once_is_one(company: Company) -> None:
    company.add_tool("refund", dedupe_on=["order_id"])
    company.provider.play(refund_once)
    runs = [company.start() for _ in range(16)]
    drive_together(company, runs, 8)
    assert len(company.world.effects) == 1
    codes = [code for run in runs for _, code in company.states(run)]
    assert (codes.count("ok"), codes.count("duplicate_effect")) == (1, 15)


def test_without_the_guard_the_same_effect_is_made_twice(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: only the assessment looks for like effects, not the transaction that starts one."""
    company.add_tool("refund", dedupe_on=["order_id"])
    company.provider.play(refund_once)
    assessed = threading.Barrier(2)
    commit = executing._commit_attempts

    def commit_together(session: Session, ready: list[executing.Ready]) -> None:
        assessed.wait(30)
        commit(session, ready)

    monkeypatch.setattr(executing, "_commit_attempts", commit_together)
    monkeypatch.setattr(executing, "is_first_of_its_kind", lambda cursor, assessment, now: True)
    drive_together(company, [company.start() for _ in range(2)], 2)
    assert len(company.world.effects) == 2


def refund_once(conversation: Conversation) -> None:
    """Propose a refund in the first turn of a run, and end in its second."""
    port = conversation.client_address[1]
    asked = next(each for each in reversed(conversation.server.provider.received) if each.client_port == port)
    first = not any(message["role"] == "assistant" for message in asked.body["messages"])
    (proposes(("refund", {**ORDER, "amount": "1.00"})) if first else says("Done."))(conversation)
