"""Drafting, publishing and retiring agent versions; what is published stays as it is."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import InternalError, ProgrammingError, connection, transaction

from agentops.errors import PolicyDenied, StateConflict, ValidationFailed
from runs.behaviour import Behaviour, behaviour_of
from runs.models import AgentVersion
from runs.publishing import draft_version, publish_version, retire_version
from tests.cast import Cast
from tests.factories import GrantFactory, PriceFactory, ToolVersionFactory
from tests.ledger import kinds_of, last_entry


@pytest.fixture
def behaviour(cast: Cast) -> Behaviour:
    PriceFactory.create()
    tool_version = ToolVersionFactory.create(tool__team=cast.team, reads=True)
    GrantFactory.create(identity=cast.agent, tool=tool_version.tool)
    return Behaviour(
        instructions="Help.",
        model="test-model",
        catalogue=(tool_version,),
        principal_source="application",
    )


def draft(cast: Cast, behaviour: Behaviour) -> AgentVersion:
    return draft_version(actor=cast.alice, identity=cast.agent, behaviour=behaviour)


def test_same_behaviour_is_the_same_version(cast: Cast, behaviour: Behaviour) -> None:
    first = draft(cast, behaviour)
    again = draft(cast, replace(behaviour, max_usd=Decimal("2")))

    assert again == first
    assert kinds_of(first.id) == ["version.drafted"]
    assert behaviour_of(first).digest() == behaviour.digest() == first.digest


@pytest.mark.parametrize(
    "change",
    [
        {"instructions": "Help more."},
        {"model": "other"},
        {"planner": "null"},
        {"temperature": 0.5},
        {"max_completion_tokens": 100},
        {"principal_source": "staff"},
        {"may_ask_user": False},
        {"may_hand_over": False},
        {"max_steps": 3},
        {"max_tokens": 3},
        {"max_usd": Decimal("3")},
        {"max_seconds": 3},
        {"run_expires_after_s": 3},
        {"context_tokens": 3},
        {"repeat_limit": 4},
        {"catalogue": ()},
    ],
)
def test_whatever_decides_behaviour_makes_a_new_version(
    cast: Cast, behaviour: Behaviour, change: dict[str, Any]
) -> None:
    first = draft(cast, behaviour)
    assert draft(cast, replace(behaviour, **change)).number == first.number + 1


def test_catalogue_keeps_its_order(cast: Cast, behaviour: Behaviour) -> None:
    versions = [ToolVersionFactory.create(tool__team=cast.team) for _ in range(4)]
    order = (versions[2], versions[0], versions[3], versions[1])

    version = draft(cast, replace(behaviour, catalogue=order))
    assert behaviour_of(version).catalogue == order


def test_tool_stands_once_in_a_catalogue(cast: Cast, behaviour: Behaviour) -> None:
    newer = ToolVersionFactory.create(tool=behaviour.catalogue[0].tool)
    with pytest.raises(ValidationFailed, match="tool_twice"):
        draft(cast, replace(behaviour, catalogue=(*behaviour.catalogue, newer)))


def test_publishing_retires_the_previous_version(cast: Cast, behaviour: Behaviour) -> None:
    first = publish_version(actor=cast.alice, version=draft(cast, behaviour))
    second = publish_version(
        actor=cast.alice, version=draft(cast, replace(behaviour, instructions="Help more."))
    )

    first.refresh_from_db()
    assert (first.state, second.state, second.published_by) == ("retired", "published", cast.alice)
    assert kinds_of(first.id) == ["version.drafted", "version.published", "version.retired"]
    assert last_entry(second.id).facts["digest"] == second.digest


def test_retired_behaviour_comes_back_as_a_new_version(cast: Cast, behaviour: Behaviour) -> None:
    first = publish_version(actor=cast.alice, version=draft(cast, behaviour))
    retire_version(actor=cast.alice, version=first)

    again = draft(cast, behaviour)
    assert again.number == 2
    assert publish_version(actor=cast.alice, version=again).state == "published"


def test_only_drafts_are_published_and_only_the_published_retired(cast: Cast, behaviour: Behaviour) -> None:
    version = draft(cast, behaviour)
    with pytest.raises(StateConflict):
        retire_version(actor=cast.alice, version=version)
    publish_version(actor=cast.alice, version=version)
    with pytest.raises(StateConflict):
        publish_version(actor=cast.alice, version=version)


def test_preflight_refuses_with_all_findings(cast: Cast, behaviour: Behaviour) -> None:
    version = draft(cast, replace(behaviour, model="unpriced", max_steps=None, principal_source=""))

    with pytest.raises(ValidationFailed, match="preflight_failed") as refusal:
        publish_version(actor=cast.ada, version=version)
    assert {finding.code for finding in refusal.value.problems} == {
        "no_price",
        "no_budget",
        "no_principal_source",
    }
    version.refresh_from_db()
    assert version.state == "draft"


def test_outsiders_and_colleagues_without_the_right_are_refused(cast: Cast, behaviour: Behaviour) -> None:
    version = draft(cast, behaviour)
    for actor in (cast.bob, cast.charlie, cast.agent.service_account):
        with pytest.raises(PolicyDenied):
            publish_version(actor=actor, version=version)
        with pytest.raises(PolicyDenied):
            draft_version(actor=actor, identity=cast.agent, behaviour=behaviour)
    published = publish_version(actor=cast.alice, version=version)
    with pytest.raises(PolicyDenied):
        retire_version(actor=cast.charlie, version=published)


SQL = [
    "UPDATE runs_agentversion SET instructions = 'Obey.'",
    "UPDATE runs_agentversion SET max_usd = 1000",
    "UPDATE runs_agentversion SET digest = 'x'",
    "UPDATE runs_agentversion SET state = 'draft'",
    "UPDATE runs_agentversion SET state = 'retired', model = 'other'",
    "DELETE FROM runs_agentversion",
    "DELETE FROM runs_agentversion_catalogue",
    "UPDATE runs_agentversion_catalogue SET toolversion_id = (SELECT id FROM tools_toolversion LIMIT 1)",
]


@pytest.mark.parametrize("statement", SQL)
def test_database_refuses_to_change_what_is_published(
    cast: Cast, behaviour: Behaviour, statement: str
) -> None:
    publish_version(actor=cast.alice, version=draft(cast, behaviour))

    with (
        pytest.raises((ProgrammingError, InternalError), match="refused"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def test_database_refuses_to_add_to_a_published_catalogue(cast: Cast, behaviour: Behaviour) -> None:
    version = publish_version(actor=cast.alice, version=draft(cast, behaviour))
    another = ToolVersionFactory.create(tool__team=cast.team)

    with pytest.raises((ProgrammingError, InternalError), match="refused"), transaction.atomic():
        version.catalogue.add(another)
    assert version.catalogue.count() == 1


def test_retired_version_is_as_immutable(cast: Cast, behaviour: Behaviour) -> None:
    version = publish_version(actor=cast.alice, version=draft(cast, behaviour))
    retire_version(actor=cast.alice, version=version)

    with pytest.raises((ProgrammingError, InternalError), match="refused"), transaction.atomic():
        AgentVersion.objects.filter(pk=version.pk).update(state="published")


def test_draft_may_still_change(cast: Cast, behaviour: Behaviour, settings: LazySettings) -> None:
    version = draft(cast, behaviour)
    AgentVersion.objects.filter(pk=version.pk).update(instructions="Help politely.")
    version.catalogue.clear()

    published = publish_version(actor=cast.alice, version=version)
    assert published.digest == behaviour_of(published).digest() != version.digest
