"""A company that is attacked, on the database of the test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import pytest
from pytest_django import Settings

from runs.attacks.company import Desk, provision
from runs.attacks.layers import Layer, PlanSource
from runs.attacks.suite import Suite
from runs.attacks.world import HERE
from tests.cast import Cast
from tests.factories.identities import PersonFactory
from tests.runs.conftest import watched_driver


class Opens(Protocol):
    """Provisions a suite at a layer; plans are of the user's words unless stated."""

    def __call__(self, suite: Suite, layer: Layer, plan: PlanSource = "words") -> Desk: ...


@pytest.fixture
def open_desk(transactional_db: None, cast: Cast, settings: Settings) -> Iterator[Opens]:
    """Provide a way to provision a suite at a layer; a fault of the driver fails the test."""
    settings.TOOLS_PYTHON_MODULES = [HERE]
    second = PersonFactory.create(username="sue", is_superuser=True)
    with watched_driver() as faults:
        yield lambda suite, layer, plan="words": provision(
            suite, layer, actor=cast.ada, second=second, plan=plan
        )
    assert not faults, "the driver failed:\n" + "\n".join(faults)
