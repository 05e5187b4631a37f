"""Whether a version takes more for a task than the one before, what is kept of it, and who is told."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from django.test import override_settings
from django.utils import timezone

from agentops.identifiers import new_id
from approvals.models import MailPreference, Notice
from runs.indicators import watching
from runs.indicators.rule import LEAST_RUNS, LOOKS, Sample, next_look, takes_more
from runs.indicators.samples import days_of, newest_runs
from runs.indicators.units import UNITS
from runs.indicators.watching import REGRESSED, look_at_versions
from runs.models import AgentVersion, Regression, Run, RunKind, VersionLook
from tests.factories import AgentVersionFactory, PrincipalFactory
from tests.rewriting import rewrite
from tests.runs.company import ORDER, Company, proposes, says

# --- the rule -----------------------------------------------------------------------------------------------


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


def test_looks_are_bounded() -> None:
    assert [next_look(runs) for runs in (0, 20, 39, 320, 640)] == [20, 40, 40, 640, None]
    assert LOOKS[0] == LEAST_RUNS


# --- watching -----------------------------------------------------------------------------------------------


def version(company: Company, number: int, state: str) -> AgentVersion:
    made: AgentVersion = AgentVersionFactory.create(identity=company.cast.agent, number=number, state=state)
    return made


def complete(
    company: Company,
    of: AgentVersion,
    number: int,
    usd: str,
    steps: int,
    state: str = "completed",
    kind: RunKind = RunKind.TASK,
) -> None:
    principal, now = PrincipalFactory.create(team=company.cast.team), timezone.now()
    Run.objects.bulk_create(
        Run(
            id=new_id(), team=company.cast.team, identity=of.identity, agent_version=of, principal=principal,
            state=state, created_at=now, updated_at=now, ended_at=now, expires_at=now, trace_id="0" * 32,
            max_steps=9, max_tokens=9, max_usd=9, max_seconds=9, usd=Decimal(usd), steps=steps + place % 2,
            kind=kind,
        )
        for place in range(number)
    )  # fmt: skip


def look(times: int = 1) -> list[int]:
    return [look_at_versions(now=timezone.now()) for _ in range(times)]


@pytest.fixture
def two(company: Company) -> tuple[AgentVersion, AgentVersion]:
    """A retired version with runs enough, and the one that followed it."""
    first, second = version(company, 1, "retired"), version(company, 2, "published")
    complete(company, first, 25, "0.01", 3)
    return first, second


def test_a_version_that_costs_more_is_found_once_and_nothing_else(
    company: Company, two: tuple[AgentVersion, AgentVersion]
) -> None:
    complete(company, two[1], 25, "0.05", 3)
    complete(company, two[1], 50, "9.00", 99, state="failed")  # what failed says nothing of a task
    complete(company, two[1], 50, "9.00", 99, kind=RunKind.UNDO)
    assert look(3) == [1, 0, 0]
    found = Regression.objects.get()
    assert (found.version, found.unit, found.than, found.runs, round(found.now / found.before)) == (
        two[1],
        "cost",
        two[0],
        20,
        5,
    )


def test_a_version_that_takes_more_steps_is_found(
    company: Company, two: tuple[AgentVersion, AgentVersion]
) -> None:
    complete(company, two[1], 20, "0.01", 6)
    look()
    found = Regression.objects.get()
    assert (found.unit, found.before, found.now, found.worse) == ("steps", 3.48, 6.5, "more steps")


def test_it_is_looked_at_when_its_runs_have_doubled_and_no_more_than_declared(
    company: Company, two: tuple[AgentVersion, AgentVersion]
) -> None:
    for number, expected in ((19, 0), (1, 1), (19, 0), (1, 1), (600, 1)):
        complete(company, two[1], number, "0.01", 3)
        assert look() == [expected]
    assert look(4) == [1, 1, 1, 0], "each look of those that are due by now, and then none"
    assert VersionLook.objects.get().runs == LOOKS[-1]


def test_nothing_is_compared_with_a_version_that_hardly_ran(company: Company) -> None:
    first, second = version(company, 1, "retired"), version(company, 2, "published")
    complete(company, first, 19, "0.01", 3)
    complete(company, second, 40, "9.00", 9)
    assert look() == [0]
    complete(company, first, 1, "0.01", 3)  # runs that were still going when it was retired
    assert look() == [1]
    assert Regression.objects.exists()


def test_drafts_are_nobody_to_compare_with(company: Company) -> None:
    first, second = version(company, 1, "draft"), version(company, 2, "published")
    complete(company, first, 25, "0.01", 3)
    complete(company, second, 25, "9.00", 9)
    assert look() == [0]


# --- what is counted ----------------------------------------------------------------------------------------


def test_what_people_and_tools_did_is_counted_of_real_runs(company: Company) -> None:
    asked = company.add_tool("refund", grant="REQUIRE_APPROVAL")
    company.let_decide(asked.tool)
    company.add_reads()
    company.play(
        proposes(("refund", ORDER)), proposes(("look_up", ORDER)), proposes(("nothing", {})), says("Done.")
    )
    run = company.drive(company.start())
    company.decide("deny")
    run = company.drive(run)
    assert run.state == "completed"
    means = {name: sample.mean for name, sample in newest_runs(run.agent_version_id).items()}
    assert (means["steps"], means["approvals"], means["denials"], means["tool_errors"]) == (4, 1, 2, 0)
    assert means["human_s"] > 0
    [day] = days_of(run.agent_version_id)
    assert (day.runs, day.means) == (1, means)
    assert set(means) == {unit.name for unit in UNITS}


# --- telling ------------------------------------------------------------------------------------------------


@pytest.fixture
def mail() -> Iterator[None]:
    with override_settings(MAIL_FROM="agentops@example.com"):
        yield


@pytest.mark.usefixtures("mail")
def test_who_may_change_it_is_told_once(company: Company, two: tuple[AgentVersion, AgentVersion]) -> None:
    MailPreference.objects.create(user=company.cast.alice, address="a@example.com", kinds=[REGRESSED])
    complete(company, two[1], 45, "0.05", 3)
    assert look(2) == [1, 1]
    notice = Notice.objects.get()
    assert notice.facts["unit"] == "cost"
    assert "cost, USD, on average of a completed run 0.05 against 0.01, after 20 runs" in watching._say(
        notice.facts
    )


@pytest.mark.usefixtures("mail")
def test_without_the_memory_of_what_was_found_it_would_be_found_again(
    company: Company, two: tuple[AgentVersion, AgentVersion], monkeypatch: pytest.MonkeyPatch
) -> None:
    MailPreference.objects.create(user=company.cast.alice, address="a@example.com", kinds=[REGRESSED])
    monkeypatch.setattr(watching, "new_id", new_id, raising=False)
    rewrite(
        monkeypatch,
        watching,
        "_tell",
        'f"{version.pk}:{found.task}:{found.unit}"',
        'f"{version.pk}:{found.task}:{found.unit}:{new_id()}"',
    )
    rewrite(monkeypatch, watching, "_keep", "if is_new:", "if True:")
    complete(company, two[1], 45, "0.05", 3)
    look(2)
    assert Notice.objects.count() == 2
