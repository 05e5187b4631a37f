"""Who answers for an agent, and that somebody looks at it again: in time, or it stops."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError
from django.utils import timezone

from agentops.errors import AgentOpsError, PolicyDenied, StateConflict, ValidationFailed
from identities.models import AgentIdentity, User
from identities.services import (
    activate_agent,
    create_agent,
    recertify_agent,
    revoke_agent,
    suspend_agent,
    update_agent,
)
from identities.services.agents import suspend_unlooked_at_agent
from identities.tasks import suspend_unlooked_at
from tests.cast import Cast
from tests.console.visits import page_of, sign_in, text_of
from tests.factories import AgentFactory
from tests.ledger import kinds_of, last_entry

DAY = timedelta(days=1)


def sponsored(cast: Cast, **fields: Any) -> AgentIdentity:  # Any: fields of the agent
    people = {"owner": cast.alice, "sponsor": cast.bob}
    return AgentFactory.create(team=cast.team, **{**people, **fields})


def recertify(
    actor: User, agent: AgentIdentity, days: int = 90, looked_at: str = "Its grants."
) -> AgentIdentity:
    end = timezone.now() + days * DAY
    return recertify_agent(actor=actor, agent=agent, recertify_by=end, looked_at=looked_at)


def test_the_first_of_both_ends_is_what_counts(cast: Cast) -> None:
    now = timezone.now()
    fields: dict[str, Any] = {
        "team": cast.team,
        "name": "n",
        "purpose": "p",
        "owner": cast.alice,
        "sponsor": cast.bob,
    }
    agent = create_agent(
        actor=cast.alice, slug="twice", expires_at=now + 9 * DAY, recertify_by=now + 5 * DAY, **fields
    )
    assert agent.expires_at == now + 5 * DAY
    recertify(cast.bob, agent, 30)
    agent.refresh_from_db()
    assert agent.expires_at == now + 9 * DAY == agent.ends_at
    assert last_entry(agent.id).content == {"looked_at": "Its grants."}


@pytest.mark.parametrize("end", ["ends_at", "recertify_by"])
@pytest.mark.parametrize("later", [None, 6 * DAY])
def test_no_row_outlives_a_date(cast: Cast, end: str, later: timedelta | None) -> None:
    now = timezone.now()
    agent = sponsored(cast, **{end: now + 5 * DAY})
    with pytest.raises(IntegrityError, match=f"agent_expires_by_{end}"):
        AgentIdentity.objects.filter(pk=agent.pk).update(expires_at=later and now + later)


def test_no_row_has_its_owner_as_its_sponsor(cast: Cast) -> None:
    with pytest.raises(IntegrityError, match="agent_sponsor_is_not_its_owner"):
        sponsored(cast, sponsor=cast.alice)


@pytest.mark.parametrize(
    ("sponsor", "word"), [("alice", "another person"), ("agent", "active person"), ("gone", "active person")]
)
def test_a_sponsor_is_another_active_person(cast: Cast, sponsor: str, word: str) -> None:
    agent = sponsored(cast)
    chosen = agent.service_account if sponsor == "agent" else getattr(cast, sponsor, cast.fiona)
    User.objects.filter(pk=cast.fiona.pk).update(is_active=False)
    cast.fiona.refresh_from_db()
    with pytest.raises(ValidationFailed, match=word):
        update_agent(
            actor=cast.alice,
            agent=agent,
            name="n",
            purpose="p",
            owner=cast.alice,
            expires_at=None,
            sponsor=chosen,
        )


@pytest.mark.parametrize("who", ["owner", "sponsor"])
def test_who_has_left_is_replaced_before_the_agent_acts_again(cast: Cast, who: str) -> None:
    agent = sponsored(cast, state="suspended")
    User.objects.filter(pk=getattr(agent, who).pk).update(is_active=False)
    with pytest.raises(ValidationFailed, match=who):
        activate_agent(actor=cast.ada, agent=agent)
    home = text_of(sign_in(cast.ada).get("/admin/"))
    assert f"Its {who} {getattr(agent, who)} has left." in home
    page = text_of(sign_in(cast.ada).get(page_of("identities_agentidentity", "change", agent.pk)))
    assert f"Its {who} has left." in page


def test_the_sponsor_stops_the_agent(cast: Cast) -> None:
    assert suspend_agent(actor=cast.bob, agent=sponsored(cast)).state == "suspended"


@pytest.mark.parametrize("name", ["bob", "ada"])
def test_sponsor_or_operator_recertifies(cast: Cast, name: str) -> None:
    agent = sponsored(cast, recertify_by=timezone.now() + DAY)
    recertify(getattr(cast, name), agent)
    agent.refresh_from_db()
    assert agent.recertify_by is not None
    assert agent.recertify_by > timezone.now() + 80 * DAY
    assert last_entry(agent.id).kind == "agent.recertified"


@pytest.mark.parametrize("name", ["alice", "charlie", "fiona"])  # Alice operates it, and owns it
def test_nobody_else_recertifies(cast: Cast, name: str) -> None:
    agent = sponsored(cast)
    with pytest.raises(PolicyDenied):
        recertify(getattr(cast, name), agent)
    page = page_of("identities_agentidentity", "recertify", agent.pk)
    assert sign_in(getattr(cast, name)).post(page, {}).status_code == 302
    assert kinds_of(agent.id) == []


@pytest.mark.parametrize(("days", "looked_at"), [(-1, "x"), (400, "x"), (10, " ")])
def test_an_empty_look_is_none(cast: Cast, days: int, looked_at: str) -> None:
    with pytest.raises(ValidationFailed):
        recertify(cast.bob, sponsored(cast), days, looked_at)


def test_a_date_is_only_put_off_by_who_looks(cast: Cast) -> None:
    due = timezone.now() + 5 * DAY
    agent = sponsored(cast, recertify_by=due)
    same: dict[str, Any] = {
        "actor": cast.alice,
        "agent": agent,
        "name": "n",
        "purpose": "p",
        "owner": cast.alice,
    }
    with pytest.raises(StateConflict, match="recertifies"):
        update_agent(**same, expires_at=None, recertify_by=due + DAY)
    update_agent(**same, expires_at=due + 9 * DAY)
    agent.refresh_from_db()
    assert (agent.recertify_by, agent.expires_at) == (due, due)


def test_an_agent_that_nobody_looked_at_is_suspended_once(cast: Cast) -> None:
    late = sponsored(cast, recertify_by=timezone.now() - DAY)
    sponsored(cast, slug="in-time", recertify_by=timezone.now() + DAY)
    assert not late.may_act(timezone.now())  # before anybody came by
    assert (suspend_unlooked_at(), suspend_unlooked_at()) == (1, 0)
    late.refresh_from_db()
    assert (late.state, kinds_of(late.id)) == ("suspended", ["agent.suspended"])
    entry = last_entry(late.id)
    assert entry.actor is None
    assert "Nobody recertified it by" in str(entry.content)


def test_it_acts_again_once_looked_at_and_activated(cast: Cast) -> None:
    agent = sponsored(cast, state="suspended", recertify_by=timezone.now() - DAY)
    with pytest.raises(StateConflict, match="recertified first"):
        activate_agent(actor=cast.alice, agent=agent)
    epoch = agent.service_account.token_epoch
    recertify(cast.bob, agent)
    assert activate_agent(actor=cast.alice, agent=agent).may_act(timezone.now())
    assert User.objects.get(pk=agent.service_account_id).token_epoch > epoch


def test_a_revoked_agent_is_not_recertified(cast: Cast) -> None:
    agent = sponsored(cast)
    revoke_agent(actor=cast.alice, agent=agent)
    with pytest.raises(AgentOpsError, match="revoked"):
        recertify(cast.bob, agent)


def test_the_page_recertifies(cast: Cast) -> None:
    agent = sponsored(cast, recertify_by=timezone.now() + DAY)
    client = sign_in(cast.bob)
    form = {"looked_at": "What it may do.", "recertify_by": f"{timezone.now() + 30 * DAY:%Y-%m-%d}"}
    page = page_of("identities_agentidentity", "recertify", agent.pk)
    assert "is recertified until" in text_of(client.post(page, form, follow=True))
    assert client.post(page, {"looked_at": "", "recertify_by": "soon"}).status_code == 422


def test_the_page_names_somebody_else_who_answers_for_it(cast: Cast) -> None:
    agent = sponsored(cast)
    User.objects.filter(pk=cast.alice.pk).update(is_active=False)  # the owner has left
    client = sign_in(cast.ada)
    assert "Name another person" in text_of(
        client.get(page_of("identities_agentidentity", "change", agent.pk))
    )
    page = page_of("identities_agentidentity", "edit", agent.pk)
    form = {"name": "Other", "purpose": "Other.", "owner": cast.fiona.pk, "expires_at": ""}
    assert "Other: changed." in text_of(client.post(page, form, follow=True))
    agent.refresh_from_db()
    assert (agent.owner, agent.sponsor, agent.name) == (cast.fiona, cast.bob, "Other")
    for wrong in (
        {"owner": cast.alice.pk},
        {"owner": cast.charlie.pk},
        {"sponsor": cast.fiona.pk},
        {"name": ""},
    ):
        assert client.post(page, {**form, **wrong}).status_code == 422
    assert sign_in(cast.ada, seconds_ago=600).post(page, {**form, "owner": cast.bob.pk}).status_code == 422
    assert sign_in(cast.bob).post(page, form).status_code == 302
    agent.refresh_from_db()
    assert (agent.owner, kinds_of(agent.id)) == (cast.fiona, ["agent.updated"])


def test_who_was_looked_at_a_moment_ago_goes_on(cast: Cast) -> None:
    agent = sponsored(cast, recertify_by=timezone.now() + DAY)  # it was late when it was found
    assert suspend_unlooked_at_agent(agent=agent).state == "active"
