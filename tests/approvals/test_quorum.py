"""Several people, one stage after another, and who else is asked once nobody has answered."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import ProgrammingError, connection, transaction
from django.utils import timezone
from guardian.shortcuts import assign_perm, remove_perm
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentops.errors import AgentOpsError, PolicyDenied, StateConflict, ValidationFailed
from approvals import gate, stages
from approvals.governing import Ruling, set_approval_rule
from approvals.models import ApprovalDecision, ApprovalRequest, ApprovalStage, StageGroup
from approvals.services import decide, read_reasons
from approvals.stages import StageShown, read_stages
from identities.models import User
from runs.models import Run
from tests.approvals.bending import unguarded
from tests.approvals.conftest import company
from tests.cast import Cast
from tests.factories import ApprovalRequestFactory, PersonFactory
from tests.rewriting import rewrite
from tests.runs.company import ORDER, Company, proposes, says

__all__ = ["company"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.approvals, pytest.mark.slow]


def approver(company: Company, name: str, *groups: str) -> User:
    """Return somebody who has the refunds to approve."""
    person: User = PersonFactory.create(username=name)
    company.cast.team.members.add(person)
    assign_perm("approve_calls", person, company.versions[0].tool)
    for group in groups:
        person.groups.add(Group.objects.get_or_create(name=group)[0])
    return person


@pytest.fixture
def refund(company: Company) -> None:
    company.add_tool("refund", effect="irreversible", grant="REQUIRE_APPROVAL", grant_approval_ttl_s=3600)


def ask(company: Company, *listed: dict[str, Any], **rule: Any) -> tuple[Run, ApprovalRequest]:
    """Have a refund wait that falls under a rule with these stages."""
    ruling = Ruling("Refunds", listed, **rule)
    set_approval_rule(actor=company.cast.ada, team=company.cast.team, place=1, ruling=ruling)
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    return run, ApprovalRequest.objects.get(state="waiting")


def say(person: User, request: ApprovalRequest, verdict: str = "approve", **changes: Any) -> str:
    """Have somebody decide; return how the request stands."""
    person = User.objects.get(pk=person.pk)
    values: dict[str, Any] = {
        "reason": "looked at it", "digest": request.digest, "channel": "console", "second_factor": True, **changes,
    }  # fmt: skip
    return decide(actor=person, request=request, verdict=verdict, **values).state


def shown(request: ApprovalRequest) -> list[StageShown]:
    return read_stages([ApprovalRequest.objects.get(pk=request.pk)])[request.pk]


def code_of(person: User, request: ApprovalRequest, **changes: Any) -> str:
    with pytest.raises(AgentOpsError) as refused:
        say(person, request, **changes)
    return refused.value.code


# --- m of n ------------------------------------------------------------------------------------------------


def test_two_people_of_three(company: Company, refund: None) -> None:
    one, two, three = (approver(company, name) for name in ("uma", "vic", "wim"))
    run, request = ask(company, {"needed": 2})
    assert say(one, request) == "waiting"
    assert company.states(company.drive(run))[0][0] == "waiting"
    assert code_of(one, request) == "decided_already"
    assert list(ApprovalRequest.objects.decidable_by(one)) == []
    assert list(ApprovalRequest.objects.decidable_by(two)) == [request]
    assert say(two, request) == "approved"
    assert code_of(three, request) == "approval_decided"
    run = company.drive(run)
    assert company.states(run)[0][0] == "succeeded"
    assert len(company.world.effects) == 1
    assert read_reasons(request) == {one.pk: "looked at it", two.pk: "looked at it"}


def test_one_who_denies_ends_it_and_the_agent_reads_the_last_words(company: Company, refund: None) -> None:
    one, two = approver(company, "uma"), approver(company, "vic")
    run, request = ask(company, {"needed": 2})
    say(one, request)
    assert say(two, request, "deny", reason="it is not late") == "denied"
    run = company.drive(run)
    assert company.observations() == [
        {"error": "denied_by_human", "detail": "a person denied this: it is not late"}
    ]
    assert company.world.attempts == []


def test_each_part_in_a_run_is_apart_from_every_seat(company: Company, refund: None) -> None:
    """Owner, starter, end user: none of them counts, superusers neither, and the database says so too."""
    one = approver(company, "uma")
    _, request = ask(company, {"needed": 2})
    say(one, request)
    owner = company.cast.alice
    company.let_decide(request.tool, owner)
    assert code_of(owner, request) == "owns_the_agent"
    values = {
        "request": request,
        "verdict": "approve",
        "channel": "api",
        "digest": request.digest,
        "decided_at": timezone.now(),
    }
    for who in (owner, company.cast.agent.service_account):
        with pytest.raises(ProgrammingError, match="somebody apart"), transaction.atomic():
            ApprovalDecision.objects.create(decided_by=who, **values)
    for change in (
        lambda: ApprovalDecision.objects.update(verdict="deny"),
        lambda: ApprovalDecision.objects.all().delete(),
        lambda: ApprovalStage.objects.update(needed=1),
        lambda: ApprovalStage.objects.filter(request=request).delete(),
        lambda: StageGroup.objects.filter(request=request).delete(),
        lambda: ApprovalRequest.objects.update(state="approved"),
    ):
        with pytest.raises(ProgrammingError), transaction.atomic():
            change()
    assert say(approver(company, "vic"), request) == "approved"


def test_who_leaves_after_their_yes_has_given_none(company: Company, refund: None) -> None:
    one, two = approver(company, "uma"), approver(company, "vic")
    run, request = ask(company, {"needed": 2})
    say(one, request)
    say(two, request)
    remove_perm("approve_calls", one, request.tool)
    run = company.drive(run)
    assert company.states(run) == [("refused", "approval_voided")]
    assert company.world.attempts == []


def test_a_state_without_the_people_lets_nothing_out(company: Company, refund: None) -> None:
    """The trigger is off, and the gate still counts who has signed on the record."""
    one = approver(company, "uma")
    run, request = ask(company, {"needed": 2})
    say(one, request)
    with unguarded():
        ApprovalRequest.objects.update(state="approved", decided_at=timezone.now())
    run = company.drive(run)
    assert company.states(run) == [("refused", "approval_not_recorded")]
    assert company.world.attempts == []


def test_a_request_that_lost_its_stages_has_asked_nobody(company: Company, refund: None) -> None:
    one = approver(company, "uma")
    run, request = ask(company, {"needed": 1})
    say(one, request)
    with unguarded():
        StageGroup.objects.all().delete()
        ApprovalStage.objects.all().delete()
    run = company.drive(run)
    assert company.states(run) == [("refused", "approval_not_recorded")]


def test_many_at_once_are_counted_once_each(company: Company, refund: None) -> None:
    people = [approver(company, f"p{number}") for number in range(6)]
    run, request = ask(company, {"needed": 3})
    barrier, ends = threading.Barrier(12), []

    def press(person: User) -> None:
        barrier.wait()
        try:
            ends.append(say(person, request))
        except AgentOpsError as error:
            ends.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=press, args=(person,)) for person in people * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ends.count("approved") == 1
    assert ends.count("waiting") == 2
    assert ApprovalDecision.objects.count() == 3
    company.drive(run)
    assert len(company.world.effects) == 1


# --- what else a rule asks ---------------------------------------------------------------------------------


def test_a_reason_where_the_rule_asks_for_one(company: Company, refund: None) -> None:
    one = approver(company, "uma")
    _, request = ask(company, {"needed": 1}, reason_required=True)
    with pytest.raises(ValidationFailed):
        say(one, request, reason=" ")
    assert say(one, request, reason="seen the receipt") == "approved"


def test_a_key_where_the_rule_asks_for_one(company: Company, refund: None) -> None:
    one = approver(company, "uma")
    _, request = ask(company, {"needed": 1}, factor="key")
    assert code_of(one, request) == "key_required"
    assert code_of(one, request, second_factor=False) == "second_factor_required"
    assert say(one, request, signature={"credential": "c", "digest": "d"}) == "approved"


def test_a_rule_that_does_not_fit_leaves_one_yes(company: Company, refund: None) -> None:
    one = approver(company, "uma")
    run, request = ask(company, {"needed": 3}, effect="reversible")
    assert request.rule is None
    assert say(one, request) == "approved"
    assert company.states(company.drive(run))[0][0] == "succeeded"


# --- all combinations --------------------------------------------------------------------------------------


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(
    needed=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    presses=st.lists(
        st.tuples(st.integers(0, 6), st.sampled_from(["approve", "approve", "approve", "deny"])), max_size=14
    ),
)
def test_it_is_approved_just_when_every_stage_has_its_people(
    cast: Cast, needed: list[int], presses: Sequence[tuple[int, str]]
) -> None:
    """A model beside it: stages are filled in order by different people, and one denial ends it."""
    request: ApprovalRequest = ApprovalRequestFactory.create(identity=cast.agent, needed=needed)
    people: list[User] = [PersonFactory.create() for _ in range(7)]
    for person in people:
        assign_perm("approve_calls", person, request.tool)
    said: set[int] = set()
    filled, state = [0] * len(needed), "waiting"
    for who, verdict in presses:
        if state == "waiting" and who not in said:
            said.add(who)
            place = next(place for place, count in enumerate(needed) if filled[place] < count)
            filled[place] += verdict == "approve"
            state = "denied" if verdict == "deny" else "approved" if filled == needed else "waiting"
        with suppress(PolicyDenied, StateConflict):
            say(people[who], request, verdict)
        request.refresh_from_db()
        assert request.state == state


# --- guards taken away -------------------------------------------------------------------------------------


def test_without_counting_the_first_yes_is_enough(
    company: Company, refund: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutants: the service, the database and the gate each hold by themselves, so all three have to go."""
    one = approver(company, "uma")
    run, request = ask(company, {"needed": 2})
    rewrite(monkeypatch, stages, "advance", "if count_yes(request) < stages[0].needed:", "if False:")
    monkeypatch.setattr("approvals.services.advance", stages.advance)
    with pytest.raises(ProgrammingError, match="takes more people"):
        say(one, request)
    with unguarded():
        assert say(one, request) == "approved"
    company.is_mutant = True
    assert company.states(company.drive(run)) == [("refused", "approval_not_recorded")]


def test_without_the_gates_count_one_yes_lets_it_out(
    company: Company, refund: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.is_mutant = True
    one = approver(company, "uma")
    run, request = ask(company, {"needed": 2})
    say(one, request)
    with unguarded():
        ApprovalRequest.objects.update(state="approved", decided_at=timezone.now())
    for name in ("_APPROVED", "CONSUME", "_STATES"):
        monkeypatch.setattr(gate, name, getattr(gate, name).replace("s.needed > (", "1 > ("))
    assert company.states(company.drive(run))[0][0] == "succeeded"
