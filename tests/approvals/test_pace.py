"""Rest: who has approved too much without a break approves nothing for a while, and may deny."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from guardian.shortcuts import assign_perm

from agentops.errors import PolicyDenied
from approvals import pace, services
from approvals.models import ApprovalDecision, ApprovalRequest, OversightRule
from approvals.pace import find_rest, read_rest, tell_span
from identities.models import User
from tests.approvals.batching import decide as decide_batch
from tests.approvals.batching import put_together
from tests.approvals.test_batches import crowd
from tests.cast import Cast
from tests.factories import ApprovalRequestFactory, ToolFactory, ToolVersionFactory
from tests.runs.company import Company
from tests.runs.conftest import company

__all__ = ["company", "crowd"]
NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ago_s", "until_s"),
    [
        ([], None),
        ([0, 10], None),
        ([0, 10, 20], 300),
        ([0, 10, 60], 300),
        ([0, 10, 61], None),
        ([5, 10, 60], 295),
        ([0, 10, 20, 30, 40], 300),
    ],
)
def test_when_somebody_rests(ago_s: Sequence[int], until_s: int | None) -> None:
    times = [NOON - timedelta(seconds=ago) for ago in ago_s]
    until = None if until_s is None else NOON + timedelta(seconds=until_s)
    assert find_rest(times, 3, 60, 300) == until


def test_a_gap_as_long_as_a_rest_is_one() -> None:
    times = [NOON - timedelta(seconds=ago) for ago in (0, 299, 310)]
    assert find_rest(times, 3, 3_600, 300) == NOON + timedelta(seconds=300)
    times = [NOON - timedelta(seconds=ago) for ago in (0, 300, 310)]
    assert find_rest(times, 3, 3_600, 300) is None


@pytest.mark.parametrize(("seconds", "words"), [(45, "45 s"), (60, "1 min"), (90, "90 s"), (7_200, "2 h")])
def test_a_length_of_time_in_words(seconds: int, words: str) -> None:
    assert tell_span(seconds) == words


def let_rest(cast: Cast, **values: Any) -> OversightRule:
    fields: dict[str, Any] = {"most": 2, "within_s": 600, "pause_s": 900, "second_percent": 0, **values}
    made: OversightRule = OversightRule.objects.create(
        team=cast.team, created_by=cast.alice, seed="5" * 32, **fields
    )
    return made


@pytest.fixture
def queue(cast: Cast) -> list[ApprovalRequest]:
    """Return three requests of the team that Fiona may decide about."""
    tool = ToolFactory.create(team=cast.team, name="refund")
    assign_perm("approve_calls", cast.fiona, tool)
    version = ToolVersionFactory.create(tool=tool, irreversible=True)
    return [ApprovalRequestFactory.create(identity=cast.agent, tool_version=version) for _ in range(3)]


def decide(person: User, request: ApprovalRequest, verdict: str = "approve") -> str:
    decided = services.decide(
        actor=person, request=request, verdict=verdict, reason="looked at it", digest=request.digest,
        channel="api", second_factor=True,
    )  # fmt: skip
    return str(decided.state)


@pytest.mark.django_db(transaction=True)
def test_who_has_to_rest_denies_and_approves_nothing(cast: Cast, queue: list[ApprovalRequest]) -> None:
    let_rest(cast)
    first, second, third = queue
    assert decide(cast.fiona, first) == decide(cast.fiona, second) == "approved"
    with pytest.raises(PolicyDenied, match="needs_a_rest") as refused:
        decide(cast.fiona, third)
    assert "approved 2 times within 10 min: rest until" in refused.value.detail
    third.refresh_from_db()
    assert third.state == "waiting"
    assert decide(cast.fiona, third, "deny") == "denied"


@pytest.mark.django_db(transaction=True)
def test_others_approve_meanwhile(cast: Cast, queue: list[ApprovalRequest]) -> None:
    let_rest(cast)
    for request in queue[:2]:
        decide(cast.fiona, request)
    assign_perm("approve_calls", cast.bob, queue[2].tool)
    assert decide(cast.bob, queue[2]) == "approved"


@pytest.mark.django_db(transaction=True)
def test_a_batch_counts_as_one(company: Company, crowd: list[ApprovalRequest]) -> None:
    cast = company.cast
    let_rest(cast)
    assert decide_batch(cast.fiona, put_together(cast.fiona, crowd[:3])).state == "done"
    assert read_rest(cast.fiona, cast.team, NOON) is None
    decide(cast.fiona, crowd[3])
    with pytest.raises(PolicyDenied, match="needs_a_rest"):
        decide(cast.fiona, crowd[4])


@pytest.mark.django_db(transaction=True)
def test_a_batch_of_who_has_to_rest_is_refused(company: Company, crowd: list[ApprovalRequest]) -> None:
    cast = company.cast
    let_rest(cast)
    for request in crowd[:2]:
        decide(cast.fiona, request)
    with pytest.raises(PolicyDenied, match="needs_a_rest"):
        decide_batch(cast.fiona, put_together(cast.fiona, crowd[2:]))
    assert decide_batch(cast.fiona, put_together(cast.fiona, crowd[2:], "deny")).state == "done"


@pytest.mark.django_db(transaction=True)
def test_a_rest_ends(cast: Cast, queue: list[ApprovalRequest]) -> None:
    rule = let_rest(cast)
    for request in queue[:2]:
        decide(cast.fiona, request)
    last = ApprovalDecision.objects.latest("decided_at").decided_at
    assert pace.rest_by(rule, cast.fiona, last + timedelta(seconds=899)) == last + timedelta(seconds=900)
    assert pace.rest_by(rule, cast.fiona, last + timedelta(seconds=900)) is None


@pytest.mark.django_db(transaction=True)
def test_mutant_without_the_guard_the_third_is_approved(
    cast: Cast, queue: list[ApprovalRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "require_rested", lambda *_: None)
    with pytest.raises(pytest.fail.Exception):
        test_who_has_to_rest_denies_and_approves_nothing(cast, queue)
