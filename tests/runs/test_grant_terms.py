"""Terms of a grant through the driver: those that nobody can read, and waivers that two people signed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from runs.models import Run
from tests.api.caller import caller_of
from tests.console.visits import page_of, sign_in, text_of
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.deeds import Mishap, busy, lose_reply
from tools.models import CapUsage, EffectRecord, ToolGrant

CAPS = [{"per": "day", "count": 2}, {"per": "call", "amount": "50.00"}]
REFUND = ("refund", {**ORDER, "amount": "20.00"})


# --- terms that cannot be read ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "unreadable",
    [
        [{"per": "moon", "count": 1}],
        [{"per": "day", "count": "many"}],
        [{"per": "day", "count": 1.5}],
        [{"per": "day", "count": True}],
        [{"per": "day", "count": None}],
        [{"per": "day", "amount": "much"}],
        [{"per": "day", "amount": "NaN"}],
        [{"per": "call", "amount": "Infinity"}],
        [{"per": "day", "count": 1, "whose": "mine"}],
        [{"per": ["day"], "count": 1}],
        ["day"],
        [7],
        [],
        {},
        {"per": "day", "count": 1},
        "",
        "day",
        7,
    ],
    ids=str,
)
def test_a_grant_that_cannot_be_read_denies_and_the_run_goes_on(company: Company, unreadable: Any) -> None:
    company.add_tool("refund", grant="ALLOW_WITH_CAPS", grant_caps=unreadable)
    company.add_reads()
    run = company.run(proposes(("refund", ORDER), ("look_up", ORDER)), says("I cannot."))
    assert run.state == "completed"
    assert company.states(run) == [("refused", "policy_error"), ("succeeded", "ok")]
    assert company.world.attempts == ["look_up"]
    (told,) = [each for each in company.observations() if "error" in each]
    assert told == {"error": "policy_error", "detail": "the rules for this tool cannot be applied"}
    (refused,) = company.facts(run, "call.refused")
    assert (refused["decision"], refused["reasons"][-1]["code"]) == ("DENY", "policy_error")
    check_it_is_shown(company, run, "policy_error")


def check_it_is_shown(company: Company, run: Run, words: str) -> None:
    caller = caller_of(company.cast, company.cast.application.service_account)
    assert words in str(caller.get(f"/runs/{run.pk}/steps").body)
    assert caller.get(f"/runs/{run.pk}/trace").status == 200
    bob = sign_in(company.cast.bob)
    page = bob.get(page_of("runs_run", "change", run.pk))
    assert page.status_code == 200
    grant = ToolGrant.objects.get(tool__name="refund", state="active")
    assert bob.get(page_of("tools_toolgrant", "change", grant.pk)).status_code == 200
    alice = sign_in(company.cast.alice)
    assert alice.get(page_of("tools_toolgrant", "add"), {"from": str(grant.pk)}).status_code == 200


def test_a_retry_under_a_grant_that_broke_meanwhile_is_left_to_a_person(company: Company) -> None:
    company.add_tool("refund", grant="ALLOW_WITH_CAPS", grant_caps=CAPS, amount_argument="amount")

    def break_and_lose(do: Any) -> Any:
        ToolGrant.objects.update(caps=[{"per": "moon"}])
        return lose_reply(do)

    company.world.mishaps.extend([break_and_lose])
    run = company.run(proposes(REFUND), says("Done."))
    assert company.states(run) == [("parked", "policy_error")]
    assert (EffectRecord.objects.get().state, company.world.attempts) == ("unknown", ["refund"])


# --- waivers ----------------------------------------------------------------------------------------------


def add_waived_tool(company: Company, until: datetime, **changes: Any) -> None:
    company.add_tool(
        "refund", effect="irreversible", amount_argument="amount", grant="ALLOW_WITH_CAPS", grant_caps=CAPS,
        grant_waived_by=company.cast.ada, grant_countersigned_by=company.cast.bob,
        grant_waiver_reason="Small sums.", grant_waiver_expires_at=until, **changes,
    )  # fmt: skip
    company.let_decide(company.versions[0].tool)


def tomorrow() -> datetime:
    return timezone.now() + timedelta(days=1)


def let_it_expire() -> None:
    ToolGrant.objects.update(waiver_expires_at=timezone.now() - timedelta(seconds=1))


def test_while_a_waiver_stands_an_irreversible_call_needs_no_human(company: Company) -> None:
    add_waived_tool(company, tomorrow())
    run = company.run(proposes(REFUND), says("Done."))
    assert (run.state, company.states(run)) == ("completed", [("succeeded", "ok")])
    (allowed,) = company.facts(run, "call.allowed")
    assert (allowed["decision"], allowed["reasons"][-1]["code"]) == ("ALLOW", "no_human_waiver")
    assert CapUsage.objects.get().used_count == 1
    check_it_is_shown(company, run, "no_human_waiver")
    page = text_of(sign_in(company.cast.bob).get(page_of("runs_run", "change", run.pk)))
    assert "no human: a waiver signed by two people stands" in page


def test_a_waiver_lets_no_more_through_than_its_caps(company: Company) -> None:
    add_waived_tool(company, tomorrow())
    much = ("refund", {"order_id": "A-0", "amount": "50.01"})
    some = [("refund", {"order_id": f"A-{number}", "amount": "50.00"}) for number in range(1, 4)]
    run = company.run(*(proposes(each) for each in (much, *some)), says("Done."))
    assert [code for _, code in company.states(run)] == ["cap_exceeded", "ok", "ok", "cap_exceeded"]
    assert len(company.world.effects) == 2


def test_an_expired_waiver_is_none(company: Company) -> None:
    add_waived_tool(company, timezone.now() - timedelta(seconds=1))
    run = company.run(proposes(REFUND), says("Done."))
    assert (run.state, company.states(run)[0][0]) == ("requires_action", "waiting")
    assert company.world.attempts == []
    (gated,) = company.facts(run, "call.gated")
    assert gated["reasons"][-1]["code"] == "irreversible"
    company.decide()
    run = company.drive(run)
    assert (run.state, company.states(run)) == ("completed", [("succeeded", "ok")])


def test_a_waiver_covers_the_retries_of_its_call(company: Company) -> None:
    add_waived_tool(company, tomorrow())
    company.world.mishaps.extend([busy, busy])
    run = company.run(proposes(REFUND), says("Done."))
    assert (company.states(run), len(company.world.attempts)) == ([("succeeded", "ok")], 3)
    assert CapUsage.objects.get().used_count == 1


@pytest.mark.parametrize(("mishap", "state"), [(busy, "waiting"), (lose_reply, "parked")])
def test_a_waiver_that_expires_before_a_retry_does_not_cover_it(
    company: Company, mishap: Mishap, state: str
) -> None:
    """What surely had no effect goes before people; what may have had one is settled by them."""
    add_waived_tool(company, tomorrow())

    def expire_and_fail(do: Any) -> Any:
        let_it_expire()
        return mishap(do)

    company.world.mishaps.extend([expire_and_fail])
    run = company.run(proposes(REFUND), says("Done."))
    assert (run.state, company.states(run)[0][0]) == ("requires_action", state)
    assert company.world.attempts == ["refund"]
