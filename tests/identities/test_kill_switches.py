"""Who may throw kill switches, and what the record keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.db import IntegrityError, transaction

from agentops.errors import NotFound, PolicyDenied, StateConflict, ValidationFailed
from identities.models import KillSwitch, Principal, User
from identities.services import lift_switch, throw_switch
from tests.cast import Cast
from tests.ledger import last_entry

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann(cast: Cast) -> Principal:
    return Principal.objects.create(team=cast.team, issuer="https://shop.example", subject="ann")


def throw(actor: User, scope: str = "everything", target: str = "", reason: str = "It burns.") -> KillSwitch:
    return throw_switch(actor=actor, scope=scope, target=target, reason=reason)


def test_whoever_is_appointed_throws_and_lifts(cast: Cast) -> None:
    let_throw(cast.bob)
    switch = throw(cast.bob)
    entry = last_entry(switch.pk)
    assert (entry.kind, entry.facts, entry.content) == (
        "switch.thrown", {"scope": "everything", "target": ""}, {"reason": "It burns."},
    )  # fmt: skip
    lifted = lift_switch(actor=cast.bob, switch=switch, reason="It is out.")
    assert (lifted.state, lifted.lifted_by, last_entry(switch.pk).kind) == (
        "lifted",
        cast.bob,
        "switch.lifted",
    )


def let_throw(*people: User) -> None:
    right = Permission.objects.get(codename="throw_killswitch")
    for person in people:
        person.user_permissions.add(right)


def closed(person: User) -> User:
    person.is_active = False
    person.save()
    return person


OUTSIDERS: dict[str, Callable[[Cast], User]] = {
    "without the right": lambda cast: cast.bob,
    "closed account": lambda cast: closed(cast.ada),
    "agent": lambda cast: cast.agent.service_account,
    "application": lambda cast: cast.application.service_account,
}


@pytest.mark.parametrize("who", OUTSIDERS.values(), ids=OUTSIDERS)
@pytest.mark.parametrize("scope", ["everything", "principal", "provider"])
def test_nobody_else_may(cast: Cast, ann: Principal, who: Callable[[Cast], User], scope: str) -> None:
    target = {"everything": "", "principal": str(ann.pk), "provider": "openai"}[scope]
    switch = throw(cast.ada, scope, target)
    outsider = who(cast)
    with pytest.raises(PolicyDenied):
        throw(outsider, scope, target)
    with pytest.raises(PolicyDenied):
        lift_switch(actor=outsider, switch=switch, reason="Why not?")
    switch.refresh_from_db()
    assert switch.state == "thrown"


def test_an_end_user_is_stopped_by_their_team_only(cast: Cast, ann: Principal) -> None:
    let_throw(cast.bob, cast.charlie)
    with pytest.raises(PolicyDenied):
        throw(cast.charlie, "principal", str(ann.pk))
    switch = throw(cast.bob, "principal", str(ann.pk))
    assert switch.team == cast.team
    assert list(KillSwitch.objects.visible_to(cast.charlie)) == []
    assert list(KillSwitch.objects.visible_to(cast.bob)) == [switch]


FAULTS: list[tuple[dict[str, Any], type[Exception]]] = [
    ({"reason": " \u200b"}, ValidationFailed),
    ({"scope": "nothing"}, ValidationFailed),
    ({"scope": "credential", "target": "x"}, ValidationFailed),
    ({"target": "something"}, StateConflict),
    ({"scope": "provider"}, StateConflict),
    ({"scope": "provider", "target": "x" * 65}, ValidationFailed),
    ({"scope": "principal", "target": "ann"}, NotFound),
    ({"scope": "principal", "target": str(uuid4())}, NotFound),
]


@pytest.mark.parametrize(("fault", "error"), FAULTS)
def test_a_switch_needs_a_reason_and_a_target_that_fits(
    cast: Cast, fault: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        throw(cast.ada, **fault)
    assert not KillSwitch.objects.exists()


def test_it_is_thrown_once_at_a_time_and_lifted_once(cast: Cast) -> None:
    switch = throw(cast.ada)
    with pytest.raises(StateConflict):
        throw(cast.ada)
    lift_switch(actor=cast.ada, switch=switch, reason="Over.")
    with pytest.raises(StateConflict):
        lift_switch(actor=cast.ada, switch=switch, reason="Over.")
    with pytest.raises(ValidationFailed):
        lift_switch(actor=cast.ada, switch=throw(cast.ada), reason="")


def test_the_database_refuses_a_second_one(cast: Cast) -> None:
    throw(cast.ada)
    with pytest.raises(IntegrityError), transaction.atomic():
        KillSwitch.objects.create(scope="everything", target="", thrown_by=cast.ada)
