"""Deciding about many requests together: each checked by itself, decided once, and on the record."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from psycopg import sql

from agentops.errors import AgentOpsError, NotFound, PolicyDenied, StateConflict, ValidationFailed
from agentops.ledger.store import erase_contents
from agentops.ledger.verification import compare_rows, verify_streams
from approvals import services
from approvals.batches import checks, deciding
from approvals.batches.deciding import carry_on, carry_on_unfinished
from approvals.batches.items import digest_batch, list_batch, read_ready
from approvals.batches.opened import note_opened
from approvals.batches.preparing import leave_out, open_batch, prepare_batch
from approvals.governing import Ruling, set_approval_rule
from approvals.models import ApprovalBatch, ApprovalDecision, ApprovalRequest, ApprovalStage, StageGroup
from approvals.sampling_rules import set_sampling_rule
from approvals.tasks import wake_many
from identities.services import suspend_agent, throw_switch
from runs.models import Run
from runs.services import kill_run
from tests.approvals.batching import (
    bend,
    codes_of,
    decide,
    let_sample,
    open_each,
    put_together,
    reseal,
    states_of,
    void,
)
from tests.approvals.bending import unguarded
from tests.approvals.crowd import ask_first, make_crowd
from tests.approvals.test_quorum import approver
from tests.factories import PersonFactory, PrincipalFactory
from tests.factories.permissions import let
from tests.ledger import entries_of, kinds_of, last_entry
from tests.runs.company import Company, proposes, says
from tests.runs.conftest import company
from tests.runs.test_edits import HIGH, LOW, add_refund, edit
from tools.services import force_breaker_open, quarantine_tool

__all__ = ["company"]
pytestmark = pytest.mark.django_db(transaction=True)

Bend = Callable[[Company, ApprovalRequest], object]


@pytest.fixture
def crowd(company: Company) -> list[ApprovalRequest]:
    """Five requests of five runs; what no run has driven is no history to replay."""
    company.is_mutant = True
    first = ask_first(company)
    made = make_crowd(first, 5)
    void(first)
    return made


def fresh(request: ApprovalRequest) -> ApprovalRequest:
    return ApprovalRequest.objects.get(pk=request.pk)


# --- what a decision leaves behind --------------------------------------------------------------------------


@pytest.mark.parametrize(("verdict", "state"), [("approve", "approved"), ("deny", "denied")])
def test_each_request_gets_what_a_single_decision_gives_it(
    company: Company, crowd: list[ApprovalRequest], verdict: str, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, ...]] = []
    monkeypatch.setattr(deciding, "send_after_commit", lambda *args, **_: sent.append(args))
    fiona = company.cast.fiona
    batch = decide(fiona, put_together(fiona, crowd, verdict))
    assert (batch.state, batch.reason, states_of(batch)) == ("done", "", {"decided": 5})
    for request in crowd:
        assert fresh(request).state == state
        row = ApprovalDecision.objects.get(request=request)
        assert (row.verdict, row.decided_by, row.channel, row.digest) == (
            verdict,
            fiona,
            "api",
            request.digest,
        )
        entry = last_entry(request.pk)
        assert (entry.kind, entry.actor, entry.content) == (
            "approval.decided", fiona.pk, {"reason": "looked at it"},
        )  # fmt: skip
        assert entry.facts == {
            "verdict": verdict, "channel": "api", "digest": request.digest, "stage": 1, "batch": str(batch.pk),
        }  # fmt: skip
    assert {*sent[0][2:]} == {request.subject_ref for request in crowd}
    assert sent[0][:2] == ("approvals.wake_many", crowd[0].wake_task)
    with connection.cursor() as cursor:
        assert verify_streams(cursor).ok
        assert compare_rows(cursor, None) == []


def test_the_batch_has_a_stream_with_the_list_that_was_signed(
    company: Company, crowd: list[ApprovalRequest]
) -> None:
    fiona = company.cast.fiona
    batch = put_together(fiona, crowd)
    digest = digest_batch(batch, read_ready(batch))
    signature = {"about": f"batch-approve:{digest}", "signature": "…"}
    decide(fiona, batch, signature=signature)
    confirmed, finished = entries_of(batch.pk)
    assert (confirmed.kind, confirmed.actor, finished.kind) == ("batch.confirmed", fiona.pk, "batch.finished")
    assert confirmed.facts == {
        "verdict": "approve", "digest": digest, "count": 5, "channel": "api", "signature": signature,
    }  # fmt: skip
    assert confirmed.content == list_batch(batch, [(each.pk, each.digest) for each in crowd])
    assert finished.facts == {"decided": 5, "excluded": {}}


def test_an_approved_call_goes_out_once(company: Company) -> None:
    """A real run from its question to its effect, decided in a batch."""
    request = ask_first(company)
    decide(company.cast.fiona, put_together(company.cast.fiona, [request]))
    company.drive(Run.objects.get(pk=request.subject_ref))
    assert company.world.effects == [request.key]


def test_who_waits_is_woken_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, ...]] = []

    def send(*args: str, **_: object) -> bool:
        sent.append(args)
        return True

    monkeypatch.setattr("approvals.tasks.send_now", send)
    assert wake_many("runs.drive", "one", "two") == 2
    assert sent == [("runs.drive", "one"), ("runs.drive", "two")]


# --- the preflight ------------------------------------------------------------------------------------------


def end_run(company: Company, request: ApprovalRequest) -> None:
    Run.objects.filter(pk=request.subject_ref).update(ended_at=timezone.now(), state="cancelled")


def doubt(company: Company, request: ApprovalRequest) -> None:
    reseal(request, reasons=["from_untrusted"])


def grant_anew(company: Company, request: ApprovalRequest) -> None:
    company.grant(request.tool, "REQUIRE_APPROVAL", approval_ttl_s=7_000, version=2)


def add_stage(company: Company, request: ApprovalRequest) -> None:
    """Ask somebody else's group now."""
    with unguarded():
        StageGroup.objects.filter(request=request).update(group=company.cast.finance.pk + 1_000)


