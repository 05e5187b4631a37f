"""An agent outside gives no tasks to agents of the house, whatever it was granted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runs.delegation import calling
from runs.models import Run
from tests.rewriting import rewrite
from tests.runs.company import Company
from tests.runs.delegation.conftest import House
from tests.runs.gateway.conftest import Outside, delegate

COLOURS = {"topic": "colours"}


def connect(company: Company, **terms: str) -> Outside:
    """Have the agent be one outside that would give a researcher tasks."""
    house = House(company)
    house.hire("researcher")
    house.add_delegation(**{f"tool_{name}": value for name, value in terms.items()})
    company.publish(price=False, planner="external", principal_source="token", max_steps=40)
    return Outside(company, replace(delegate(company), application=company.cast.application))


def test_what_it_was_granted_it_is_told_to_ask_for_otherwise(company: Company) -> None:
    outside = connect(company)
    told = outside.hear(outside.call("ask_researcher", COLOURS))
    assert (told.status, told.code) == ("failed", "outside_agent")
    assert "start a run of that agent instead" in told.detail
    assert not Run.objects.exclude(kind="external").exists()


def test_without_a_grant_it_gets_no_further_than_anybody(company: Company) -> None:
    outside = connect(company, grant="DENY")
    told = outside.hear(outside.call("ask_researcher", COLOURS))
    assert told.status == "failed"
    assert told.code != "outside_agent"
    assert not Run.objects.exclude(kind="external").exists()


def test_without_that_rule_it_would_have_agents_of_the_house_at_work(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.is_mutant = True
    rewrite(monkeypatch, calling, "_start", "if session.state.is_external:", "if False:")
    outside = connect(company)
    told = outside.hear(outside.call("ask_researcher", COLOURS))
    assert told.code == "in_progress", told
    assert Run.objects.filter(parent=outside.run).count() == 1
