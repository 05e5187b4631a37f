"""Every governed table, a row of it that stands, and how somebody would loosen it past the services."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import connection, models
from django.utils import timezone

from agentops.identifiers import new_id
from approvals.models import Absence, ApprovalRule, OversightRule, SamplingRule
from identities.models import Application, ChangeRule, TokenIssuer
from runs.models import AgentVersion, Budget, Price
from tests.cast import Cast
from tests.factories import (
    AgentVersionFactory,
    ApplicationFactory,
    BudgetFactory,
    GrantFactory,
    PriceFactory,
    ToolVersionFactory,
)
from tests.verbs import absence_of, table_of
from tools.models import DecisionTableVersion, ToolGrant, ToolVersion, UserTerms

Row = dict[str, Any]  # Any: columns of several types


@dataclass(frozen=True)
class Governed:
    """``looser``: columns of the row, changed; ``anew``: what else a further row of its kind differs in."""

    model: type[models.Model]
    make: Callable[[Cast], models.Model]
    looser: Row
    anew: Row = field(default_factory=dict)
    may_go: bool = False  # deleting it loosens nothing

    def __str__(self) -> str:
        return self.table

    @property
    def table(self) -> str:
        return self.model._meta.db_table

    @property
    def rows(self) -> Any:  # Any: each model has its own manager
        return self.model._default_manager


def make_grant(cast: Cast) -> ToolGrant:
    version = ToolVersionFactory.create(tool__team=cast.team)
    made: ToolGrant = GrantFactory.create(identity=cast.agent, tool=version.tool, decision="REQUIRE_APPROVAL")
    return made


def make_version(cast: Cast) -> ToolVersion:
    made: ToolVersion = ToolVersionFactory.create(tool__team=cast.team, irreversible=True)
    return made


def make_draft(cast: Cast) -> AgentVersion:
    """Make one that spends more than what was published last."""
    before = AgentVersionFactory.create(identity=cast.agent, published=True)
    AgentVersion.objects.filter(pk=before.pk).update(state="retired")
    made: AgentVersion = AgentVersionFactory.create(identity=cast.agent, max_usd=Decimal("2.01"))
    return made


def make_issuer(cast: Cast) -> TokenIssuer:
    return TokenIssuer.objects.create(
        team=cast.team, client=cast.application.service_account, issuer="https://login.example", audience="shop",
        algorithms=["ES256"],
    )  # fmt: skip


def make_user_terms(cast: Cast) -> UserTerms:
    tool = make_version(cast).tool
    return UserTerms.objects.create(tool=tool, decision="REQUIRE_APPROVAL", created_by=cast.alice)


def make_rule(cast: Cast) -> ApprovalRule:
    return ApprovalRule.objects.create(
        team=cast.team, place=1, name="Two", stages=[{"needed": 2}], created_by=cast.alice
    )


def make_sampling(cast: Cast) -> SamplingRule:
    return SamplingRule.objects.create(
        team=cast.team, effect="reversible", at_least=20, percent=10, seed="5" * 32, created_by=cast.alice
    )


def make_oversight(cast: Cast) -> OversightRule:
    return OversightRule.objects.create(
        team=cast.team,
        most=20,
        within_s=600,
        pause_s=900,
        second_percent=10,
        seed="5" * 32,
        created_by=cast.alice,
    )


def make_absence(cast: Cast) -> Absence:
    """Make one that Fiona has declared herself; what is forged of it is said to be by Alice."""
    absence = absence_of(cast)
    absence.declared_by = cast.alice
    return absence


# Of a budget no further row is forged: a further ceiling only takes away.
GOVERNED = (
    Governed(ToolGrant, make_grant, {"decision": "ALLOW"}, {"version": 2, "state": "superseded"}),
    Governed(ToolVersion, make_version, {"effect": "read"}, {"number": 2}),
    Governed(Budget, lambda cast: BudgetFactory.create(team=cast.team), {"max_usd": Decimal(11)}),
    Governed(Price, lambda cast: PriceFactory.create(), {"input_usd_per_mtok": Decimal("0.01")}, {"model": "b"}),
    Governed(AgentVersion, make_draft, {"state": "published"}, {"number": 3}, may_go=True),
    Governed(
        DecisionTableVersion, table_of, {"state": "published", "published_at": timezone.now()}, {"number": 2},
        may_go=True,
    ),
    Governed(ApprovalRule, make_rule, {"ended_at": timezone.now()}, {"name": "Mine"}),
    Governed(
        SamplingRule, make_sampling, {"ended_at": timezone.now(), "at_least": 1},
        {"effect": "irreversible", "at_least": 1},
    ),
    Governed(OversightRule, make_oversight, {"ended_at": timezone.now(), "second_percent": 1}),
    Governed(Absence, make_absence, {"ends_at": timezone.now() + timedelta(days=20)}),
    Governed(UserTerms, make_user_terms, {"ended_at": timezone.now()}),
    Governed(
        Application, lambda cast: ApplicationFactory.create(team=cast.team, may_assert_users=False),
        {"may_assert_users": True}, may_go=True,
    ),
    Governed(TokenIssuer, make_issuer, {"audience": "till"}, {"issuer": "https://other.example"}, may_go=True),
    Governed(
        ChangeRule, lambda cast: ChangeRule.objects.get(verb="budget.set"), {"needs": "one"}, {"verb": "another"}
    ),
)  # fmt: skip


def save(governed: Governed, row: models.Model) -> None:
    for name, value in governed.looser.items():
        setattr(row, name, value)
    row.save()


def update(governed: Governed, row: models.Model) -> None:
    governed.rows.filter(pk=row.pk).update(**governed.looser)


def bulk_update(governed: Governed, row: models.Model) -> None:
    for name, value in governed.looser.items():
        setattr(row, name, value)
    governed.rows.bulk_update([row], list(governed.looser))


def sql_update(governed: Governed, row: models.Model) -> None:
    columns = ", ".join(f"{name} = %s" for name in governed.looser)
    statement = f"UPDATE {governed.table} SET {columns} WHERE id = %s"  # noqa: S608  our own names
    _execute(statement, *governed.looser.values(), row.pk)


def save_another(governed: Governed, row: models.Model) -> None:
    _another(governed, row).save(force_insert=True)


def bulk_create(governed: Governed, row: models.Model) -> None:
    governed.rows.bulk_create([_another(governed, row)])


def upsert(governed: Governed, row: models.Model) -> None:
    changed = list(governed.looser)
    governed.rows.bulk_create(
        [_another(governed, row, pk=row.pk)],
        update_conflicts=True,
        update_fields=changed,
        unique_fields=["id"],
    )


def delete(governed: Governed, row: models.Model) -> None:
    governed.rows.filter(pk=row.pk).delete()


def sql_delete(governed: Governed, row: models.Model) -> None:
    _execute(f"DELETE FROM {governed.table} WHERE id = %s", row.pk)  # noqa: S608  our own names


CHANGES = (save, update, bulk_update, sql_update)
REMOVALS = (delete, sql_delete)
ADDITIONS = (save_another, bulk_create, upsert)


def _another(governed: Governed, row: models.Model, pk: object = None) -> models.Model:
    another = copy(row)
    another.pk = pk or new_id()
    for name, value in {**governed.looser, **governed.anew}.items():
        setattr(another, name, value)
    return another


def _execute(statement: str, *values: Any) -> None:  # Any: a column's
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
