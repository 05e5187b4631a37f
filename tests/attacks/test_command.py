"""``agentops attacks``, as somebody uses it who brings a suite."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from agentops.errors import StateConflict
from runs.management.commands.attacks import find_suite
from tests.attacks.small import SUITE

HERE = "tests.attacks.small"


@pytest.mark.django_db(transaction=True)
def test_it_replays_the_suite_that_it_is_given(settings: Settings) -> None:
    settings.TOOLS_PYTHON_MODULES = []  # is given back after the test
    told = StringIO()
    call_command("attacks", HERE, "--json", "--layer", "none", "--every", "6", stdout=told)
    seen = [json.loads(line) for line in told.getvalue().splitlines()]
    assert {result["suite"] for result in seen} == {"small"}
    assert {result["mode"] for result in seen} > {"benign"}


@pytest.mark.usefixtures("cast")
def test_where_people_govern_already_nothing_is_done(settings: Settings) -> None:
    settings.TOOLS_PYTHON_MODULES = []
    with pytest.raises(StateConflict, match="superuser_exists"):
        call_command("attacks", HERE)


def test_suites_are_named_by_module() -> None:
    assert find_suite(HERE) is find_suite(f"{HERE}:SUITE") is SUITE


@pytest.mark.parametrize("named", ["no.such.module", f"{HERE}:NOTHING", f"{HERE}:GOAL"])
def test_what_is_no_suite_is_told(named: str) -> None:
    with pytest.raises(CommandError, match=named.split(":", maxsplit=1)[0]):
        find_suite(named)
