"""The tree of runs: up to whom a run acts for, down to who acts for it, no more than the viewer may see."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from runs.family import read_family
from runs.models import Run
from tests.cast import Cast
from tests.console.visits import page_of, sign_in, text_of
from tests.factories import AgentFactory, AgentVersionFactory, RunFactory

pytestmark = pytest.mark.django_db


def make(cast: Cast, parent: Run | None = None, *, elsewhere: bool = False) -> Run:
    identity = AgentFactory.create(team=cast.other_team) if elsewhere else cast.agent
    version = identity.versions.first() or AgentVersionFactory.create(identity=identity, published=True)
    made: Run = RunFactory.create(agent_version=version, parent=parent)
    return made


def test_the_tree_is_the_same_from_each_of_its_runs(cast: Cast) -> None:
    root = make(cast)
    child, other = make(cast, root), make(cast, root)
    grandchild = make(cast, child)
    shape = [(root, 0), (child, 1), (grandchild, 2), (other, 1)]
    for run in (root, child, other, grandchild):
        found = read_family(cast.alice, run)
        assert [(member.run, member.depth) for member in found] == shape
        assert [member.run for member in found if member.is_this] == [run]


def test_a_run_that_stands_alone_has_no_tree(cast: Cast) -> None:
    assert read_family(cast.alice, make(cast)) == ()


def test_a_run_of_another_team_is_there_and_not_named(cast: Cast) -> None:
    root = make(cast)
    child = make(cast, root, elsewhere=True)
    assert [member.run for member in read_family(cast.alice, root)] == [root, None]
    page = text_of(sign_in(cast.alice).get(page_of("runs_run", "change", root.pk)))
    assert "a run of a team that you are not in" in page
    assert str(child.identity) not in page


def test_statements_do_not_grow(cast: Cast) -> None:
    root = make(cast)
    make(cast, root)

    def count() -> int:
        with CaptureQueriesContext(connection) as found:
            read_family(cast.alice, root)
        return len(found)

    before = count()
    for _ in range(4):
        make(cast, root)
    assert count() == before == 2
