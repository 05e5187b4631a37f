"""Who is away, and who decides meanwhile: one seat of two people, and no way round who has a part."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.db import IntegrityError, ProgrammingError, connection, transaction
from django.db.models import Q
from django.utils import timezone
from guardian.shortcuts import assign_perm, remove_perm

from agentops.ledger.store import StoredEntry, read_entries
from approvals import deputies, gate, policies, seats
from approvals.absences import Leave, declare_absence, end_absence
from approvals.models import Absence, ApprovalDecision, ApprovalRequest
from identities.models import AgentIdentity, User
from identities.services import update_person
from runs.models import Run
from tests.approvals.bending import unguarded
from tests.approvals.conftest import company
from tests.approvals.test_quorum import approver, ask, code_of, refund, say
from tests.factories import ApprovalRequestFactory, PersonFactory, ToolVersionFactory
from tests.rewriting import rewrite, rewrite_text
from tests.runs.company import Company, proposes, says

__all__ = ["company", "refund"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.approvals, pytest.mark.slow]

HEADS = {"needed": 1, "group": "heads"}


def leave(absent: User, deputy: User, **changes: Any) -> Leave:
    now = timezone.now()
    values = {"begins_at": now, "ends_at": now + timedelta(days=2), "reason": "On leave.", **changes}
    return Leave(absent, deputy, **values)


def away(absent: User, deputy: User, **changes: Any) -> Absence:
    """Have somebody say that they are away."""
    return declare_absence(actor=absent, leave=leave(absent, deputy, **changes))


def seat_of(request: ApprovalRequest) -> list[tuple[str, str | None]]:
    """Return who has decided for whom."""
    rows = request.decisions.order_by("decided_at").values_list(
        "decided_by__username", "deputy_for__username"
    )
    return list(rows)


@pytest.fixture
def hal(company: Company, refund: None) -> User:
    """One of the heads, who are asked."""
    return approver(company, "hal", "heads")


@pytest.fixture
def dee(company: Company, refund: None) -> User:
    """Somebody else who approves refunds."""
    return approver(company, "dee")


def is_refunded(company: Company, run: Run) -> bool:
    company.drive(run)
    return company.world.attempts != []


# --- standing in -------------------------------------------------------------------------------------------


def test_a_deputy_decides_what_the_absent_could(company: Company, hal: User, dee: User) -> None:
    run, request = ask(company, HEADS)
    assert code_of(dee, request) == "not_asked_now"
    absence = away(hal, dee)
    assert list(ApprovalRequest.objects.decidable_by(dee)) == [request]
    assert say(dee, request) == "approved"
    assert seat_of(request) == [("dee", "hal")]
    facts = [entry.facts for entry in read_entries_of(request) if entry.kind == "approval.decided"]
    assert (facts[0]["deputy_for"], facts[0]["absence"]) == (str(hal.pk), str(absence.pk))
    assert is_refunded(company, run)


def read_entries_of(request: ApprovalRequest) -> list[StoredEntry]:
    with connection.cursor() as cursor:
        return list(read_entries(cursor, request.pk))


def test_the_two_have_one_seat(company: Company, hal: User, dee: User) -> None:
    """Whoever is first has taken it; the deputy's own yes is another seat, and theirs alone."""
    hua = approver(company, "hua", "heads")
    away(hal, dee)
    _, first = ask(company, {"needed": 2, "group": "heads"})
    assert say(dee, first) == "waiting"
    assert code_of(hal, first) == "seat_taken"
    assert list(ApprovalRequest.objects.decidable_by(hal)) == []
    assert code_of(dee, first) == "decided_already"
    assert say(hua, first) == "approved"
    _, second = ask_again(company)
    assert say(hal, second) == "waiting"
    assert code_of(dee, second) == "not_asked_now"
    assert list(ApprovalRequest.objects.decidable_by(dee)) == []


def ask_again(company: Company) -> tuple[Run, ApprovalRequest]:
    """Have a second refund wait."""
    run = company.run(proposes(("refund", {"order_id": "A-2"})), says("Done."))
    return run, ApprovalRequest.objects.get(state="waiting")


def test_a_member_who_stands_in_has_one_yes(company: Company, hal: User) -> None:
    """It is their own; the absent may still say theirs."""
    hua = approver(company, "hua", "heads")
    away(hal, hua)
    _, request = ask(company, {"needed": 2, "group": "heads"})
    assert say(hua, request) == "waiting"
    assert seat_of(request) == [("hua", None)]
    assert code_of(hua, request) == "decided_already"
    assert say(hal, request) == "approved"


