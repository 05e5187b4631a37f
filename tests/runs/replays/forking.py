"""Forks in tests: a run that is recorded, and one that is forked from it and driven to its end."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission

from identities.models import User
from runs.forks.plans import Fork
from runs.forks.services import fork_run
from runs.models import Run
from tests.runs.company import Company
from tests.runs.planner.provider import Turn


def let_fork(person: User) -> User:
    """Let somebody start runs of the agents of their team."""
    person.user_permissions.add(Permission.objects.get(codename="start_run"))
    return User.objects.get(pk=person.pk)


def fork(company: Company, run: Run, step: int, *turns: Turn, **changes: Any) -> Run:
    """Fork a run as Alice, play turns to the model, and drive it."""
    made = fork_run(actor=let_fork(company.cast.alice), run=run, fork=Fork(run.pk, step, **changes))
    company.play(*turns)
    return company.drive(made)
