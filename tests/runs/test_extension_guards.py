"""Each guard of an extension taken away: without it, a run gets more than it may, or by somebody who may not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from types import ModuleType

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from agentops.errors import AgentOpsError
from approvals.models import Absence
from identities.models import User
from runs import extending, extensions, reserving
from runs.budgeting import set_budget
from runs.extensions import More
from runs.models import Extension, Run
from tests.rewriting import rewrite
from tests.runs.company import Company, says
from tests.runs.test_extensions import asked, grant, look, person

Attack = Callable[[Company], object]


def ask(company: Company) -> Run:
    company.add_reads()
    set_budget(actor=person(company), team=company.cast.team, identity=None, window="day", max_steps=3)
    company.publish(max_steps=2, max_extensions=2, extension_percent=100)
    return company.run(look(1), look(2), look(3), look(4), says("Done."))


def by(name: str) -> Attack:
    return lambda company: grant(company, More(steps=1), actor=User.objects.get(username=name))


def by_the_owners_deputy(company: Company) -> object:
    """Have the owner be away, and Ada stand in for her."""
    now = timezone.now()
    Absence.objects.create(
        absent=company.cast.alice, deputy=person(company), team=company.cast.team, declared_by=company.cast.alice,
        declared_at=now, begins_at=now, ends_at=now + timedelta(days=1), reason="On leave.",
    )  # fmt: skip
    return grant(company, More(steps=1))


def twice(company: Company) -> object:
    question = asked()
    grant(company, More(steps=1))
    return grant(company, More(steps=1), extension=question)


Mutation = tuple[ModuleType, str, str, str]
GUARDS: dict[str, tuple[Attack, Mutation]] = {
    "the owner decides": (by("alice"), (extending, "may_extend", "if part := find_part(", "if False and (")),
    "the owner's deputy decides": (
        by_the_owners_deputy,
        (extending, "find_part", "for absence in read_absences(actor):", "for absence in ():"),
    ),
    "without the right": (by("bob"), (extending, "may_extend", "if not controlled.allowed:", "if False:")),
    "without a factor": (
        lambda company: grant(company, More(steps=1), second_factor=False),
        (extending, "may_extend", "if not second_factor:", "if False:"),
    ),
    "beyond the team's budget": (
        lambda company: grant(company, More(steps=2)),
        (reserving, "_check", "needed and room < needed", "False"),
    ),
    "nothing of what it is out of": (
        lambda company: grant(company, More(tokens=1)),
        (extensions, "_check_bound", "if not getattr(more, asked.limit):", "if False:"),
    ),
    "more than it asked for": (
        lambda company: grant(company, More(steps=1, seconds=500)),
        (extensions, "_check_bound", "if not 0 <= getattr(more, unit) <= most:", "if False:"),
    ),
    "twice": (twice, (extensions, "_lock", "if asked.state != State.WAITING:", "if False:")),
}
# What the database, or the fold of the run's own stream, holds as well.
HELD_TWICE = {"more than it asked for", "twice"}


@pytest.mark.parametrize("name", GUARDS)
def test_it_is_refused(company: Company, name: str) -> None:
    ask(company)
    with pytest.raises(AgentOpsError):
        GUARDS[name][0](company)
    assert Extension.objects.filter(state="granted").count() == (name == "twice")


@pytest.mark.parametrize("name", GUARDS)
def test_each_guard_is_missed(company: Company, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    attack, (module, function, old, new) = GUARDS[name]
    company.is_mutant = True
    ask(company)
    changed = rewrite(monkeypatch, module, function, old, new)
    if function == "may_extend":
        monkeypatch.setattr(extensions, "may_extend", changed)
    if name in HELD_TWICE:
        with pytest.raises((AgentOpsError, DatabaseError)) as caught, transaction.atomic():
            attack(company)
        assert getattr(caught.value, "code", "") not in ("beyond_the_bound", "extension_decided")
    else:
        attack(company)
        assert Extension.objects.filter(state="granted").exists()