def test_a_deputy_of_two_says_one_yes(company: Company, hal: User, dee: User) -> None:
    hua = approver(company, "hua", "heads")
    away(hal, dee)
    away(hua, dee)
    _, request = ask(company, {"needed": 2, "group": "heads"})
    assert say(dee, request) == "waiting"
    assert seat_of(request) == [("dee", "hal")]
    assert code_of(dee, request) == "decided_already"
    assert say(hua, request) == "approved"


def test_there_is_no_deputy_of_a_deputy(company: Company, hal: User, dee: User) -> None:
    eve = approver(company, "eve")
    away(hal, dee)
    away(dee, eve)
    _, request = ask(company, HEADS)
    assert code_of(eve, request) == "not_asked_now"
    assert list(ApprovalRequest.objects.decidable_by(eve)) == []
    assert say(dee, request) == "approved"


def test_a_deputy_for_a_tool_or_a_group_or_a_team_is_one_for_nothing_else(
    company: Company, hal: User, dee: User
) -> None:
    other = ToolVersionFactory.create(tool__team=company.cast.team).tool
    assign_perm("approve_calls", hal, other)
    friends = Group.objects.create(name="friends")
    hal.groups.add(friends)
    _, request = ask(company, HEADS)
    for elsewhere in ({"tool": other}, {"group": friends}):
        absence = away(hal, dee, **elsewhere)
        assert code_of(dee, request) == "not_asked_now"
        end_absence(actor=hal, absence=absence)
    heads = Group.objects.get(name="heads")
    away(hal, dee, group=heads, tool=request.tool, team=company.cast.team)
    assert say(dee, request) == "approved"


def test_a_group_that_was_given_the_calls_may_be_stood_in_for(company: Company, hal: User, dee: User) -> None:
    """A stage that asks all who may approve asks a group's member as such only where the group may."""
    desk = Group.objects.create(name="desk")
    hal.groups.add(desk)
    remove_perm("approve_calls", dee, company.versions[0].tool)
    assign_perm("approve_calls", dee, ToolVersionFactory.create(tool__team=company.cast.team).tool)
    away(hal, dee, group=desk)
    run, request = ask(company, {"needed": 1})
    assert code_of(dee, request) == "not_asked_now"
    assign_perm("approve_calls", desk, request.tool)
    assert say(dee, request) == "approved"
    assert is_refunded(company, run)


# --- its end ----------------------------------------------------------------------------------------------


def withdraw(hal: User, dee: User, ada: User) -> None:
    end_absence(actor=hal, absence=Absence.objects.get())


def decline(hal: User, dee: User, ada: User) -> None:
    end_absence(actor=dee, absence=Absence.objects.get())


def close(who: str) -> Callable[[User, User, User], None]:
    def close_account(hal: User, dee: User, ada: User) -> None:
        person = {"hal": hal, "dee": dee}[who]
        change = {"actor": ada, "person": person, "staff": True, "superuser": False}
        groups = Group.objects.filter(user=person)
        update_person(active=False, groups=list(groups), **change)  # type: ignore[arg-type]  # as they are
        update_person(active=True, groups=list(groups), **change)  # type: ignore[arg-type]  # as they are

    return close_account


def lose_the_right(hal: User, dee: User, ada: User) -> None:
    remove_perm("approve_calls", hal, ApprovalRequest.objects.get().tool)


def leave_the_group(hal: User, dee: User, ada: User) -> None:
    hal.groups.clear()


def approve_nothing_any_more(hal: User, dee: User, ada: User) -> None:
    remove_perm("approve_calls", dee, ApprovalRequest.objects.get().tool)


def own_the_agent(hal: User, dee: User, ada: User) -> None:
    AgentIdentity.objects.update(owner=hal)


ENDS = [
    withdraw, decline, close("hal"), close("dee"), lose_the_right, leave_the_group, approve_nothing_any_more,
    own_the_agent,
]  # fmt: skip
NAMES = ["withdraw", "decline", "close hal", "close dee", *(end.__name__ for end in ENDS[4:])]


@pytest.mark.parametrize("end", ENDS, ids=NAMES)
@pytest.mark.parametrize("when", ["before", "after"])
def test_it_ends_at_once_and_what_was_approved_with_it(
    company: Company, hal: User, dee: User, end: Callable[[User, User, User], None], when: str
) -> None:
    """As for everybody whose right is gone before the call goes out: the gate asks again. A closed account that
    is opened again revives nothing."""
    away(hal, dee)
    run, request = ask(company, HEADS)
    if when == "before":
        end(hal, dee, company.cast.ada)
        assert code_of(dee, request) in ("not_asked_now", "not_an_approver", "deputy_of_a_part")
        assert list(ApprovalRequest.objects.decidable_by(dee)) == []
    else:
        say(dee, request)
        end(hal, dee, company.cast.ada)
        assert company.states(company.drive(run)) == [("refused", "approval_voided")]
        assert company.world.attempts == []


