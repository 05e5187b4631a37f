"""Batches and change sets, signed by security key over the API: over the very list, and the word about each item."""

from __future__ import annotations

import hashlib

import pytest

from approvals.governing import Ruling, set_approval_rule
from approvals.models import ApprovalRequest
from runs.changesets.reviewing import about_items
from runs.models import ChangeSet
from tests.api.caller import Answer
from tests.api.conftest import Callers
from tests.api.test_step_up_by_key import key, prove
from tests.approvals.batching import open_each
from tests.cast import Cast
from tests.console.authenticator import SoftKey, challenge_of
from tests.ledger import entries_of, last_entry
from tests.runs.changesets.proposing import prepare, propose
from tests.runs.company import Company, proposes, says

__all__ = ["key"]
pytestmark = pytest.mark.django_db(transaction=True)

BOTH = {1: "approve", 2: "deny"}


@pytest.fixture
def waiting(company: Company, key: SoftKey) -> ApprovalRequest:
    """A call that waits for Fiona."""
    company.let_decide(company.add_tool(grant="REQUIRE_APPROVAL").tool)
    company.run(proposes(("refund", {"order_id": "A-1"})), says("Done."))
    return ApprovalRequest.objects.get()


@pytest.fixture
def changes(company: Company, key: SoftKey) -> ChangeSet:
    """A change set whose items have to be signed by Fiona's key."""
    prepare(company)
    cast = company.cast
    ruling = Ruling("Changes", ({"needed": 1},), factor="key")
    set_approval_rule(actor=cast.ada, team=cast.team, place=1, ruling=ruling)
    return propose(company)


def decide(callers: Callers, changes: ChangeSet, verdicts: dict[int, str], key: str) -> Answer:
    items = [{"item": number, "verdict": verdict} for number, verdict in verdicts.items()]
    body = {"digest": changes.digest, "items": items, "reason": "Looked at."}
    return callers.fiona.post(f"/change-sets/{changes.pk}/decision", body, key=key)


def codes_of(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.body
    return [each["code"] for each in answer.body["verdicts"]]


def test_a_batch_is_signed_over_its_list(
    cast: Cast, callers: Callers, key: SoftKey, waiting: ApprovalRequest
) -> None:
    open_each(cast.fiona, [waiting])
    chosen = {"verdict": "approve", "approvals": [{"id": str(waiting.pk), "digest": waiting.digest}]}
    batch = callers.fiona.post("/approval-batches", chosen, key="open").body
    about = f"batch-approve:{batch['digest']}"
    prove(callers.fiona, key, about)
    path = f"/approval-batches/{batch['id']}/decision"
    done = callers.fiona.post(path, {"digest": batch["digest"], "reason": "Fine."}, key="decide")
    assert (done.status, done.body["decided"]) == (200, 1)
    evidence = entries_of(batch["id"])[0].facts["signature"]
    assert challenge_of(evidence)[16:] == hashlib.sha256(about.encode()).digest()


def test_items_are_signed_over_the_set_and_each_word(
    callers: Callers, key: SoftKey, changes: ChangeSet
) -> None:
    prove(callers.fiona, key)
    assert codes_of(decide(callers, changes, BOTH, "fresh")) == ["key_required"] * 2
    prove(callers.fiona, key, about_items(changes.digest, {1: "approve", 2: "approve"}))
    assert codes_of(decide(callers, changes, BOTH, "other")) == ["key_required"] * 2
    about = f"changes:{changes.digest}:approve=1;deny=2"
    prove(callers.fiona, key, about)
    assert codes_of(decide(callers, changes, BOTH, "signed")) == ["", ""]
    for request in ApprovalRequest.objects.all():
        evidence = last_entry(request.pk).facts["signature"]
        assert (evidence["about"], challenge_of(evidence)[16:]) == (
            about, hashlib.sha256(about.encode()).digest()
        )  # fmt: skip


def test_a_word_about_every_item_of_the_longest_set_can_be_signed(
    callers: Callers, key: SoftKey, changes: ChangeSet
) -> None:
    verdicts = {number: "approve" if number % 2 else "deny" for number in range(1, 51)}
    assert prove(callers.fiona, key, about_items(changes.digest, verdicts)).status == 200


def test_mutant_that_signs_the_set_without_the_words_takes_a_yes_for_a_no(
    callers: Callers, key: SoftKey, changes: ChangeSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runs.api import changesets

    monkeypatch.setattr(changesets, "about_items", lambda digest, verdicts: f"changes:{digest}")
    prove(callers.fiona, key, f"changes:{changes.digest}")
    assert codes_of(decide(callers, changes, BOTH, "bent")) == ["", ""]