EXCLUDED: dict[str, Bend] = {
    "approval_decided": lambda c, r: void(r),
    "approval_expired": lambda c, r: bend("approvals_approvalrequest", r, expires_at=timezone.now()),
    "digest_changed": lambda c, r: bend("approvals_approvalrequest", r, digest="e" * 64),
    "record_bent": lambda c, r: bend("approvals_approvalrequest", r, amount=1_000, currency="USD"),
    "owns_the_agent": lambda c, r: bend("approvals_approvalrequest", r, owner_id=c.cast.fiona.pk),
    "started_the_run": lambda c, r: bend("approvals_approvalrequest", r, requested_by_id=c.cast.fiona.pk),
    "not_asked_now": add_stage,
    "key_required": lambda c, r: bend("approvals_approvalrequest", r, factor="key"),
    "reason_required": lambda c, r: bend("approvals_approvalrequest", r, reason_required=True),
    "words_erased": lambda c, r: erase(r),
    "provenance_doubtful": doubt,
    "run_ended": end_run,
    "principal_stopped": lambda c, r: stop_principal(c, r),
}  # fmt: skip


def erase(request: ApprovalRequest) -> None:
    with connection.cursor() as cursor:
        erase_contents(cursor, request.pk)


def stop_principal(company: Company, request: ApprovalRequest) -> None:
    """Throw the switch for the end user of this one alone."""
    other = PrincipalFactory.create(team=company.cast.team, subject="somebody else")
    Run.objects.filter(pk=request.subject_ref).update(principal=other)
    throw_switch(actor=company.cast.ada, scope="principal", target=str(other.pk), reason="It burns.")


@pytest.mark.parametrize("code", EXCLUDED)
@pytest.mark.parametrize("when", ["before", "after"])
def test_what_is_wrong_is_excluded_and_named_and_the_rest_decided(
    company: Company, crowd: list[ApprovalRequest], code: str, when: str
) -> None:
    """Before the batch is put together, and between the page and the confirmation."""
    fiona, odd = company.cast.fiona, crowd[2]
    if when == "before" and code != "digest_changed":
        EXCLUDED[code](company, odd)
    batch = put_together(fiona, crowd)
    if when == "after" or code == "digest_changed":
        EXCLUDED[code](company, odd)
    if when == "before":
        batch = prepare_batch(batch)
        assert codes_of(batch) == {str(odd.pk): code}
    done = decide(fiona, batch)
    assert codes_of(done) == {str(odd.pk): code}
    assert done.items.get(request=odd).detail
    assert states_of(done) == {"decided": 4, "excluded": 1}
    assert ApprovalDecision.objects.filter(request=odd).count() == 0
    assert ApprovalDecision.objects.count() == 4


