"""One application of a document: who acts, what has been found and changed so far."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from django.contrib.auth.models import Group
from django.db import models

from agentops.errors import AgentOpsError, ValidationFailed
from agentops.rows import Changes
from identities.changes import do_or_propose
from identities.models import AgentIdentity, ChangeProposal, Team, User
from runs.provisioning.plan import Change, Plan
from tools.models import DecisionTable, Tool

M = TypeVar("M", bound=models.Model)
T = TypeVar("T")
Section = dict[str, dict[str, Any]]  # Any: checked against the document's schema


@dataclass
class Session:
    """References in the document resolve to rows, which earlier sections may just have made."""

    actor: User
    document: dict[str, Any]  # Any: as above
    variables: Mapping[str, str]
    changes: list[Change] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    # What came of applications' audiences, which tools refer to, before the applications' own turn.
    declared: dict[str, Changes] = field(default_factory=dict)
    made: set[str] = field(default_factory=set)
    waiting: list[str] = field(default_factory=list)  # what a second person has to activate

    def govern(self, name: str, act: Callable[[], T]) -> T | None:
        """Call a governed verb; return None, with a note, where it waits for a second person now."""
        done = do_or_propose(actor=self.actor, act=act, reason="from a provisioning document")
        if not isinstance(done, ChangeProposal):
            return done
        self.waiting.append(name)
        self.notes.append(f"{name}: proposed by {done.maker.username}, waits for a second person")
        return None

    def section(self, name: str) -> Section:
        """Return a section of the document, empty if it is absent."""
        found: Section = self.document.get(name, {})
        return found

    def created(self, kind: str, name: str, fields: Mapping[str, object]) -> None:
        """Note something new."""
        shown = {
            field: (None, plain(value)) for field, value in fields.items() if value not in (None, "", [], {})
        }
        self.changes.append(Change("create", kind, name, shown))

    def followed(self, kind: str, name: str, fields: Mapping[str, tuple[object, object]]) -> None:
        """Note something new that takes the place of an earlier one, and in what it differs."""
        self.changes.append(Change("create", kind, name, _plain_pairs(fields), follows=True))

    def changed(self, kind: str, name: str, fields: Mapping[str, tuple[object, object]]) -> None:
        """Note what became of something that was there before."""
        self.changes.append(Change("update" if fields else "unchanged", kind, name, _plain_pairs(fields)))

    def plan(self) -> Plan:
        """Return everything noted so far."""
        return Plan(tuple(self.changes), tuple(self.notes), tuple(self.waiting))

    def team(self, slug: str) -> Team:
        """Return a team; raises ValidationFailed for an unknown one, as the methods below do."""
        return _find(Team.objects.filter(slug=slug), "team", slug)

    def person(self, username: str) -> User:
        """Return a person's account."""
        return _find(User.objects.filter(kind="person", username=username), "person", username)

    def group(self, name: str) -> Group:
        """Return a group of people."""
        return _find(Group.objects.filter(name=name), "group", name)

    def agent(self, slug: str) -> AgentIdentity:
        """Return an agent identity."""
        return _find(AgentIdentity.objects.filter(slug=slug), "agent", slug)

    def tool(self, team: Team, name: str) -> Tool:
        """Return a team's tool."""
        return _find(Tool.objects.filter(team=team, name=name), f"tool of team {team.slug}", name)

    def decision_table(self, team: Team, slug: str) -> DecisionTable:
        """Return a team's decision table."""
        return _find(
            DecisionTable.objects.filter(team=team, slug=slug), f"decision table of team {team.slug}", slug
        )


@contextmanager
def at(path: str) -> Iterator[None]:
    """Put the place in the document in front of whatever is refused in the block."""
    try:
        yield
    except AgentOpsError as error:
        error.detail = f"{path}: {error.detail or error.code}"
        raise


def plain(value: object) -> object:
    """Return a value with rows by their names: the rows of a dry run come back under other ids."""
    if isinstance(value, models.Model):
        return str(value)
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def _plain_pairs(fields: Mapping[str, tuple[object, object]]) -> dict[str, tuple[object, object]]:
    return {name: (plain(before), plain(after)) for name, (before, after) in fields.items()}


def parse_moment(text: str | None) -> datetime | None:
    """Return a moment with its zone; raises ValidationFailed for one without."""
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValidationFailed("no_time_zone", f"{text} needs a zone, such as {text}Z")
    return moment


def _find(rows: models.QuerySet[M], kind: str, name: str) -> M:
    row = rows.first()
    if row is None:
        raise ValidationFailed(
            "unknown_reference", f"there is no {kind} {name!r}, in the document or before it"
        )
    return row
