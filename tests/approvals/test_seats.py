"""Every combination of people, duties, deputies and stages, against a model in plain Python."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import Error, connection, transaction
from django.utils import timezone
from guardian.shortcuts import assign_perm
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentops.errors import NotFound, PolicyDenied, StateConflict
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from approvals import deputies, gate, policies, seats
from approvals.models import (
    Absence,
    ApprovalDecision,
    ApprovalParent,
    ApprovalRequest,
    ApprovalStage,
    StageGroup,
)
from approvals.services import decide
from identities.models import STAFF_ISSUER, AgentIdentity, User
from identities.roles import AUDITOR
from tests.approvals.seat_model import DESK, HEADS, Away, Model, Somebody
from tests.cast import Cast
from tests.factories import AgentFactory, ApprovalRequestFactory, PersonFactory, ToolVersionFactory
from tests.factories.identities import PrincipalFactory
from tests.rewriting import rewrite, rewrite_text
from tools.models import Tool

pytestmark = pytest.mark.django_db

PEOPLE = 5
DUTIES = ("owner", "starter", "key issuer", "served", "owner above", "starter above", "key issuer above")
WHO = st.integers(0, PEOPLE - 1)

somebody = st.builds(
    Somebody,
    is_given=st.booleans(),
    has_others=st.sampled_from([True, True, False]),
    groups=st.frozensets(st.sampled_from([DESK, HEADS])),
    audits=st.sampled_from([False] * 7 + [True]),
)
away = st.builds(
    Away, absent=WHO, deputy=WHO, group=st.sampled_from([None, None, DESK, HEADS]),
    elsewhere=st.sampled_from([False, False, False, True]), is_now=st.sampled_from([True, True, True, False]),
).filter(lambda absence: absence.absent != absence.deputy)  # fmt: skip
stage = st.tuples(st.integers(1, 2), st.sampled_from([None, DESK, HEADS]))
presses = st.lists(st.tuples(WHO, st.sampled_from(["approve"] * 5 + ["deny"])), max_size=9)
CHANGES = (
    "lose the right",
    "leave the groups",
    "close",
    "own the agent",
    "end the absence",
    "lose the others",
    "audit",
)


@dataclass
class World:
    """The rows of a model."""

    cast: Cast
    people: list[User]
    desk: Group
    heads: Group
    other: Tool
    request: ApprovalRequest
    absences: list[Absence]

    def group(self, name: str | None) -> Group | None:
        return None if name is None else self.desk if name == DESK else self.heads

    def person(self, who: int) -> User:
        return User.objects.get(pk=self.people[who].pk)


@pytest.fixture
def people(cast: Cast) -> list[User]:
    return [PersonFactory.create(username=f"p{number}") for number in range(PEOPLE)]


@contextmanager
def made_of(
    model: Model, duties: Sequence[tuple[str, int]], cast: Cast, people: list[User]
) -> Iterator[World]:
    """Write the model's rows, and take them back behind the block."""
    with transaction.atomic():
        desk, heads = Group.objects.create(name=DESK), Group.objects.create(name=HEADS)
        request = _ask(model, dict(duties), cast, people)
        other = ToolVersionFactory.create(tool__team=cast.team).tool
        world = World(cast, people, desk, heads, other, request, [])
        if model.desk_is_given:
            assign_perm("approve_calls", desk, request.tool)
        for row, person in zip(people, model.people, strict=True):
            _give(world, row, person)
        for place, (needed, group) in enumerate(model.stages, start=1):
            asked = world.group(group)
            ladder = [[0, asked.pk if asked else None]]
            ApprovalStage.objects.create(request=request, place=place, needed=needed, ladder=ladder)
            if place == 1:
                StageGroup.objects.create(request=request, place=1, group=asked, opened_at=request.created_at)
        world.absences = [_leave(world, number, each) for number, each in enumerate(model.absences)]
        yield world
        transaction.set_rollback(True)


