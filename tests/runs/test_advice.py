"""Which defences a version goes without: said, and keeping nothing from being published."""

from __future__ import annotations

from typing import Any

import pytest

from runs.models import EXTERNAL, AgentVersion
from runs.preflight import advise, check_version
from tests.factories import AgentVersionFactory, ToolVersionFactory

pytestmark = pytest.mark.django_db

MARKED = {"arguments": {"order_id": "identifier"}}
SCHEMA = {"type": "object", "properties": {"order_id": {"type": "string"}}, "additionalProperties": False}


def codes_of(version: AgentVersion, **tool: Any) -> list[str]:  # Any: columns
    made = ToolVersionFactory.create(input_schema=SCHEMA, amount_argument="", dedupe_on=[], **tool)
    return [finding.code for finding in advise(version, [made])]


@pytest.mark.parametrize(
    ("planned", "tool", "codes"),
    [
        ({}, {"effect": "reversible"}, ["no_plan", "no_marks"]),
        ({}, {"effect": "irreversible", "provenance": MARKED}, ["no_plan"]),
        ({"plan": "words"}, {"effect": "irreversible"}, ["no_marks"]),
        ({"plan": "planner"}, {"effect": "reversible", "provenance": MARKED}, []),
        ({"planner": EXTERNAL}, {"effect": "reversible", "provenance": MARKED}, []),
        ({}, {"effect": "read"}, []),
    ],
)
def test_what_is_switched_off_is_said(
    planned: dict[str, str], tool: dict[str, Any], codes: list[str]
) -> None:
    assert codes_of(AgentVersionFactory.create(**planned), **tool) == codes


def test_advice_keeps_a_version_from_nothing() -> None:
    version = AgentVersionFactory.create()
    assert "no_plan" in codes_of(version, effect="reversible")
    assert "no_plan" not in [finding.code for finding in check_version(version)]
