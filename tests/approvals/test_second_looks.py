"""Second looks: which requests are drawn, who takes them, and what they say stays."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

import pytest
from django.db import DatabaseError, transaction
from guardian.shortcuts import assign_perm

from agentops.errors import AgentOpsError, PolicyDenied, StateConflict, ValidationFailed
from approvals import services
from approvals.considered import count_words, is_considered, least_seconds
from approvals.models import ApprovalDecision, ApprovalRequest, OversightRule, SecondLook
from approvals.second_looks import fits, is_drawn, take_second_look
from identities.models import User
from tests.approvals.batching import decide as decide_all
from tests.approvals.batching import put_together
from tests.approvals.test_batches import crowd
from tests.approvals.test_pace import decide, let_rest, queue
from tests.cast import Cast
from tests.ledger import last_entry
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.conftest import company

__all__ = ["company", "crowd", "queue"]
IDS = [uuid5(UUID(int=7), str(number)) for number in range(2_000)]


@pytest.mark.parametrize("percent", [0, 1, 10, 50, 100])
def test_the_share_is_what_the_rule_says(percent: int) -> None:
    drawn = sum(is_drawn("5" * 32, each, percent) for each in IDS)
    assert abs(drawn - len(IDS) * percent / 100) <= len(IDS) * 0.03
    if percent in (0, 100):
        assert drawn == len(IDS) * percent // 100


def test_what_is_drawn_follows_from_seed_and_id_alone() -> None:
    one, again, other = ({each for each in IDS if is_drawn(seed * 32, each, 10)} for seed in "551")
    assert one == again != other


@pytest.mark.parametrize(
    ("amount", "codes", "expected"),
    [
        (None, [], True),
        (Decimal("49.99"), [], True),
        (Decimal(50), [], False),
        (None, ["untrusted_value"], False),
        (None, ["needs_approval"], True),
    ],
)
def test_what_is_drawn_from(
    amount: Decimal | None, codes: list[str], expected: bool, monkeypatch: Any
) -> None:
    monkeypatch.setattr("approvals.second_looks.DOUBTS", frozenset({"untrusted_value"}))
    team = UUID(int=1)
    rule = OversightRule(team_id=team, second_below=Decimal(50), currency="USD", second_percent=10)
    request = ApprovalRequest(team_id=team, amount=amount, currency="USD")
    assert fits(rule, request, codes) is expected
    assert not fits(rule, ApprovalRequest(team_id=UUID(int=2), amount=amount, currency="USD"), codes)


def draw(cast: Cast, **values: Any) -> OversightRule:
    """Have all be drawn."""
    none = {"most": None, "within_s": None, "pause_s": None}
    return let_rest(cast, **{**none, "second_percent": 100, **values})


@pytest.fixture
def look(cast: Cast, queue: list[ApprovalRequest]) -> SecondLook:
    """Return a second look at what Fiona approved; Bob may approve such calls, too."""
    draw(cast)
    assign_perm("approve_calls", cast.bob, queue[0].tool)
    decide(cast.fiona, queue[0])
    return SecondLook.objects.get()


def take(person: User, look: SecondLook, *, agrees: bool = True, reason: str = "") -> SecondLook:
    return take_second_look(actor=person, look=look, agrees=agrees, reason=reason)


pytestmark = pytest.mark.django_db(transaction=True)


def test_what_was_approved_is_drawn_and_what_was_denied_is_not(
    cast: Cast, look: SecondLook, queue: Any
) -> None:
    decide(cast.fiona, queue[1], "deny")
    assert SecondLook.objects.get() == look
    assert (look.stage, look.verdict, look.seen_at) == (None, "", None)


def test_somebody_else_disagrees_for_good(cast: Cast, look: SecondLook) -> None:
    taken = take(cast.bob, look, agrees=False, reason="No receipt.")
    assert (taken.verdict, taken.seen_by) == ("disagree", cast.bob)
    entry = last_entry(look.pk)
    assert (entry.kind, entry.actor, entry.content) == (
        "approval.second_look",
        cast.bob.pk,
        {"reason": "No receipt."},
    )
    assert entry.facts["verdict"] == "disagree"
    with pytest.raises(StateConflict, match="looked_already"):
        take(cast.bob, look)
    with pytest.raises(DatabaseError, match="final"), transaction.atomic():
        SecondLook.objects.update(verdict="agree")


@pytest.mark.parametrize("who", ["fiona", "alice", "ada", "charlie"])
def test_nobody_else_takes_it(cast: Cast, look: SecondLook, who: str) -> None:
    with pytest.raises(AgentOpsError):
        take(getattr(cast, who), look)
    look.refresh_from_db()
    assert look.seen_at is None


def test_the_database_lets_no_decider_look_again(cast: Cast, look: SecondLook) -> None:
    with pytest.raises(DatabaseError, match="somebody else"), transaction.atomic():
        SecondLook.objects.update(verdict="agree", seen_by=cast.fiona, seen_at=look.drawn_at)


def test_mutant_without_the_condition_the_decider_is_kept_out_by_the_database_alone(
    cast: Cast, look: SecondLook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(SecondLook.objects.all()), "open_to", lambda rows, _: rows)
    with pytest.raises(DatabaseError, match="somebody else"):
        take(cast.fiona, look)


def test_who_disagrees_says_why(cast: Cast, look: SecondLook) -> None:
    with pytest.raises(ValidationFailed, match="reason_missing"):
        take(cast.bob, look, agrees=False, reason=" ")


def test_a_batch_is_drawn_from_too(company: Company, crowd: list[ApprovalRequest]) -> None:
    draw(company.cast)
    fiona = company.cast.fiona
    decide_all(fiona, put_together(fiona, crowd))
    assert SecondLook.objects.count() == len(crowd)
    looked = ApprovalDecision.objects.values_list("opened_s", "to_read")
    assert all(opened is not None and words for opened, words in looked)


def test_before_the_effect_it_takes_a_second_persons_yes(company: Company) -> None:
    """The call waits for somebody else, and what they decide is what they say."""
    cast = company.cast
    draw(cast, before_effect=True)
    version = company.add_tool("refund", effect="irreversible", grant="REQUIRE_APPROVAL", statement="refund")
    company.let_decide(version.tool)
    company.run(proposes(("refund", ORDER)), says("Done."), message="Please.")
    request, look = ApprovalRequest.objects.get(), SecondLook.objects.get()
    assert (look.stage, [stage.needed for stage in request.stages.all()]) == (2, [1, 1])
    assert decide(cast.fiona, request) == "waiting"
    with pytest.raises(PolicyDenied, match="decided_already"):
        decide(cast.fiona, request)
    assign_perm("approve_calls", cast.bob, request.tool)
    assert decide(cast.bob, request) == "approved"
    look.refresh_from_db()
    assert (look.verdict, look.seen_by) == ("agree", cast.bob)
    assert services.read_evidence(request) is not None


@pytest.mark.parametrize(
    ("opened_s", "to_read", "effect", "expected"),
    [
        (None, 100, "reversible", False), (2, 10, "reversible", False), (3, 10, "reversible", True),
        (12, 100, "reversible", False), (13, 100, "reversible", True), (13, 100, "irreversible", False),
        (26, 100, "irreversible", True), (60, 90_000, "irreversible", True), (59, 90_000, "reversible", False),
        (5, None, "reversible", None),
    ],
)  # fmt: skip
def test_a_considered_decision(
    opened_s: int | None, to_read: int | None, effect: str, expected: bool | None
) -> None:
    assert is_considered(opened_s, to_read, effect) is expected


def test_words_to_read() -> None:
    assert count_words({"why": "It is broken.", "arguments": {"n": 3, "list": ["a b", None, True]}}) == 7
    assert least_seconds(0, "read") == 3