def _give(world: World, row: User, person: Somebody) -> None:
    for tool, is_theirs in ((world.request.tool, person.is_given), (world.other, person.has_others)):
        if is_theirs:
            assign_perm("approve_calls", row, tool)
    row.groups.set([group for name in person.groups if (group := world.group(name))])
    if person.audits:
        row.groups.add(Group.objects.get(name=AUDITOR))


def _ask(model: Model, duties: dict[str, int], cast: Cast, people: list[User]) -> ApprovalRequest:
    """Write a request in which people have these parts."""
    for duty, who in duties.items():
        model.people[who].part = "owner" if "owner" in (duty, model.people[who].part) else duty
    row = {duty: people[who] for duty, who in duties.items()}
    served = {"team": cast.team, "issuer": STAFF_ISSUER}
    if "owner" in row:
        AgentIdentity.objects.filter(pk=cast.agent.pk).update(owner=row["owner"])
    parts: dict[str, Any] = {"requested_by": row.get("starter"), "key_issuer": row.get("key issuer")}
    if "served" in row:
        parts["principal"] = PrincipalFactory.create(subject=row["served"].username, **served)
    request: ApprovalRequest = ApprovalRequestFactory.create(identity=cast.agent, needed=(), **parts)
    agent = AgentFactory.create(team=cast.team, owner=cast.alice)
    ApprovalParent.objects.create(
        request=request, place=0, subject_ref="run", identity=agent, principal=request.principal,
        owner=row.get("owner above", cast.alice), requested_by=row.get("starter above"),
        key_issuer=row.get("key issuer above"),
    )  # fmt: skip
    record(request.pk, "approval", Draft("approval.requested", request.created_at))
    return request


def _leave(world: World, number: int, absence: Away) -> Absence:
    absent, now = world.people[absence.absent], world.request.created_at
    begins_at = now if absence.is_now else now + timedelta(days=1)
    return Absence.objects.create(
        absent=absent, deputy=world.people[absence.deputy], group=world.group(absence.group),
        tool=world.other if absence.elsewhere else None, begins_at=begins_at, reason="On leave.", declared_by=absent,
        ends_at=begins_at + timedelta(days=2), declared_at=now + timedelta(microseconds=number),
    )  # fmt: skip


# --- what is compared --------------------------------------------------------------------------------------


def said(world: World) -> list[tuple[User, User, int, str]]:
    rows = ApprovalDecision.objects.filter(request=world.request).order_by("decided_at")
    return [(row.decided_by, row.deputy_for or row.decided_by, row.stage, row.verdict) for row in rows]


def check_offers(model: Model, world: World) -> None:
    """Compare whom the list offers it, and whom the decision lets."""
    for who in range(PEOPLE):
        seat, person = model.find_seat(who), world.person(who)
        request = ApprovalRequest.objects.get(pk=world.request.pk)
        offered = ApprovalRequest.objects.decidable_by(person).filter(pk=request.pk).exists()
        assert offered == (seat is not None), who
        if request.state == "waiting":
            assert policies.may_decide(person, request, second_factor=True).allowed == (seat is not None), who


def check_database(model: Model, world: World) -> None:
    """Compare what the database takes as a yes for somebody else, whoever writes it."""
    taken, deciders = {each.seat for each in model.said}, {each.who for each in model.said}
    place = ApprovalRequest.objects.get(pk=world.request.pk).stage
    for number, absence in enumerate(model.absences):
        who = absence.deputy
        fits = model.people[who].decides and model.is_apart(who) and who not in deciders
        fits = fits and absence.absent not in taken and model.may_stand_in(who, absence, place)
        assert is_taken_by_the_database(world, who, place, world.absences[number]) == fits, number
    for who in range(PEOPLE):
        fits = model.people[who].decides and model.is_apart(who) and who not in deciders | taken
        assert is_taken_by_the_database(world, who, place, None) == fits, who


