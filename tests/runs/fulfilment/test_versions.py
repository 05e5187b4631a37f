"""Types of tasks as a part of a version: drafted, told apart, fixed with it, applied, and shown."""

from __future__ import annotations

import os
from dataclasses import replace
from importlib import import_module
from typing import Any

import psycopg
import pytest
from django.db import ProgrammingError

from agentops.errors import ValidationFailed
from agentops.runtime.pytest_databases import CLEANER_URL
from runs.behaviour import Behaviour, behaviour_of
from runs.changes.publication import describe_publication
from runs.models import AgentVersion, VersionLook
from runs.publishing import draft_version
from tests.cast import Cast
from tests.factories import AgentVersionFactory, GrantFactory, PriceFactory, ToolVersionFactory
from tests.runs.fulfilment.refunds import REFUND

PAYS = {"name": "refund", "fulfilled_when": [{"called": "refund", "times": 1}]}


@pytest.fixture
def behaviour(cast: Cast) -> Behaviour:
    PriceFactory.create()
    tools = [
        ToolVersionFactory.create(tool__team=cast.team, tool__name=name, reads=True)
        for name in ("look_up", "refund")
    ]
    for version in tools:
        GrantFactory.create(identity=cast.agent, tool=version.tool)
    return Behaviour(
        instructions="Help.", model="test-model", catalogue=tuple(tools), principal_source="application"
    )


def draft(cast: Cast, behaviour: Behaviour) -> AgentVersion:
    return draft_version(actor=cast.alice, identity=cast.agent, behaviour=behaviour)


def test_a_version_keeps_what_it_declares(cast: Cast, behaviour: Behaviour) -> None:
    version = draft(cast, replace(behaviour, tasks=[REFUND]))
    assert behaviour_of(version).tasks == [REFUND]
    assert draft(cast, replace(behaviour, tasks=[REFUND])) == version


def test_other_tasks_are_another_version_and_none_has_the_name_that_it_had(
    cast: Cast, behaviour: Behaviour
) -> None:
    none, with_task = behaviour.digest(), replace(behaviour, tasks=[REFUND]).digest()
    assert len({none, with_task, replace(behaviour, tasks=[PAYS]).digest()}) == 3
    assert replace(behaviour, tasks=()).digest() == none


@pytest.mark.parametrize(
    ("tasks", "code"),
    [
        ([{"name": "refund", "fulfilled_when": []}], "invalid_fields"),
        ([{"name": "refund", "fulfilled_when": [{"model": "?"}]}], "invalid_fields"),
        ([PAYS, PAYS], "invalid_fields"),
        ([{"name": "refund", "fulfilled_when": [{"called": "refnud"}]}], "unknown_tool_in_task"),
        (
            [{"name": "refund", "fulfilled_when": [{"called": "refund", "after": "nobody"}]}],
            "unknown_tool_in_task",
        ),
    ],
)
def test_what_could_not_be_told_is_not_drafted(
    cast: Cast, behaviour: Behaviour, tasks: Any, code: str
) -> None:
    with pytest.raises(ValidationFailed) as caught:
        draft(cast, replace(behaviour, tasks=tasks))
    assert caught.value.code == code
    assert not AgentVersion.objects.exists()


def test_what_is_published_stays(cast: Cast) -> None:
    version = AgentVersionFactory.create(identity=cast.agent, tasks=[PAYS], published=True)
    version.tasks = []
    with pytest.raises(ProgrammingError, match="refused"):
        version.save()


def test_who_decides_about_a_publication_reads_them(cast: Cast) -> None:
    version = AgentVersionFactory.create(identity=cast.agent, tasks=[PAYS])
    assert describe_publication(version, "").after["tasks"] == [PAYS]


def test_looks_of_the_release_before_are_those_of_no_task(transactional_db: None, cast: Cast) -> None:
    """Back and forth again; what the release before writes meanwhile names no task."""
    version = AgentVersionFactory.create(identity=cast.agent)
    VersionLook.objects.create(version=version, task="", runs=40)
    VersionLook.objects.create(version=version, task="refund", runs=20)
    change = import_module("runs.migrations.0013_fulfilment")
    with psycopg.connect(os.environ[CLEANER_URL]) as owner:
        owner.execute(change.OF_ALL)
        assert owner.execute("SELECT version_id, runs FROM runs_version_look").fetchall() == [
            (version.pk, 40)
        ]
        owner.execute(change.BY_TASK)
        other = "INSERT INTO runs_version_look (version_id, runs) VALUES (%s, 20)"
        with pytest.raises(psycopg.errors.UniqueViolation), owner.transaction():
            owner.execute(other, [version.pk])
        owner.execute(
            "INSERT INTO runs_version_look (version_id, task, runs) VALUES (%s, 'refund', 20)", [version.pk]
        )
        owner.rollback()
