"""The order of a step's calls, and what changes while one of them is under way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from identities.models import AgentIdentity
from runs.actions import executing
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.deeds import Result, busy, lose_reply, meanwhile
from tools.models import EffectRecord


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
