"""Whether a version takes more for a task than the one before."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.utils import timezone

from agentops.identifiers import new_id
from runs import regression
from runs.models import AgentVersion, Run
from runs.regression import Sample, find_regressions, takes_more
from tests.factories import AgentVersionFactory, PrincipalFactory
from tests.runs.company import Company


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [
        (Sample(100, 2.0, 0.01), Sample(100, 1.0, 0.01), True),
        (Sample(100, 1.05, 0.0001), Sample(100, 1.0, 0.0001), False),  # nobody would mind
        (Sample(30, 2.0, 50.0), Sample(30, 1.0, 50.0), False),  # chance
        (Sample(19, 9.0, 0.0), Sample(100, 1.0, 0.0), False),  # too few
        (Sample(100, 9.0, 0.0), Sample(19, 1.0, 0.0), False),
        (Sample(100, 1.0, 0.01), Sample(100, 2.0, 0.01), False),  # it takes less
        (Sample(20, 1.2, 0.0), Sample(20, 1.0, 0.0), True),
        (Sample(20, 1.0, 0.0), Sample(20, 0.0, 0.0), True),
        (Sample(20, 0.0, 0.0), Sample(20, 0.0, 0.0), False),
    ],
)
def test_more_than_chance_and_than_nobody_would_mind(now: Sample, before: Sample, expected: bool) -> None:
    assert takes_more(now, before) is expected


def version(company: Company, number: int, state: str) -> AgentVersion:
    made: AgentVersion = AgentVersionFactory.create(identity=company.cast.agent, number=number, state=state)
    return made


def complete(
    company: Company, of: AgentVersion, number: int, usd: str, steps: int, state: str = "completed"
) -> None:
    principal, now = PrincipalFactory.create(team=company.cast.team), timezone.now()
    Run.objects.bulk_create(
        Run(
            id=new_id(), team=company.cast.team, identity=of.identity, agent_version=of, principal=principal,
            state=state, created_at=now, updated_at=now, ended_at=now, expires_at=now, trace_id="0" * 32,
            max_steps=9, max_tokens=9, max_usd=9, max_seconds=9, usd=Decimal(usd), steps=steps + place % 2,
        )
        for place in range(number)
    )  # fmt: skip


def test_a_version_that_costs_more_is_found_and_nothing_else(company: Company) -> None:
    first, second, third = (
        version(company, 1, "retired"),
        version(company, 2, "retired"),
        version(company, 3, "draft"),
    )
    complete(company, first, 25, "0.01", 3)
    complete(company, second, 25, "0.05", 3)
    complete(company, second, 50, "9.00", 99, state="failed")  # what failed says nothing of a task
    found = find_regressions([first.pk, second.pk, third.pk])
    assert (found[first.pk], found[third.pk]) == ([], [])
    [worse] = found[second.pk]
    assert (worse.unit, worse.than, round(worse.times)) == ("cost", 1, 5)


def test_a_version_that_takes_more_steps_is_found(company: Company) -> None:
    first, second = version(company, 1, "retired"), version(company, 2, "retired")
    complete(company, first, 25, "0.01", 3)
    complete(company, second, 25, "0.01", 6)
    [worse] = find_regressions([second.pk])[second.pk]
    assert (worse.unit, worse.before, worse.now) == ("steps", 3.48, 6.48)


def test_only_the_newest_runs_count(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regression, "MOST_RUNS", 25)
    first, second = version(company, 1, "retired"), version(company, 2, "retired")
    complete(company, first, 25, "0.01", 3)
    complete(company, second, 40, "0.09", 9)  # it was dear once
    complete(company, second, 25, "0.01", 3)
    assert find_regressions([second.pk])[second.pk] == []
