"""What the database holds of a request by itself: it stays what was asked, and its course goes one way only."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import ProgrammingError, connection, transaction
from django.utils import timezone

from agentops.errors import PolicyDenied
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from approvals.models import ApprovalParent, ApprovalRequest
from approvals.services import decide
from identities.models import AgentIdentity, User
from runs.models import Run
from tests.approvals.bending import unguarded
from tests.cast import Cast
from tests.factories import AgentFactory, ApprovalRequestFactory
from tests.factories.approvals import record_decision
from tests.runs.company import Company

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.approvals]

State = ApprovalRequest.State
COURSE = {"state", "stage", "stage_at", "escalates_at", "decided_at", "consumed_at"}
ASKED = [field.column for field in ApprovalRequest._meta.concrete_fields if field.column not in COURSE]
OF_PARENT = [field.column for field in ApprovalParent._meta.concrete_fields if field.name != "pk"]
# Another value of each type of column.
ANOTHER = {
    "uuid": "gen_random_uuid()",
    "varchar": "left(md5(coalesce({0}, '')), 8)",
    "timestamp with time zone": "coalesce({0}, now()) + interval '1 day'",
    "numeric": "coalesce({0}, 0) + 1",
    "integer": "{0} + 1",
    "smallint": "{0} + 1",
    "boolean": "NOT {0}",
}


def bend(model: type[ApprovalRequest | ApprovalParent], column: str) -> None:
    """Give a column another value, as the application's role."""
    field = next(each for each in model._meta.concrete_fields if each.column == column)
    kind = str(field.db_type(connection)).partition("(")[0]
    value = ANOTHER[kind].format(column)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE {model._meta.db_table} SET {column} = {value}")  # noqa: S608  the model's own names


def is_refused(deed: Callable[[], object]) -> bool:
    try:
        with transaction.atomic():
            deed()
    except ProgrammingError as error:
        return "is final" in str(error)
    return False


def write(request: ApprovalRequest, **values: Any) -> Callable[[], object]:
    return lambda: ApprovalRequest.objects.filter(pk=request.pk).update(**values)


# --- what was asked ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["waiting", "approved", "denied"])
@pytest.mark.parametrize("column", ASKED)
def test_what_was_asked_stays(cast: Cast, column: str, state: str) -> None:
    ApprovalRequestFactory.create(identity=cast.agent, state=state)
    with pytest.raises(ProgrammingError, match=r"what was asked in approval .* is final: UPDATE refused"):
        bend(ApprovalRequest, column)


def test_it_is_not_hidden_under_a_step_of_its_course(cast: Cast) -> None:
    request = ApprovalRequestFactory.create(identity=cast.agent)
    for step in ({"state": "denied", "decided_at": timezone.now()}, {"escalates_at": timezone.now()}):
        assert is_refused(write(request, requested_by=cast.bob, **step))


def test_a_request_is_not_deleted(cast: Cast) -> None:
    request = ApprovalRequestFactory.create(identity=cast.agent, needed=())
    assert is_refused(ApprovalRequest.objects.filter(pk=request.pk).delete)


# --- its course --------------------------------------------------------------------------------------------

MOVES = {(State.WAITING, end) for end in State if end != State.WAITING} | {(State.APPROVED, State.VOIDED)}


@pytest.mark.parametrize("begin", State)
def test_it_goes_on_and_never_back(cast: Cast, begin: State) -> None:
    for end in State:
        if end == begin:
            continue
        request = ApprovalRequestFactory.create(identity=cast.agent, state=begin, decided_at=timezone.now())
        record_decision(request)
        assert is_refused(write(request, state=end, decided_at=timezone.now())) == ((begin, end) not in MOVES)


def test_no_other_state_is_made_up(cast: Cast) -> None:
    request = ApprovalRequestFactory.create(identity=cast.agent)
    assert is_refused(write(request, state="agreed", decided_at=timezone.now()))


