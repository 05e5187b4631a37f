"""Budgets and prices as governed changes: what is compared, proposed, and called when it is activated."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from identities.changes import Change, as_json, find_loosening
from identities.models import AgentIdentity, Team, User
from runs.models import Budget, Price
from runs.planner.prices import Price as Rates

SET_BUDGET, SET_PRICE = "budget.set", "price.set"
BUDGET, PRICE = "runs.add_budget", "runs.add_price"

Row = dict[str, Any]  # Any: columns


def describe_budget(
    team: Team, identity: AgentIdentity | None, window: str, present: Budget | None, limits: Row
) -> Change:
    """Describe a ceiling. A new one only takes away; one that no verb takes away again."""
    whose = None if identity is None else str(identity.id)
    arguments = {"team": str(team.id), "identity": whose, "window": window}
    values = None if present is None else {name: getattr(present, name) for name in limits}
    before = None if values is None else as_json(values)
    return Change(
        verb=SET_BUDGET,
        subject=f"{team.id}:{whose or ''}:{window}",
        team=team,
        permission=BUDGET,
        title=f"What {identity or team} may spend per {window}",
        arguments={**arguments, **as_json(limits)},
        before=before,
        after=as_json(limits),
        loosening=() if values is None else find_loosening(values, limits),
        undo=None if before is None else {**arguments, **before},
    )


def describe_price(row: Price, rates: Mapping[str, Decimal], previous: Price | None) -> Change:
    """Describe a price. None is tighter than another: too low a one stretches every budget."""
    names = tuple(rates)
    before = None if previous is None else _stated(previous, names)
    after = _stated(row, names)
    return Change(
        verb=SET_PRICE,
        subject=row.model,
        team=None,
        permission=PRICE,
        title=f"What {row.model} costs",
        arguments={"model": row.model, **after, **as_json(rates)},
        before=before,
        after={**after, "active": True},
        loosening=tuple(name for name in after if before is None or before[name] != after[name]),
        undo=None if before is None or previous is None else _priced(previous, before),
    )


def _stated(row: Price, names: tuple[str, ...]) -> Row:
    return as_json({"version": row.version, **{name: getattr(row, name) for name in names}})


def _priced(row: Price, stated: Row) -> Row:
    """Return the arguments that put a row into force; what it leaves open costs what plain input does."""
    rates = {name: stated[name] or stated["input_usd_per_mtok"] for name in stated if name != "version"}
    return {"model": row.model, "version": row.version, **rates}


def carry_out_budget(actor: User, arguments: Row) -> object:
    """Set the ceiling that a proposal holds."""
    from runs.budgeting import set_budget  # which describes itself here

    names = ("max_steps", "max_tokens", "max_usd")
    limits = {name: arguments[name] for name in names}
    if limits["max_usd"] is not None:
        limits["max_usd"] = Decimal(limits["max_usd"])
    whose = arguments["identity"]
    return set_budget(
        actor=actor,
        team=Team.objects.get(pk=arguments["team"]),
        identity=AgentIdentity.objects.get(pk=whose) if whose else None,
        window=arguments["window"],
        **limits,
    )


def carry_out_price(actor: User, arguments: Row) -> object:
    """Put the price into force that a proposal holds."""
    from runs.pricing import set_price  # which describes itself here

    rates = {name: Decimal(value) for name, value in arguments.items() if name not in ("model", "version")}
    price = Rates(model=arguments["model"], version=arguments["version"], **rates)
    return set_price(actor=actor, price=price)
