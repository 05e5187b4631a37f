"""What became of an attempt: tried again, asked for again, asked about, or failed."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from agentops.errors import Permanent, Transient
from runs.actions import proposals
from runs.models import Run
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.deeds import Result, busy, lose_reply, lose_request, refuse
from tools.assessment import Assessment
from tools.models import EffectRecord


def kinds_of_calls(company: Company, run: Run) -> list[str]:
    return [kind for kind in company.kinds(run) if kind.startswith(("call.", "attempt."))]


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


def test_a_long_code_of_a_tool_loses_no_outcome(company: Company) -> None:
    company.add_tool("refund")

    def refuse_at_length(do: Callable[[], Result]) -> Result:
        raise Permanent("a" * 64, "no")

    company.world.mishaps.extend([refuse_at_length])
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert (run.state, company.states(run)[0][0]) == ("completed", "failed")
