"""What a batch asks for before it is decided, and how often it decides whatever interrupts it."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from agentops.errors import AgentOpsError, NotFound, PolicyDenied, StateConflict, ValidationFailed
from agentops.ledger.verification import verify_streams
from approvals.batches import deciding
from approvals.batches.deciding import carry_on, carry_on_unfinished
from approvals.batches.items import digest_batch, read_ready
from approvals.batches.opened import note_opened
from approvals.batches.preparing import leave_out, open_batch, prepare_batch
from approvals.models import ApprovalBatch, ApprovalDecision, ApprovalRequest
from approvals.sampling_rules import set_sampling_rule
from approvals.services import decide as decide_alone
from tests.approvals.batching import (
    bend,
    codes_of,
    decide,
    let_sample,
    open_each,
    put_together,
    reseal,
    states_of,
)
from tests.approvals.test_batches import crowd
from tests.factories import PersonFactory
from tests.factories.permissions import let
from tests.ledger import kinds_of, last_entry
from tests.runs.company import Company
from tests.runs.conftest import company

__all__ = ["company", "crowd"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.console, pytest.mark.slow]


# --- the sample ---------------------------------------------------------------------------------------------


def test_without_a_rule_each_has_to_be_opened(company: Company, crowd: list[ApprovalRequest]) -> None:
    fiona = company.cast.fiona
    batch = put_together(fiona, crowd, opened=False)
    assert set(codes_of(batch).values()) == {"not_opened"}
    note_opened(fiona, crowd[0])
    assert states_of(prepare_batch(batch)) == {"ready": 1, "excluded": 4}


def test_a_sample_is_enough_where_a_rule_says_so(company: Company, crowd: list[ApprovalRequest]) -> None:
    fiona = company.cast.fiona
    let_sample(company.cast)
    batch = put_together(fiona, crowd, opened=False)
    drawn = list(batch.items.filter(opening="drawn").values_list("request_id", flat=True))
    assert len(drawn) == 2
    assert sorted(codes_of(batch).values()) == ["not_opened"] * 2 + ["sample_not_opened"] * 3
    others = [each for each in crowd if each.pk not in drawn]
    open_each(fiona, others[:1])
    assert states_of(prepare_batch(batch)) == {"ready": 1, "excluded": 4}, "of one's own choice is no sample"
    open_each(fiona, [each for each in crowd if each.pk in drawn])
    done = decide(fiona, prepare_batch(batch))
    assert states_of(done) == {"decided": 5}


def test_whoever_chooses_chooses_no_sample(company: Company, crowd: list[ApprovalRequest]) -> None:
    """What was drawn of the whole group is to be opened, whether it was chosen, left out, or neither."""
    fiona = company.cast.fiona
    let_sample(company.cast)
    whole = put_together(fiona, crowd, opened=False)
    drawn = set(whole.items.filter(opening="drawn").values_list("request_id", flat=True))
    others = [each for each in crowd if each.pk not in drawn]
    batch = open_batch(actor=fiona, verdict="approve", chosen={each.pk: each.digest for each in others})
    assert set(codes_of(batch).values()) == {"sample_not_opened"}
    assert set(batch.items.filter(opening="drawn").values_list("request_id", flat=True)) == drawn
    left = leave_out(actor=fiona, batch=whole, requests=drawn)
    assert set(codes_of(left).values()) == {"sample_not_opened"}


def test_the_same_seed_draws_the_same(company: Company, crowd: list[ApprovalRequest]) -> None:
    let_sample(company.cast)
    batches = [put_together(company.cast.fiona, crowd, opened=False) for _ in range(2)]
    drawn = [set(each.items.filter(opening="drawn").values_list("request_id", flat=True)) for each in batches]
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize("change", ["effect", "amount"])
def test_what_a_rule_does_not_fit_has_to_be_opened(
    company: Company, crowd: list[ApprovalRequest], change: str
) -> None:
    let_sample(company.cast, effect="irreversible" if change == "effect" else "reversible")
    if change == "amount":
        for request in crowd:
            reseal(request, amount="20.00")
            bend("approvals_approvalrequest", request, amount=20)
    batch = put_together(company.cast.fiona, crowd, opened=False)
    assert set(codes_of(batch).values()) == {"not_opened"}


def test_one_that_a_rule_does_not_fit_keeps_nobody_from_the_others(
    company: Company, crowd: list[ApprovalRequest]
) -> None:
    fiona, odd = company.cast.fiona, crowd[0]
    let_sample(company.cast, max_amount=50, currency="USD")
    reseal(odd, amount="60.00", currency="USD")
    bend("approvals_approvalrequest", odd, amount=60, currency="USD")
    batch = put_together(fiona, crowd, opened=False)
    drawn = [item.request for item in batch.items.filter(opening="drawn").select_related("request")]
    assert odd not in drawn
    open_each(fiona, drawn)
    assert codes_of(prepare_batch(batch)) == {str(odd.pk): "not_opened"}


def test_a_rule_that_ended_meanwhile_lets_nothing_through(
    company: Company, crowd: list[ApprovalRequest]
) -> None:
    fiona = company.cast.fiona
    let_sample(company.cast)
    batch = put_together(fiona, crowd, opened=False)
    open_each(fiona, [item.request for item in batch.items.filter(opening="drawn")])
    batch = prepare_batch(batch)
    assert states_of(batch) == {"ready": 5}
    set_sampling_rule(actor=company.cast.ada, team=company.cast.team, effect="reversible", sampling=None)
    with pytest.raises(StateConflict, match="sampling_changed"):
        decide(fiona, batch)


# --- the confirmation ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "error", "code"),
    [
        ({"second_factor": False}, PolicyDenied, "second_factor_required"),
        ({"digest": "0" * 64}, StateConflict, "batch_changed"),
        ({"digest": ""}, StateConflict, "batch_changed"),
        ({"reason": "x" * 2_001}, ValidationFailed, "reason_too_long"),
    ],
)
def test_what_is_not_confirmed_decides_nothing(
    company: Company,
    crowd: list[ApprovalRequest],
    changes: dict[str, Any],
    error: type[AgentOpsError],
    code: str,
) -> None:
    batch = put_together(company.cast.fiona, crowd)
    with pytest.raises(error) as refused:
        decide(company.cast.fiona, batch, **changes)
    assert refused.value.code == code
    assert not ApprovalDecision.objects.exists()
    assert not kinds_of(batch.pk)


def test_to_deny_takes_a_reason(company: Company, crowd: list[ApprovalRequest]) -> None:
    batch = put_together(company.cast.fiona, crowd, "deny")
    for reason in ("", " ", "\u200b"):
        with pytest.raises(ValidationFailed, match="reason_missing"):
            decide(company.cast.fiona, batch, reason=reason)
    assert not ApprovalDecision.objects.exists()


def test_a_list_that_changed_since_it_was_shown_is_not_confirmed(
    company: Company, crowd: list[ApprovalRequest]
) -> None:
    fiona = company.cast.fiona
    batch = put_together(fiona, crowd)
    shown = digest_batch(batch, read_ready(batch))
    leave_out(actor=fiona, batch=batch, requests=[crowd[0].pk])
    with pytest.raises(StateConflict, match="batch_changed"):
        decide(fiona, batch, digest=shown)
    assert states_of(decide(fiona, batch)) == {"decided": 4, "left_out": 1}


def test_somebody_elses_batch_is_not_decided(company: Company, crowd: list[ApprovalRequest]) -> None:
    batch = put_together(company.cast.fiona, crowd)
    for who, error in (("bob", NotFound), ("charlie", NotFound), ("ada", PolicyDenied)):
        with pytest.raises(error):
            decide(getattr(company.cast, who), batch)
        with pytest.raises(error):
            leave_out(actor=getattr(company.cast, who), batch=batch, requests=[crowd[0].pk])
    assert not ApprovalDecision.objects.exists()


@pytest.mark.parametrize(
    ("verdict", "count", "error"),
    [("maybe", 1, ValidationFailed), ("approve", 0, ValidationFailed)],
)
def test_what_is_no_batch_is_refused(
    company: Company, crowd: list[ApprovalRequest], verdict: str, count: int, error: type[AgentOpsError]
) -> None:
    with pytest.raises(error):
        put_together(company.cast.fiona, crowd[:count], verdict)


def test_an_outsider_and_a_machine_put_nothing_together(
    company: Company, crowd: list[ApprovalRequest]
) -> None:
    with pytest.raises(NotFound):
        put_together(company.cast.charlie, crowd)
    with pytest.raises(PolicyDenied, match="not_a_person"):
        put_together(company.cast.application.service_account, crowd)


# --- twice, at once, and interrupted ------------------------------------------------------------------------


def test_twice_is_once(company: Company, crowd: list[ApprovalRequest]) -> None:
    fiona = company.cast.fiona
    batch = put_together(fiona, crowd)
    digest = digest_batch(batch, read_ready(batch))
    for _ in range(2):
        assert states_of(decide(fiona, batch, digest=digest)) == {"decided": 5}
    assert ApprovalDecision.objects.count() == 5
    assert kinds_of(batch.pk) == ["batch.confirmed", "batch.finished"]
    with pytest.raises(StateConflict, match="batch_confirmed"):
        decide(fiona, batch, digest="0" * 64)


def test_two_tabs_and_two_people_decide_each_once(
    company: Company, crowd: list[ApprovalRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same batch in two tabs, and a colleague's that overlaps, all at once and in small pieces."""
    monkeypatch.setattr(deciding, "CHUNK", 1)
    cast = company.cast
    greta = PersonFactory.create(username="greta")
    cast.team.members.add(greta)
    let(greta, "approve_calls", crowd[0].tool)
    mine, theirs = put_together(cast.fiona, crowd), put_together(greta, crowd[1:])
    digests = {each.pk: digest_batch(each, read_ready(each)) for each in (mine, theirs)}
    barrier, failed = threading.Barrier(3), list[BaseException]()

    def go(person: Any, batch: ApprovalBatch) -> None:
        barrier.wait()
        try:
            decide(person, batch, digest=digests[batch.pk])
        except BaseException as error:
            failed.append(error)
        finally:
            connection.close()

    pairs = ((cast.fiona, mine), (cast.fiona, mine), (greta, theirs))
    threads = [threading.Thread(target=go, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert ApprovalDecision.objects.count() == 5
    assert set(
        ApprovalRequest.objects.filter(pk__in=[each.pk for each in crowd]).values_list("state", flat=True)
    ) == {"approved"}
    decided = states_of(mine).get("decided", 0) + states_of(theirs).get("decided", 0)
    assert decided == 5
    assert set(codes_of(theirs).values()) | set(codes_of(mine).values()) <= {"approval_decided"}
    with connection.cursor() as cursor:
        assert verify_streams(cursor).ok


def test_what_was_interrupted_is_taken_up_and_decided_once(
    company: Company, crowd: list[ApprovalRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deciding, "CHUNK", 2)
    fiona, whole = company.cast.fiona, deciding._decide_each
    times: list[int] = []

    def die(*args: Any) -> Any:
        times.append(1)
        if len(times) == 2:
            raise KeyboardInterrupt
        return whole(*args)

    batch = put_together(fiona, crowd)
    with monkeypatch.context() as patch:
        patch.setattr(deciding, "_decide_each", die)
        with pytest.raises(KeyboardInterrupt):
            decide(fiona, batch)
    assert states_of(batch) == {"decided": 2, "ready": 3}
    assert carry_on_unfinished(now=timezone.now()) == 0  # whoever is at it is left alone for a while
    assert carry_on_unfinished(now=timezone.now() + timedelta(minutes=1)) == 1
    assert states_of(batch) == {"decided": 5}
    assert ApprovalDecision.objects.count() == 5
    assert {last_entry(each.pk).content["reason"] for each in crowd} == {"looked at it"}
    assert kinds_of(batch.pk) == ["batch.confirmed", "batch.finished"]


def test_what_lay_too_long_is_not_decided_in_somebodys_name(
    company: Company, crowd: list[ApprovalRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    fiona = company.cast.fiona
    batch = put_together(fiona, crowd)
    monkeypatch.setattr(deciding, "_decide_piece", lambda _: False)
    decide(fiona, batch)
    monkeypatch.undo()
    monkeypatch.setattr(deciding, "CONFIRMED_FOR", timedelta(0))
    done = carry_on(batch)
    assert set(codes_of(done).values()) == {"confirmation_old"}
    assert not ApprovalDecision.objects.exists()


def test_what_somebody_approved_unseen_opens_no_sample(
    company: Company, crowd: list[ApprovalRequest]
) -> None:
    let_sample(company.cast)
    fiona = company.cast.fiona
    batch = put_together(fiona, crowd, opened=False)
    drawn = [item.request for item in batch.items.filter(opening="drawn")]
    for request in drawn:
        decide_alone(
            actor=fiona, request=request, verdict="approve", reason="", digest=request.digest, channel="api",
            second_factor=True,
        )  # fmt: skip
    prepare_batch(batch)
    with pytest.raises(StateConflict):
        decide(fiona, batch)
    assert ApprovalRequest.objects.filter(state="approved").count() == len(drawn) < len(crowd)
