"""Deciding about many requests together: each checked by itself, decided once, and on the record."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from psycopg import sql

from agentops.errors import AgentOpsError, StateConflict
from agentops.ledger.store import erase_contents
from agentops.ledger.verification import compare_rows, verify_streams
from approvals import services
from approvals.batches import checks, deciding
from approvals.batches.items import digest_batch, list_batch, read_ready
from approvals.batches.preparing import prepare_batch
from approvals.governing import Ruling, set_approval_rule
from approvals.models import ApprovalBatch, ApprovalDecision, ApprovalRequest, ApprovalStage, StageGroup
from approvals.tasks import wake_many
from identities.services import suspend_agent, throw_switch
from runs.models import Run
from runs.services import kill_run
from tests.approvals.batching import (
    bend,
    codes_of,
    decide,
    let_sample,
    put_together,
    reseal,
    states_of,
    void,
)
from tests.approvals.bending import unguarded
from tests.approvals.crowd import ask_first, make_crowd
from tests.approvals.test_quorum import approver
from tests.factories import PrincipalFactory
from tests.ledger import entries_of, last_entry
from tests.runs.company import Company, proposes, says
from tests.runs.conftest import company
from tests.runs.test_edits import HIGH, LOW, add_refund, edit
from tools.services import force_breaker_open, quarantine_tool

__all__ = ["company"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.console, pytest.mark.slow]

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

    few, many = open_one(crowd[:2]), open_one(more)
    assert many - few in (-1, 0, 1), "one marks what the sample drew of the batch itself, if it drew any"
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
