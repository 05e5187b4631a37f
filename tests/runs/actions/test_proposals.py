"""Proposals that never reach a tool, and the same effect proposed twice."""

from __future__ import annotations

from datetime import timedelta

import pytest

from runs.actions import executing, proposals
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.deeds import refuse
from tools.models import EffectRecord


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
