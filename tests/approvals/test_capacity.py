"""How much a team's people can review, as somebody has said."""

from __future__ import annotations

import pytest
from django.db import connection
from guardian.shortcuts import assign_perm

from agentops.errors import AgentOpsError, NotFound, PolicyDenied, ValidationFailed
from approvals.capacity import MOST_PER_HOUR, ReviewLoad, is_bounded, read_loads, set_review_capacity
from approvals.models import ReviewCapacity
from identities.models import User
from tests.cast import Cast
from tests.factories import ToolFactory
from tests.factories.permissions import let, permission_for
from tests.ledger import last_entry
from tools.models import Tool

pytestmark = pytest.mark.django_db


def set_to(cast: Cast, number: int | None, actor: User | None = None) -> ReviewCapacity | None:
    return set_review_capacity(actor=actor or cast.ada, team=cast.team, per_approver_hour=number)


def load_of(cast: Cast) -> ReviewLoad | None:
    with connection.cursor() as cursor:
        return read_loads(cursor, [cast.team.pk]).get(cast.team.pk)


def test_it_is_set_changed_and_taken_away(cast: Cast) -> None:
    assert not is_bounded(cast.team.pk)
    first = set_to(cast, 20)
    assert first is not None
    assert (first.per_approver_hour, first.set_by) == (20, cast.ada)
    entry = last_entry(cast.team.pk)
    assert (entry.kind, entry.facts) == ("review_capacity.set", {"per_approver_hour": 20, "before": None})
    set_to(cast, 5)
    assert last_entry(cast.team.pk).facts == {"per_approver_hour": 5, "before": 20}
    assert is_bounded(cast.team.pk)
    assert set_to(cast, None) is None
    assert not is_bounded(cast.team.pk)


def test_the_same_again_is_no_act(cast: Cast) -> None:
    set_to(cast, 20)
    before = last_entry(cast.team.pk).seq
    set_to(cast, 20)
    assert last_entry(cast.team.pk).seq == before


@pytest.mark.parametrize("number", [0, -1, MOST_PER_HOUR + 1, True, 2.5, "3"])
def test_what_is_no_such_number_is_refused(cast: Cast, number: int) -> None:
    with pytest.raises(ValidationFailed):
        set_to(cast, number)


def test_who_may_not_is_refused(cast: Cast) -> None:
    for nobody in (cast.bob, cast.charlie, cast.fiona, cast.application.service_account):
        with pytest.raises((PolicyDenied, NotFound, AgentOpsError)):
            set_to(cast, 20, nobody)
    assert not is_bounded(cast.team.pk)


def test_approvers_are_those_who_could_decide_about_something(cast: Cast) -> None:
    set_to(cast, 10)
    assert load_of(cast) == ReviewLoad(10, 0, 0)
    refund, cancel = (ToolFactory.create(team=cast.team, name=name) for name in ("refund", "cancel"))
    for tool in (refund, cancel):
        let(cast.fiona, "approve_calls", tool)  # counts once
    assign_perm(permission_for("approve_calls", Tool), cast.finance, refund)
    cast.finance.user_set.set([cast.bob, cast.fiona])
    found = load_of(cast)
    assert found is not None
    assert (found.approvers, found.capacity) == (2, 20)
    cast.bob.is_active = False
    cast.bob.save()
    let(cast.charlie, "approve_calls", ToolFactory.create(team=cast.other_team, name="ship"))
    found = load_of(cast)
    assert found is not None
    assert found.approvers == 1


def test_what_others_teams_can_review_is_not_seen(cast: Cast) -> None:
    set_to(cast, 10)
    assert ReviewCapacity.objects.visible_to(cast.bob).count() == 1
    assert ReviewCapacity.objects.visible_to(cast.charlie).count() == 0
    assert ReviewCapacity.objects.visible_to(cast.application.service_account).count() == 0
