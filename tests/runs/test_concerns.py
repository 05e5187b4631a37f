"""Which runs a stop concerns: receipt, halting, withdrawal and the statements about single calls say the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from django.utils import timezone

from agentops import messages
from agentops.database import borrowed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from identities.models import STAFF_ISSUER, KillSwitch, SecretLease
from identities.services import issue_api_key, update_person
from runs import concerns, recalls, tasks
from runs.models import Run, Stop
from runs.receipts import going_at
from runs.stops import stop
from runs.withdrawals import withdraw_credentials
from tests.cast import Cast
from tests.factories import AgentFactory, AgentVersionFactory, RunFactory, ToolVersionFactory
from tests.factories.identities import ApplicationFactory, PrincipalFactory
from tests.identities.secrets import make_secret
from tools.limits import read_line
from tools.policy import find_lost_authority
from tools.standing import Authority, Question, read_standing

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.revocation]

# Agent, end user, key, provider and tool of each run, the one that it acts for, and through whom it was started.
RUNS = {
    "top": ("alpha", "one", "first", "openai", "refund", "", "shop"),
    "child": ("beta", "one", "second", "null", "refund", "top", "shop"),
    "grandchild": ("gamma", "one", "second", "null", "look_up", "child", "shop"),
    "other top": ("delta", "two", "second", "null", "look_up", "", "shop"),
    "middle": ("alpha", "two", "second", "openai", "refund", "other top", "shop"),
    "last": ("gamma", "two", "second", "null", "look_up", "middle", "shop"),
    "staff": ("delta", "alice", "", "null", "look_up", "", "alice"),
    "staff's child": ("beta", "alice", "", "null", "refund", "staff", "alice"),
    "bystander": ("gamma", "three", "", "null", "look_up", "", "elsewhere"),
    "over": ("alpha", "one", "first", "openai", "refund", "", "shop"),
}
ALL = set(RUNS) - {"over"}
TREE = {"top", "child", "grandchild"}
# The scope, what is stopped, and the runs that this concerns.
STOPS = [
    ("run", "top", TREE),
    ("agent", "alpha", {*TREE, "middle", "last"}),
    ("tool", "refund", {"top", "child", "middle", "staff's child"}),
    ("application", "shop", ALL - {"staff", "staff's child", "bystander"}),
    ("person", "alice", {"staff", "staff's child"}),
    ("principal", "one", TREE),
    ("credential", "first", TREE),
    ("provider", "openai", {*TREE, "middle", "last"}),
    ("everything", "", ALL),
]


@dataclass
class Firm:
    """Its runs by name, of which each holds a credential, and whatever can be stopped, by its name."""

    cast: Cast
    runs: dict[str, Run] = field(default_factory=dict)
    things: dict[str, Any] = field(default_factory=dict)  # Any: rows of several models

    def __post_init__(self) -> None:
        team, shop = self.cast.team, self.cast.application
        served = {"issuer": STAFF_ISSUER, "subject": self.cast.alice.get_username()}
        self.things = {
            **{name: AgentFactory.create(team=team) for name in ("alpha", "beta", "gamma", "delta")},
            **{name: PrincipalFactory.create(team=team) for name in ("one", "two", "three")},
            **{name: ToolVersionFactory.create(tool__team=team) for name in ("refund", "look_up")},
            **{name: issue_api_key(actor=self.cast.alice, user=shop.service_account, label=name)[0]
               for name in ("first", "second")},
            "alice": PrincipalFactory.create(team=team, **served),
            "shop": shop, "elsewhere": ApplicationFactory.create(team=team),
        }  # fmt: skip
        secret = make_secret(self.cast)
        for name in RUNS:
            self.runs[name] = run = self._start(name)
            now = timezone.now()
            SecretLease.objects.create(
                secret=secret, identity=run.identity, run_id=run.pk, tool_id=self.tool_of(name),
                call_key=f"{run.pk}:1", issued_at=now, expires_at=now + timedelta(minutes=5),
            )  # fmt: skip
        self.end({"over"})

    def _start(self, name: str) -> Run:
        agent, user, key, provider, tool, above, by = RUNS[name]
        version = AgentVersionFactory.create(
            identity=self.things[agent], planner=provider, catalogue=[self.things[tool]]
        )
        parent = self.runs.get(above)
        link = {"run": str(parent.pk), "identity": str(parent.identity_id), "limits": None} if parent else {}
        through = {"started_by": self.cast.alice} if by == "alice" else {"application": self.things[by]}
        run: Run = RunFactory.create(
            agent_version=version, principal=self.things[user], credential=self.things.get(key), parent=parent,
            line=[link, *parent.line] if parent else [], **through,
        )  # fmt: skip
        return run

    def tool_of(self, name: str) -> UUID:
        tool: UUID = self.things[RUNS[name][4]].tool_id
        return tool

    def target_of(self, scope: str, name: str) -> str:
        if scope in ("provider", "everything"):
            return name
        if scope == "tool":
            return str(self.things[name].tool_id)
        stopped = {"person": self.cast.alice, "run": self.runs.get(name)}.get(scope) or self.things[name]
        return str(stopped.pk)

    def names(self, ids: Iterable[UUID]) -> set[str]:
        found = set(ids)
        return {name for name, run in self.runs.items() if run.pk in found}

    def end(self, names: set[str]) -> None:
        runs = Run.objects.filter(pk__in=[self.runs[name].pk for name in names])
        runs.update(ended_at=timezone.now(), state="halted")

    def stop(self, scope: str, target: str) -> Stop:
        """Stop something; a run of a factory takes no command, and an account is closed on its own page."""
        if scope == "run":
            with transaction.atomic():
                record(UUID(target), "run", Draft("run.killed", timezone.now()))
            Run.objects.filter(pk=target).update(state="cancelling")
        elif scope == "person":
            rights: dict[str, Any] = {"active": False, "staff": True, "superuser": False, "groups": ()}
            update_person(actor=self.cast.ada, person=self.cast.alice, **rights)
        else:
            return stop(actor=self.cast.ada, scope=scope, target=target, reason="It goes wrong.")
        return Stop(scope=scope, target=target, stopped_at=timezone.now())

    # --- who says which ---------------------------------------------------------------------------------

    def authority_of(self, name: str) -> Authority:
        run = self.runs[name]
        return Authority(
            run.application_id, run.started_by_id, run.principal_id, RUNS[name][3], None, read_line(run.line),
            run.credential_id,
        )  # fmt: skip

    def refused(self) -> set[str]:
        """Return the runs whose next call is refused by how those stand by whose authority it is made."""
        found, now = set(), timezone.now()
        for name in ALL:
            run, tool = self.runs[name], self.tool_of(name)
            question = Question(run.identity_id, tool, self.authority_of(name), run.pk, now, "", "", now)
            with borrowed() as connection:
                standing = read_standing(connection, question).standing
            if find_lost_authority(standing, now) or standing.tool_state != "active":
                found.add(name)
        return found

    def called_back(self) -> set[str]:
        """Return the runs whose call would be called back; that none has a grant is beside the point."""
        calls = {
            recalls.Underway(
                recalls.Right(run.pk, run.identity_id, self.tool_of(name), self.authority_of(name))
            ): name
            for name, run in self.runs.items()
            if name != "over"
        }
        lost = recalls.find_lost(list(calls))
        return {calls[call] for call, code in lost.items() if code != "no_grant"}

    def withdrawn(self) -> set[str]:
        return self.names(SecretLease.objects.filter(state="ended").values_list("run_id", flat=True))


WAKES: dict[str, Callable[[str], int]] = {
    "agent": tasks.wake_agent,
    "application": tasks.wake_application,
    "person": tasks.wake_person,
}
HALTS = [*WAKES, *KillSwitch.Scope.values]


@pytest.fixture
def firm(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Firm:
    monkeypatch.setattr(messages, "_publish", lambda *_: True)
    return Firm(cast)


def halt(scope: str, target: str) -> None:
    if scope in WAKES:
        WAKES[scope](target)
    else:
        tasks.wake_switched(str(KillSwitch.objects.get().pk))


@pytest.mark.parametrize(("scope", "name", "concerned"), STOPS, ids=[scope for scope, *_ in STOPS])
def test_all_say_the_same(firm: Firm, scope: str, name: str, concerned: set[str]) -> None:
    target = firm.target_of(scope, name)
    assert firm.refused() == firm.called_back() == set()
    made = firm.stop(scope, target)
    assert firm.names(going_at(made).values_list("pk", flat=True)) == concerned
    stopped = firm.called_back()
    assert firm.refused() <= stopped <= concerned
    withdraw_credentials(scope, target)
    assert firm.withdrawn() - {"over"} == concerned
    if scope in HALTS:
        Run.objects.update(wake_at=None)
        halt(scope, target)
        assert firm.names(Run.objects.exclude(wake_at=None).values_list("pk", flat=True)) == concerned
    if scope != "tool":  # which ends no run
        firm.end(stopped)
    assert stopped | firm.called_back() == concerned, "those below end with the ones that were stopped"


def test_without_the_line_the_receipt_misses_what_is_refused(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: a stop concerns only those that have to do with it directly."""
    monkeypatch.setattr(concerns, "_DOWN_THE_LINE", ())
    made = firm.stop("agent", firm.target_of("agent", "alpha"))
    counted = firm.names(going_at(made).values_list("pk", flat=True))
    assert firm.refused() - counted == {"child", "grandchild", "last"}
