"""The gate: nothing is published that has not passed what its agent's gating sets ask, as both stand now."""

from __future__ import annotations

from decimal import Decimal

import pytest

from agentops.errors import ValidationFailed
from identities.models import User
from runs.models import AgentVersion, Evaluation
from runs.preflight import check_version
from runs.preflight import versions as preflight
from runs.preflight.versions import check_published
from runs.publishing import publish_version
from tests.runs.company import Company
from tests.runs.evaluation.trying import ANSWERS, LOOKS, PAYS, begin, case, draft, keep_set, tried

pytestmark = [pytest.mark.evaluation, pytest.mark.slow]


@pytest.fixture
def candidate(refunds: Company) -> AgentVersion:
    """Return a draft that lacks nothing but what the gate asks."""
    for version in refunds.versions:
        refunds.grant(version.tool, "ALLOW")
    refunds.cast.agent.owner = refunds.cast.alice
    refunds.cast.agent.save()
    return draft(refunds, instructions="Help the customer well.", principal_source="application")


def codes(version: AgentVersion) -> list[str]:
    return [finding.code for finding in check_version(version) if "evaluat" in finding.code]


def test_a_version_has_to_pass_each_gating_set(refunds: Company, candidate: AgentVersion) -> None:
    assert codes(candidate) == []
    row = keep_set(refunds, gating=True)
    keep_set(refunds, name="merely interesting")
    [finding] = [each for each in check_version(candidate) if each.code == "not_evaluated"]
    assert str(finding) == (
        f"{candidate}: it has not been tried by evaluation set everyday as both stand now. "
        "Evaluate it with everyday."
    )
    tried(refunds, row, LOOKS, ANSWERS, version=candidate)
    assert codes(candidate) == ["evaluation_failed"]
    tried(refunds, row, LOOKS, PAYS, ANSWERS, version=candidate)
    assert codes(candidate) == []
    begin(refunds, row, candidate)
    assert codes(candidate) == ["not_evaluated"]  # it is being tried anew
    Evaluation.objects.filter(state="running").update(state="stopped")
    assert codes(candidate) == []
    tried(refunds, row, LOOKS, ANSWERS, version=candidate)
    assert codes(candidate) == ["evaluation_failed"]  # the last one counts


def test_a_share_may_be_enough(refunds: Company, candidate: AgentVersion) -> None:
    row = keep_set(refunds, gating=True, pass_rate=Decimal("0.5"))
    tried(refunds, row, LOOKS, PAYS, ANSWERS, LOOKS, ANSWERS, version=candidate, repeat=2)
    assert codes(candidate) == []
    keep_set(refunds, gating=True, pass_rate=Decimal("0.51"))
    [finding] = [each for each in check_version(candidate) if each.code == "evaluation_failed"]
    assert "it passed 1 of 2 runs, and has to pass 51.00%" in finding.problem


def test_a_changed_set_voids_what_was_found(refunds: Company, candidate: AgentVersion) -> None:
    tried(refunds, keep_set(refunds, gating=True), LOOKS, PAYS, ANSWERS, version=candidate)
    assert codes(candidate) == []
    keep_set(refunds, case(message="Another request."), gating=True)
    assert codes(candidate) == ["not_evaluated"]


def test_another_version_has_to_pass_for_itself(refunds: Company, candidate: AgentVersion) -> None:
    tried(refunds, keep_set(refunds, gating=True), LOOKS, PAYS, ANSWERS, version=candidate)
    other = draft(refunds, instructions="Be brief.", principal_source="application")
    assert codes(other) == ["not_evaluated"]
    alike = draft(refunds, instructions="Help the customer well.", principal_source="application")
    assert codes(alike) == []  # it behaves just so


def publisher(company: Company) -> User:
    return company.cast.alice


def test_it_is_not_published_before(refunds: Company, candidate: AgentVersion) -> None:
    row = keep_set(refunds, gating=True)
    with pytest.raises(ValidationFailed) as refused:
        publish_version(actor=publisher(refunds), version=candidate)
    assert [each.code for each in refused.value.problems or []] == ["not_evaluated"]
    tried(refunds, row, LOOKS, PAYS, ANSWERS, version=candidate)
    published = publish_version(actor=publisher(refunds), version=candidate)
    assert published.state == "published"
    keep_set(refunds, case("another"), gating=True)
    assert check_published(published) == []  # what is published goes on


def test_without_the_gate_it_would_be_published(
    refunds: Company, candidate: AgentVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mutant: preflight does not ask what evaluations say."""
    monkeypatch.setattr(preflight, "check_evaluations", lambda _: [])
    keep_set(refunds, gating=True)
    assert publish_version(actor=publisher(refunds), version=candidate).state == "published"