def test_its_time_says_when_the_deputy_may_decide(company: Company, hal: User, dee: User) -> None:
    """What was approved within it stays: nothing was taken back."""
    start = timezone.now()
    away(hal, dee, begins_at=start + timedelta(hours=1), ends_at=start + timedelta(hours=2))
    company.grant(company.versions[0].tool, "REQUIRE_APPROVAL", approval_ttl_s=86_400)
    run, request = ask(company, HEADS)
    for hours in (0.9, 2.1):
        with time_machine.travel(start + timedelta(hours=hours), tick=False):
            assert code_of(dee, request) == "not_asked_now"
    with time_machine.travel(start + timedelta(hours=1.5), tick=False):
        assert say(dee, request) == "approved"
    Absence.objects.get()
    with time_machine.travel(start + timedelta(hours=2.2), tick=False):
        assert gate.read_verdicts([request.pk]) == {request.pk: "approved"}
    assert is_refunded(company, run)


# --- who has a part ----------------------------------------------------------------------------------------


def own(request: ApprovalRequest, person: User) -> None:
    AgentIdentity.objects.filter(pk=request.identity_id).update(owner=person)


@pytest.mark.parametrize("part", ["requested_by", "owner", "key_issuer", "owner since"])
def test_nobody_with_a_part_gets_a_seat_by_a_deputy(
    company: Company, hal: User, dee: User, part: str
) -> None:
    """Neither theirs by a deputy, nor as one; a deputy of theirs does not count even for themselves."""
    parts: dict[str, User] = {} if part == "owner since" else {part: hal}
    version, agent = company.versions[0], company.cast.agent
    request = ApprovalRequestFactory.create(identity=agent, tool_version=version, **parts)
    if part == "owner since":
        own(request, hal)
    assert list(ApprovalRequest.objects.decidable_by(dee)) == [request]
    absence = away(hal, dee)
    assert code_of(dee, request) == "deputy_of_a_part"
    assert list(ApprovalRequest.objects.decidable_by(dee)) == []
    for values in ({}, {"absence": absence, "deputy_for": hal}):
        with pytest.raises(ProgrammingError, match="somebody apart"), transaction.atomic():
            forge(request, dee, **values)
    end_absence(actor=dee, absence=absence)
    back = away(dee, hal)
    assert code_of(hal, request) in ("started_the_run", "owns_the_agent", "issued_the_key")
    with pytest.raises(ProgrammingError, match="somebody apart"), transaction.atomic():
        forge(request, hal, absence=back, deputy_for=dee)
    assert say(dee, request) == "approved"


def forge(request: ApprovalRequest, person: User, **values: Any) -> ApprovalDecision:
    """Write a decision past the service."""
    return ApprovalDecision.objects.create(
        **{
            "request": request, "verdict": "approve", "channel": "api", "digest": request.digest,
            "decided_by": person, "decided_at": timezone.now(), **values,
        }
    )  # fmt: skip


def test_a_superuser_who_owns_the_agent_names_no_deputy_either(
    company: Company, dee: User, hal: User
) -> None:
    boss = approver(company, "boss", "heads")
    User.objects.filter(pk=boss.pk).update(is_superuser=True)
    _, request = ask(company, HEADS)
    own(request, boss)
    away(boss, dee)
    assert code_of(dee, request) == "deputy_of_a_part"
    User.objects.filter(pk=dee.pk).update(is_superuser=True)
    assert code_of(dee, request) == "deputy_of_a_part"


# --- what the database holds --------------------------------------------------------------------------------


def test_the_database_takes_no_decision_by_an_absence_that_does_not_count(
    company: Company, hal: User, dee: User
) -> None:
    """Somebody else's, of another time, ended, for another tool, for who is not asked, and two of one seat."""
    now, eve = timezone.now(), approver(company, "eve")
    _, request = ask(company, {"needed": 2, "group": "heads"})
    stands = away(hal, dee)
    ended = end_absence(actor=hal, absence=away(hal, eve))
    of_eve = away(eve, dee)
    later = away(hal, eve, begins_at=now + timedelta(days=1))
    wrong: list[tuple[User, dict[str, Any]]] = [
        (eve, {"absence": stands, "deputy_for": hal}),
        (eve, {"absence": ended, "deputy_for": hal}),
        (eve, {"absence": later, "deputy_for": hal}),
        (dee, {"absence": of_eve, "deputy_for": eve}),
        (dee, {"absence": stands, "deputy_for": eve}),
        (dee, {"absence": stands, "deputy_for": hal, "decided_at": now + timedelta(days=3)}),
        (dee, {"absence": stands, "deputy_for": hal, "stage": 2}),
        (dee, {"absence": stands}),
        (dee, {"deputy_for": hal}),
    ]
    for person, values in wrong:
        with pytest.raises((ProgrammingError, IntegrityError)), transaction.atomic():
            forge(request, person, **values)
    forge(request, dee, absence=stands, deputy_for=hal)
    with pytest.raises(IntegrityError, match="decision_once_per_seat"), transaction.atomic():
        forge(request, hal)
    with pytest.raises(ProgrammingError, match="takes more people"), transaction.atomic():
        ApprovalRequest.objects.update(state="approved")


