"""Second looks and batches through the API: what is drawn, what somebody says of it, what is left out."""

from __future__ import annotations

import pytest
from guardian.shortcuts import assign_perm

from approvals.models import ApprovalRequest, SecondLook
from tests.api.conftest import Callers
from tests.approvals.test_pace import decide, queue
from tests.approvals.test_second_looks import draw
from tests.cast import Cast
from tests.ledger import last_entry

__all__ = ["queue"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def look(cast: Cast, queue: list[ApprovalRequest]) -> SecondLook:
    """Return a second look at what Fiona approved; Bob may approve such calls, too."""
    draw(cast)
    assign_perm("approve_calls", cast.bob, queue[0].tool)
    decide(cast.fiona, queue[0])
    return SecondLook.objects.get()


def listed(callers: Callers, who: str, query: str = "") -> list[str]:
    answer = getattr(callers, who).get(f"/second-looks{query}")
    assert answer.status == 200
    return [row["approval"] for row in answer.body["data"]]


def test_who_may_see_the_request_sees_it_and_who_may_take_it_is_told(
    callers: Callers, look: SecondLook
) -> None:
    assert listed(callers, "charlie") == []
    assert listed(callers, "bob") == listed(callers, "fiona") == [str(look.pk)]
    assert listed(callers, "bob", "?is_yours=true&state=open") == [str(look.pk)]
    assert listed(callers, "fiona", "?is_yours=true") == []
    (row,) = callers.bob.get("/second-looks").body["data"]
    assert (row["before_effect"], row["verdict"], row["seen_by"], row["is_yours"]) == (
        False,
        None,
        None,
        True,
    )


def test_it_is_taken_once_by_a_second_person_and_on_the_record(callers: Callers, look: SecondLook) -> None:
    path, says = f"/second-looks/{look.pk}", {"verdict": "disagree", "reason": "No receipt."}
    assert callers.charlie.post(path, says).code == "unknown_second_look"
    assert callers.fiona.post(path, says).code == "not_a_second_person"
    assert callers.bob.post(path, {"verdict": "disagree"}).code == "reason_missing"
    answer = callers.bob.post(path, says)
    assert (answer.status, answer.body["verdict"], answer.body["seen_by"]) == (200, "disagree", "bob")
    entry = last_entry(look.pk)
    assert (entry.kind, entry.content) == ("approval.second_look", {"reason": "No receipt."})
    assert callers.bob.post(path, {"verdict": "agree"}).code == "looked_already"
    assert listed(callers, "bob", "?state=taken") == [str(look.pk)]
    assert listed(callers, "bob", "?state=open") == []


def test_what_is_left_out_of_a_batch_goes_on_waiting(callers: Callers, queue: list[ApprovalRequest]) -> None:
    chosen = [{"id": str(each.pk), "digest": each.digest} for each in queue]
    batch = callers.fiona.post("/approval-batches", {"verdict": "deny", "approvals": chosen}).body
    path, out = f"/approval-batches/{batch['id']}/leave-out", {"approvals": [str(queue[0].pk)]}
    assert callers.charlie.post(path, out).code == "unknown_batch"
    assert callers.fiona.post(path, {"approvals": [batch["id"]]}).code == "unknown_approval"
    less = callers.fiona.post(path, out).body
    assert (less["left_out"], less["excluded"] + less["ready"]) == (1, 2)
    assert (less["digest"] != batch["digest"]) is (less["ready"] != batch["ready"])
    queue[0].refresh_from_db()
    assert queue[0].state == "waiting"


def test_somebody_elses_batch_is_not_changed(callers: Callers, queue: list[ApprovalRequest]) -> None:
    chosen = [{"id": str(each.pk), "digest": each.digest} for each in queue]
    batch = callers.fiona.post("/approval-batches", {"verdict": "deny", "approvals": chosen}).body
    path, out = f"/approval-batches/{batch['id']}/leave-out", {"approvals": [str(queue[0].pk)]}
    assert callers.ada.post(path, out).code in ("not_your_batch", "unknown_batch")
