"""Mutants: each check of a batch taken away, and what then happens."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agentops.errors import StateConflict
from approvals.batches import checks, deciding, preparing
from approvals.batches.items import digest_batch, read_ready
from approvals.models import ApprovalRequest, BatchItem
from tests.approvals.batching import decide, put_together, reseal, states_of
from tests.approvals.crowd import make_crowd
from tests.approvals.test_batches import EXCLUDED, crowd
from tests.ledger import entries_of
from tests.runs.company import Company
from tests.runs.conftest import company

__all__ = ["company", "crowd"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.approvals, pytest.mark.slow]

Take = Callable[[pytest.MonkeyPatch], None]


def without(name: str) -> Take:
    """Take a check away that answers for one."""
    return lambda patch: patch.setattr(checks, name, lambda *_: None)


def without_many(name: str) -> Take:
    """Take a check away that answers for many."""
    return lambda patch: patch.setattr(checks, name, lambda *_: {})


def without_others(patch: pytest.MonkeyPatch) -> None:
    """Take away what the apps above ask."""
    patch.setattr(checks, "_checks", [])


def without_any(patch: pytest.MonkeyPatch) -> None:
    """Take away all that compares a digest: with what was shown, with what was recorded, with what would go out."""
    for take in (without("find_closed"), without("find_unsealed"), without_others):
        take(patch)


TAKEN: dict[str, Take] = {
    "approval_expired": without("find_closed"),
    "digest_changed": without_any,
    "record_bent": without("find_unsealed"),
    "not_asked_now": without_many("find_not_theirs"),
    "key_required": without("find_key_needed"),
    "reason_required": without("find_eyes_needed"),
    "provenance_doubtful": without("find_eyes_needed"),
    "run_ended": without_others,
    "principal_stopped": without_others,
}  # fmt: skip


@pytest.mark.parametrize("code", TAKEN)
def test_without_its_check_the_wrong_one_is_decided(
    company: Company, crowd: list[ApprovalRequest], monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    odd = crowd[2]
    batch = put_together(company.cast.fiona, crowd)
    EXCLUDED[code](company, odd)
    if code == "approval_expired":  # its record would tell, too
        without("find_unsealed")(monkeypatch)
    TAKEN[code](monkeypatch)
    assert states_of(decide(company.cast.fiona, batch)) == {"decided": 5}
    assert ApprovalRequest.objects.get(pk=odd.pk).state == "approved"


def test_without_the_gates_question_words_that_bind_nothing_are_approved(
    company: Company, crowd: list[ApprovalRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = crowd[0]
    reseal(odd, content={**entries_of(odd.pk)[0].content, "arguments": {"order_id": "B-9"}})
    without_others(monkeypatch)
    assert states_of(decide(company.cast.fiona, put_together(company.cast.fiona, crowd))) == {"decided": 5}


def test_without_the_sample_what_nobody_has_opened_is_approved(
    company: Company, crowd: list[ApprovalRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (preparing, deciding):
        monkeypatch.setattr(module, "find_unopened", lambda *_: {})
    batch = put_together(company.cast.fiona, crowd, opened=False)
    assert states_of(decide(company.cast.fiona, batch)) == {"decided": 5}


def smuggle(company: Company, crowd: list[ApprovalRequest]) -> tuple[object, str, ApprovalRequest]:
    """Put another request into a batch behind its person's back, and return the digest that they were shown."""
    fiona = company.cast.fiona
    batch = put_together(fiona, crowd)
    shown = digest_batch(batch, read_ready(batch))
    (other,) = make_crowd(crowd[0], 1)
    BatchItem.objects.create(batch=batch, request=other, digest=other.digest)
    return batch, shown, other


def test_what_was_not_on_the_list_is_not_decided(company: Company, crowd: list[ApprovalRequest]) -> None:
    batch, shown, _ = smuggle(company, crowd)
    with pytest.raises(StateConflict, match="batch_changed"):
        decide(company.cast.fiona, batch, digest=shown)  # type: ignore[arg-type]  # a batch


def test_without_the_digest_it_is(
    company: Company, crowd: list[ApprovalRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, shown, other = smuggle(company, crowd)
    monkeypatch.setattr(deciding, "compare_digest", lambda *_: True)
    monkeypatch.setattr(deciding, "find_unopened", lambda *_: {})
    decide(company.cast.fiona, batch, digest=shown)  # type: ignore[arg-type]  # a batch
    assert ApprovalRequest.objects.get(pk=other.pk).state == "approved"