def test_an_absence_is_bounded_and_final(company: Company, hal: User, dee: User) -> None:
    absence = away(hal, dee)
    row = {
        "absent": hal, "deputy": dee, "begins_at": absence.begins_at, "ends_at": absence.ends_at,
        "declared_by": hal, "declared_at": timezone.now(), "reason": "On leave.",
    }  # fmt: skip
    for values in (
        {"ends_at": absence.begins_at + timedelta(days=30, seconds=1)},
        {"ends_at": absence.begins_at},
        {"deputy": hal},
        {"ended_at": timezone.now()},
        {"deputy": company.cast.agent.service_account},
    ):
        with pytest.raises((ProgrammingError, IntegrityError)), transaction.atomic():
            Absence.objects.create(**{**row, **values})
    end_absence(actor=hal, absence=absence)
    for change in (
        lambda: Absence.objects.update(ended_at=None),
        lambda: Absence.objects.update(ends_at=absence.ends_at + timedelta(days=1)),
        lambda: Absence.objects.all().delete(),
    ):
        with pytest.raises((ProgrammingError, IntegrityError)), transaction.atomic():
            change()


# --- guards taken away --------------------------------------------------------------------------------------


def test_without_the_look_at_whom_they_stand_in_for_a_deputy_of_a_part_approves(
    company: Company, hal: User, dee: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant in the service is stopped by the database; with both gone the refund goes out."""
    company.is_mutant = True
    AgentIdentity.objects.update(owner=hal)
    run, request = ask(company, {"needed": 1})
    AgentIdentity.objects.update(owner=company.cast.alice)
    away(hal, dee)
    rewrite(
        monkeypatch, policies, "_find_part_of_absent", "_find_first(this, absences,", "_find_first(this, [],"
    )
    with pytest.raises(ProgrammingError, match="somebody apart"):
        say(dee, request)
    with unguarded():
        assert say(dee, request) == "approved"
    assert is_refunded(company, run)


def test_without_the_seat_the_two_make_two_yeses(
    company: Company, hal: User, dee: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant in the service is stopped by the index."""
    _, request = ask(company, {"needed": 2, "group": "heads"})
    away(hal, dee)
    say(dee, request)
    rewrite(monkeypatch, policies, "_find_seat", "is_theirs and taken is None", "is_theirs")
    with pytest.raises(IntegrityError, match="decision_once_per_seat"):
        say(hal, request)


def test_without_the_gate_what_an_ended_deputy_approved_goes_out(
    company: Company, hal: User, dee: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.is_mutant = True
    for name in ("_APPROVED", "CONSUME"):
        rewrite_text(monkeypatch, gate, name, " AND s.ended_at IS NULL", "")
    absence = away(hal, dee)
    run, request = ask(company, HEADS)
    say(dee, request)
    end_absence(actor=hal, absence=absence)
    assert is_refunded(company, run)


def test_without_their_own_calls_to_approve_anybody_becomes_an_approver(
    company: Company, hal: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Service, database and gate each hold by themselves."""
    company.is_mutant = True
    olly: User = PersonFactory.create(username="olly")
    run, request = ask(company, HEADS)
    with unguarded():
        row = leave(hal, olly)
        Absence.objects.create(declared_by=hal, declared_at=timezone.now(), **row.values())
    assert code_of(olly, request) == "unknown_approval"
    monkeypatch.setattr(deputies, "approves_in_team", lambda user: ~Q(pk__in=[]))
    with pytest.raises(ProgrammingError, match="somebody apart"):
        say(olly, request)
    with unguarded():
        assert say(olly, request) == "approved"
    assert company.states(company.drive(run)) == [("refused", "approval_voided")]


def test_without_the_group_a_deputy_for_one_is_one_for_all(
    company: Company, hal: User, dee: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    friends = Group.objects.create(name="friends")
    hal.groups.add(friends)
    away(hal, dee, group=friends)
    _, request = ask(company, HEADS)
    monkeypatch.setattr(deputies, "is_asked_in", lambda group, user: seats.is_asked(user))
    with pytest.raises(ProgrammingError, match="somebody apart"):
        say(dee, request)
    with unguarded():
        assert say(dee, request) == "approved"
