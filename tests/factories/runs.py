"""Prices, agent versions, runs, budgets."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal

from django.utils import timezone
from factory.django import DjangoModelFactory

from agentops.identifiers import new_id
from runs.models import AgentVersion, Budget, ChangeSet, Price, Run
from tests.factories.declarations import (
    LazyAttribute,
    LazyFunction,
    SelfAttribute,
    Sequence,
    SubFactory,
    after_creation,
)
from tests.factories.identities import AgentFactory, PrincipalFactory, TeamFactory
from tools.models import ToolVersion


class PriceFactory(DjangoModelFactory[Price]):
    class Meta:
        model = Price
        django_get_or_create = ("model", "version")

    model = "test-model"
    version = "test-1"
    input_usd_per_mtok = Decimal("1")
    output_usd_per_mtok = Decimal("2")


class AgentVersionFactory(DjangoModelFactory[AgentVersion]):
    """A draft that lacks nothing but a price and a catalogue: pass ``catalogue=[tool versions]``."""

    class Meta:
        model = AgentVersion
        skip_postgeneration_save = True

    identity = SubFactory(AgentFactory)
    number = LazyAttribute(lambda version: version.identity.versions.count() + 1)
    instructions = "Help the customer."
    model = "test-model"
    principal_source = "application"

    @after_creation
    def catalogue(
        self: AgentVersion, create: bool, extracted: Iterable[ToolVersion] | None, **_: object
    ) -> None:
        if create and extracted:
            self.catalogue.set(extracted)

    @after_creation
    def published(self: AgentVersion, create: bool, extracted: bool | None, **_: object) -> None:
        # After the catalogue: the database lets nobody touch a published version.
        if create and extracted:
            self.state, self.published_at = "published", timezone.now()
            self.save()


class RunFactory(DjangoModelFactory[Run]):
    """A queued run, without a ledger stream: for lists and permissions, not for driving."""

    class Meta:
        model = Run

    agent_version = SubFactory(AgentVersionFactory)
    identity = SelfAttribute("agent_version.identity")
    team = SelfAttribute("identity.team")
    principal = SubFactory(PrincipalFactory, team=SelfAttribute("..team"))
    trace_id = Sequence(lambda n: f"{n + 1:032x}")
    created_at = LazyFunction(timezone.now)
    updated_at = SelfAttribute("created_at")
    expires_at = LazyAttribute(lambda run: run.created_at + timedelta(days=1))
    max_steps = 12
    max_tokens = 100_000
    max_usd = Decimal("2")
    max_seconds = 90


class BudgetFactory(DjangoModelFactory[Budget]):
    class Meta:
        model = Budget

    team = SubFactory(TeamFactory)
    window = "day"
    max_usd = Decimal("10")


def change_set_of(run: Run) -> ChangeSet:
    """Make a change set that waits for review, without items."""
    now = timezone.now()
    made: ChangeSet = ChangeSet.objects.create(
        id=new_id(), run=run, team=run.team, identity=run.identity, version=1, state="offered", digest="0" * 64,
        created_at=now, offered_at=now,
    )  # fmt: skip
    return made