def is_taken_by_the_database(world: World, who: int, place: int, absence: Absence | None) -> bool:
    values = {"absence": absence, "deputy_for": absence.absent} if absence else {}
    try:
        with transaction.atomic():
            ApprovalDecision.objects.create(
                request=world.request, decided_by=world.people[who], verdict="approve", channel="api", stage=place,
                digest=world.request.digest, decided_at=timezone.now(), **values,
            )  # fmt: skip
            transaction.set_rollback(True)
    except Error:
        return False
    return True


def is_let_out(request: ApprovalRequest) -> bool:
    """Return whether the gate finds that enough may still approve."""
    with connection.cursor() as cursor:
        cursor.execute(gate._APPROVED, {"now": timezone.now(), "approval": request.pk})
        return bool(cursor.fetchone()[5])


def change(model: Model, world: World, what: str, who: int) -> None:
    """Take something away after the decision."""
    person, row = model.people[who], world.people[who]
    if what == "lose the right":
        row.tooluserobjectpermission_set.filter(content_object=world.request.tool).delete()
        person.is_given = False
    elif what == "lose the others":
        row.tooluserobjectpermission_set.filter(content_object=world.other).delete()
        person.has_others = False
    elif what == "audit":
        row.groups.add(Group.objects.get(name=AUDITOR))
        person.audits = True
    elif what == "leave the groups":
        row.groups.clear()
        person.groups, person.audits = frozenset(), False
    elif what == "own the agent":
        AgentIdentity.objects.filter(pk=world.cast.agent.pk).update(owner=row)
        for each in model.people:
            each.part = "" if each.part == "owner" else each.part
        person.part = "owner"
    elif what == "close":
        User.objects.filter(pk=row.pk).update(is_active=False)
        person.is_active = False
        for absence in model.absences:
            absence.is_ended |= who in (absence.absent, absence.deputy)
    else:
        mine = [number for number, absence in enumerate(model.absences) if absence.deputy == who]
        Absence.objects.filter(pk__in=[world.absences[number].pk for number in mine]).filter(
            ended_at=None
        ).update(ended_at=timezone.now())
        for number in mine:
            model.absences[number].is_ended = True


Drawn = dict[str, Any]  # Any: what hypothesis draws
EVERYTHING: Drawn = {
    "persons": st.lists(somebody, min_size=PEOPLE, max_size=PEOPLE),
    "absences": st.lists(away, max_size=5),
    "stages": st.lists(stage, min_size=1, max_size=2),
    "desk_is_given": st.booleans(),
    "duties": st.lists(st.tuples(st.sampled_from(DUTIES), WHO), max_size=2),
    "pressed": presses,
    "later": st.lists(st.tuples(st.sampled_from(CHANGES), WHO), max_size=2),
}
SETTINGS = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
    max_examples=4,
    derandomize=True,
)


MANY = settings(SETTINGS, max_examples=150)


def play(cast: Cast, people: list[User], drawn: Drawn) -> None:
    """Let people press, and compare at every turn."""
    model = Model(
        [replace(each) for each in drawn["persons"]], [replace(each) for each in drawn["absences"]],
        list(drawn["stages"]), drawn["desk_is_given"],
    )  # fmt: skip
    with made_of(model, drawn["duties"], cast, people) as world:
        check_offers(model, world)
        check_database(model, world)
        for who, verdict in drawn["pressed"]:
            model.say(who, verdict)
            with suppress(PolicyDenied, StateConflict, NotFound):
                decide(
                    actor=world.person(who), request=world.request, verdict=verdict, reason="Seen.",
                    digest=world.request.digest, channel="console", second_factor=True,
                )  # fmt: skip
            assert ApprovalRequest.objects.get(pk=world.request.pk).state == model.state
        row = world.people
        assert said(world) == [(row[e.who], row[e.seat], e.stage, e.verdict) for e in model.said]
        check_offers(model, world)
        if model.state == "waiting":
            check_database(model, world)
        for what, who in drawn["later"]:
            change(model, world, what, who)
        if model.state == "approved":
            assert is_let_out(world.request) == model.lets_out