def test_the_time_of_a_decision_comes_with_it_and_stays(cast: Cast) -> None:
    now = timezone.now()
    request = ApprovalRequestFactory.create(identity=cast.agent)
    assert is_refused(write(request, decided_at=now))
    assert is_refused(write(request, state="expired"))
    write(request, state="expired", decided_at=now)()
    assert is_refused(write(request, decided_at=now + timedelta(days=1)))


@pytest.mark.parametrize("state", [state for state in State if state != State.APPROVED])
def test_only_an_approval_is_spent(cast: Cast, state: State) -> None:
    request = ApprovalRequestFactory.create(identity=cast.agent, state=state)
    assert is_refused(write(request, consumed_at=timezone.now()))


def test_an_approval_is_spent_once(cast: Cast) -> None:
    now = timezone.now()
    request = ApprovalRequestFactory.create(identity=cast.agent, state="approved", decided_at=now)
    write(request, consumed_at=now)()
    for value in (None, now + timedelta(seconds=1)):
        assert is_refused(write(request, consumed_at=value))
    assert is_refused(write(request, consumed_at=None, state="voided"))


def test_stages_follow_one_after_another_while_it_waits(cast: Cast) -> None:
    request = ApprovalRequestFactory.create(identity=cast.agent, needed=(1, 1, 1))
    begun, later = request.created_at, request.created_at + timedelta(seconds=1)
    for values in (
        {"stage": 3, "stage_at": later},
        {"stage": 2, "stage_at": None},
        {"stage": 2, "stage_at": begun - timedelta(seconds=1)},
        {"stage_at": later},
        {"stage_at": None},
    ):
        assert is_refused(write(request, **values)), values
    write(request, stage=2, stage_at=later, escalates_at=later)()
    assert is_refused(write(request, stage=1, stage_at=later))
    write(request, escalates_at=None)()
    write(request, state="denied", decided_at=later)()
    for values in ({"stage": 3, "stage_at": later}, {"escalates_at": later}):
        assert is_refused(write(request, **values)), values


# --- for whom it acts --------------------------------------------------------------------------------------


def make_parent(request: ApprovalRequest, place: int = 0) -> ApprovalParent:
    agent = AgentFactory.create(team=request.team)
    return ApprovalParent.objects.create(
        request=request, place=place, subject_ref="run", identity=agent, owner=agent.owner, principal=request.principal
    )  # fmt: skip


@pytest.mark.parametrize("column", OF_PARENT)
def test_for_whom_it_acts_stays(cast: Cast, column: str) -> None:
    make_parent(ApprovalRequestFactory.create(identity=cast.agent))
    with pytest.raises(ProgrammingError, match="for whom a request acts is final: UPDATE refused"):
        bend(ApprovalParent, column)


def test_nobody_is_taken_out_of_it_or_put_there_later(cast: Cast) -> None:
    request = ApprovalRequestFactory.create(identity=cast.agent)
    make_parent(request)
    assert is_refused(ApprovalParent.objects.filter(request=request).delete)
    with transaction.atomic():
        record(request.pk, "approval", Draft("approval.requested", timezone.now()))
    assert is_refused(lambda: make_parent(request, 1))


# --- the mutant --------------------------------------------------------------------------------------------


def approve(request: ApprovalRequest, person: User) -> None:
    decide(
        actor=person, request=request, verdict="approve", reason="", digest=request.digest, channel="api",
        second_factor=True,
    )  # fmt: skip


def test_without_the_guard_who_owned_the_agent_is_written_out_of_it_and_approves(
    company: Company, run: Run, waiting: ApprovalRequest
) -> None:
    """All else that keeps the parts apart believes the row."""
    alice = company.cast.alice
    company.let_decide(waiting.tool, alice)
    AgentIdentity.objects.update(owner=company.cast.bob)
    with pytest.raises(PolicyDenied, match="owner"):
        approve(waiting, alice)
    assert is_refused(write(waiting, owner=None))
    with unguarded():
        write(waiting, owner=None)()
    approve(waiting, alice)
    company.drive(run)
    assert "refund" in company.world.attempts