@pytest.mark.parametrize("where", ["facts", "content", "arguments"])
def test_a_record_that_somebody_bent_is_excluded(
    company: Company, crowd: list[ApprovalRequest], where: str
) -> None:
    """Facts or words that fit no seal; and words sealed anew, which are not those that the digest binds."""
    odd = crowd[0]
    if where == "facts":
        bend("ledger_entry", odd, facts=sql.SQL("facts || '{\"reasons\": []}'"))
    if where == "content":
        bend("ledger_entry", odd, content=sql.SQL("replace(content, 'B-0', 'B-9')"))
    if where == "arguments":
        reseal(odd, content={**entries_of(odd.pk)[0].content, "arguments": {"order_id": "B-9"}})
    batch = put_together(company.cast.fiona, crowd)
    expected = "call_differs" if where == "arguments" else "record_bent"
    assert codes_of(batch) == {str(odd.pk): expected}


@pytest.mark.parametrize(
    ("stop", "code"),
    [
        (lambda c, t: quarantine_tool(actor=c.ada, tool=t), "tool_quarantined"),
        (lambda c, t: force_breaker_open(actor=c.ada, tool=t, reason="It burns."), "forced_open"),
        (lambda c, t: suspend_agent(actor=c.ada, agent=c.agent), "identity_suspended"),
        (lambda c, t: c.agent, "call_differs"),
    ],
)
def test_policy_is_asked_again_as_the_gate_would(
    company: Company, crowd: list[ApprovalRequest], stop: Callable[..., object], code: str
) -> None:
    stop(company.cast, crowd[0].tool)
    if code == "call_differs":
        grant_anew(company, crowd[0])
    batch = put_together(company.cast.fiona, crowd)
    assert set(codes_of(batch).values()) == {code}
    with pytest.raises(StateConflict, match="nothing_ready"):
        decide(company.cast.fiona, batch)


def test_what_is_denied_is_looked_at_less(company: Company, crowd: list[ApprovalRequest]) -> None:
    """To say no harms nobody: doubtful, stopped, unopened or reasons asked for, all of it can be denied together."""
    doubt(company, crowd[0])
    erase(crowd[1])
    bend("approvals_approvalrequest", crowd[2], reason_required=True)
    bend("approvals_approvalrequest", crowd[3], factor="key")
    quarantine_tool(actor=company.cast.ada, tool=crowd[0].tool)
    fiona = company.cast.fiona
    batch = decide(fiona, put_together(fiona, crowd, "deny", opened=False))
    assert codes_of(batch) == {str(crowd[3].pk): "key_required"}
    assert states_of(batch) == {"decided": 4, "excluded": 1}


@pytest.mark.parametrize("who", ["bob", "alice", "ada"])
def test_who_may_not_decide_has_everything_excluded(
    company: Company, crowd: list[ApprovalRequest], who: str
) -> None:
    person = getattr(company.cast, who)
    if who == "alice":
        company.let_decide(crowd[0].tool, person)
    batch = put_together(person, crowd)
    assert set(codes_of(batch).values()) == {"owns_the_agent" if who == "alice" else "not_an_approver"}
    with pytest.raises(StateConflict, match="nothing_ready"):
        decide(person, batch)