@pytest.mark.approvals
@pytest.mark.slow
@SETTINGS
@given(**EVERYTHING)
def test_services_database_and_gate_agree_with_the_model(
    cast: Cast, people: list[User], **drawn: Any
) -> None:
    play(cast, people, drawn)


@pytest.mark.slow
@pytest.mark.authority
@MANY
@given(**EVERYTHING)
def test_they_agree_in_many_more(cast: Cast, people: list[User], **drawn: Any) -> None:
    play(cast, people, drawn)


# A refund that two of the heads are asked about, one of whom is away; and what each mutant lets through there.
HEAD = Somebody(has_others=True, is_given=True, groups=frozenset({HEADS}))
PLAIN = Somebody(has_others=True)
SHOWN: Drawn = {
    "persons": [HEAD, HEAD, PLAIN, PLAIN, PLAIN], "absences": [], "stages": [(2, HEADS)], "desk_is_given": False,
    "duties": [], "pressed": [], "later": [],
}  # fmt: skip


@pytest.mark.parametrize(
    ("module", "name", "old", "new", "drawn"),
    [
        (seats, "is_taken", "Q(deputy_for=user) | ", "",
         {"absences": [Away(0, 2), Away(0, 3)], "pressed": [(2, "approve")]}),
        (deputies, "is_left_to", " & approves_in_team(absence.deputy)", "",
         {"absences": [Away(0, 2)], "persons": [HEAD, HEAD, Somebody(), PLAIN, PLAIN]}),
        (deputies, "may_stand_in", "absence.group_id is None", "True", {"absences": [Away(0, 2, group=DESK)]}),
        (deputies, "may_stand_in", " & ~is_barred", "",
         {"absences": [Away(3, 0), Away(0, 2)], "duties": [("starter", 3)]}),
        (deputies, "is_about", 'absence.tool_id', "None", {"absences": [Away(0, 2, elsewhere=True)]}),
        (deputies, "is_deputy_of_a_part", "(has_one | Q(Exists(parents.filter(has_one))))",
         "Q(pk__in=[])",
         {"absences": [Away(0, 1)], "duties": [("starter", 0)]}),
    ],
)  # fmt: skip
def test_each_condition_taken_away_is_noticed(
    cast: Cast, people: list[User], monkeypatch: pytest.MonkeyPatch, module: Any, name: str, old: str, new: str,
    drawn: Drawn,
) -> None:  # fmt: skip
    original = getattr(module, name)
    changed = rewrite(monkeypatch, module, name, old, new)
    for user in (policies, deputies, seats, __import__("approvals.querysets", fromlist=["x"])):
        for known, value in list(vars(user).items()):
            if value is original:
                monkeypatch.setattr(user, known, changed)
    with pytest.raises((AssertionError, Error)):
        play(cast, people, {**SHOWN, **drawn})


@pytest.mark.parametrize(
    ("pressed", "audits", "row"),
    [(0, 0, "u"), (2, 2, "u"), (2, 0, "h")],
    ids=["alone", "the deputy", "the absent"],
)
def test_a_gate_that_takes_the_yes_of_who_has_become_an_auditor_is_noticed(
    cast: Cast, people: list[User], monkeypatch: pytest.MonkeyPatch, pressed: int, audits: int, row: str
) -> None:
    drawn = {**SHOWN, "stages": [(1, HEADS)], "pressed": [(pressed, "approve")], "later": [("audit", audits)]}
    drawn["absences"] = [Away(0, 2)] if pressed == 2 else []
    play(cast, people, drawn)
    rewrite_text(
        monkeypatch, gate, "_APPROVED", f"{row}.id AND r.name = 'auditor'", f"{row}.id AND r.name = ''"
    )
    with pytest.raises(AssertionError):
        play(cast, people, drawn)