def test_refusals_are_explained_up_to_a_bound(
    company: Company, crowd: list[ApprovalRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "MOST_EXPLAINED", 2)
    batch = put_together(company.cast.bob, crowd)
    assert sorted(codes_of(batch).values()) == ["not_an_approver"] * 2 + ["not_yours"] * 3


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


# --- several people -----------------------------------------------------------------------------------------


def test_where_more_people_are_needed_a_batch_gives_one_yes(
    company: Company, crowd: list[ApprovalRequest]
) -> None:
    with unguarded():
        ApprovalStage.objects.filter(request=crowd[0]).update(needed=2)
        ApprovalStage.objects.create(request=crowd[1], place=2, needed=1, ladder=[[0, None]])
    fiona = company.cast.fiona
    batch = decide(fiona, put_together(fiona, crowd[:3]))
    assert dict(batch.items.values_list("request_id", "outcome")) == {
        crowd[0].pk: "waiting", crowd[1].pk: "waiting", crowd[2].pk: "approved",
    }  # fmt: skip
    assert fresh(crowd[1]).stage == 2
    again = put_together(fiona, crowd[:2])
    assert set(codes_of(again).values()) == {"decided_already"}


# --- how much it costs --------------------------------------------------------------------------------------


def count_statements(act: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as captured:
        act()
    return len(captured)


def test_statements_do_not_grow_with_the_requests_of_a_piece(
    company: Company, crowd: list[ApprovalRequest]
) -> None:
    let_sample(company.cast)
    fiona, more = company.cast.fiona, make_crowd(crowd[0], 30)
    batches: list[ApprovalBatch] = []

    def open_one(requests: list[ApprovalRequest]) -> int:
        return count_statements(lambda: batches.append(put_together(fiona, requests)))

    assert open_one(crowd[:2]) == open_one(more)
    few, many = (count_statements(lambda each=each: decide(fiona, each)) for each in batches)  # type: ignore[misc]  # a default
    assert few == many


def test_a_batch_refuses_what_a_single_decision_refuses(
    company: Company, crowd: list[ApprovalRequest]
) -> None:
    """The two ways ask the same: whatever keeps one from deciding keeps the other, by the same code."""
    fiona = company.cast.fiona
    shared = ("approval_decided", "approval_expired", "digest_changed", "owns_the_agent", "started_the_run",
              "not_asked_now", "key_required")  # fmt: skip
    for code, request in zip(shared, make_crowd(crowd[0], len(shared)), strict=True):
        batch = put_together(fiona, [request])
        EXCLUDED[code](company, request)
        assert set(codes_of(prepare_batch(batch)).values()) == {code}
        with pytest.raises(AgentOpsError) as refused:
            services.decide(
                actor=fiona, request=request, verdict="approve", reason="Seen.", digest=request.digest,
                channel="api", second_factor=True,
            )  # fmt: skip
        assert refused.value.code == code


def test_a_killed_runs_requests_are_not_decided(company: Company) -> None:
    request = ask_first(company)
    batch = put_together(company.cast.fiona, [request])
    kill_run(actor=company.cast.ada, run=Run.objects.get(pk=request.subject_ref))
    company.drive(Run.objects.get(pk=request.subject_ref))
    assert set(codes_of(prepare_batch(batch)).values()) == {"approval_decided"}


def test_two_approved_together_both_go_out(company: Company) -> None:
    first = ask_first(company)
    second = company.run(
        proposes(("refund", {"order_id": "A-2"}), text="Broken."), message="Please refund it."
    )
    both = list(ApprovalRequest.objects.order_by("created_at"))
    company.play(says("Done."))
    decide(company.cast.fiona, put_together(company.cast.fiona, both))
    for run in (Run.objects.get(pk=first.subject_ref), second):
        company.drive(run)
    assert sorted(company.world.effects) == sorted(each.key for each in both)


def test_an_edit_counts_in_the_stage_to_which_a_batch_takes_its_call(company: Company) -> None:
    add_refund(company, effect="reversible")
    uma, vic = approver(company, "uma", "desk"), approver(company, "vic", "heads")
    run = company.run(proposes(("refund", HIGH), text="It broke."), says("Done."))
    edit(company, LOW, vic)
    stages = ({"needed": 1, "group": "desk"}, {"needed": 1, "group": "heads"})
    set_approval_rule(
        actor=company.cast.ada, team=company.cast.team, place=1, ruling=Ruling("Refunds", stages)
    )
    company.drive(run)
    request = ApprovalRequest.objects.get(state="waiting")
    batch = decide(uma, put_together(uma, [request]))
    assert batch.items.get().outcome == "approved"
    assert (fresh(request).state, request.decisions.get(by_edit=True).stage) == ("approved", 2)
    assert company.states(company.drive(run)) == [("succeeded", "ok")]
