"""The price table: what a model costs from now on. A price is never edited, a new version replaces it."""

from __future__ import annotations

from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from agentops.errors import ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.rows import Changes, insert_row
from identities.changes import clear_change
from identities.factors import require_fresh_factor
from identities.models import User
from identities.policies import require
from runs import models
from runs.changes import PRICE, describe_price
from runs.planner.prices import Price

RATES = (
    "input_usd_per_mtok",
    "output_usd_per_mtok",
    "cached_input_usd_per_mtok",
    "cache_write_usd_per_mtok",
)


@transaction.atomic
def set_price(*, actor: User, price: Price) -> tuple[models.Price, Changes]:
    """Put a price into force; return its row with what changed.

    For superusers: prices belong to the installation. Raises ValidationFailed when the version is known with
    other rates, SecondPersonNeeded for every price: too low a one stretches all budgets.
    """
    require(actor, PRICE, None)
    require_fresh_factor(actor)
    rows = models.Price.objects.select_for_update().filter(model=price.model)
    known = {row.version: row for row in rows}
    row = known.get(price.version) or _new_row(price)
    if _rates(row) != {name: getattr(price, name) for name in RATES}:
        problem = f"{price.model} has other rates under {price.version!r}: give these another version"
        raise ValidationFailed("price_version_reused", problem)
    if row.active and price.version in known:
        return row, {}
    previous = next((other for other in known.values() if other.active), None)
    cleared = clear_change(actor, describe_price(row, _rates(row), previous))
    if previous is not None:
        previous.active = False
        previous.save(update_fields=["active"])
    row.active = True
    if price.version in known:
        row.save(update_fields=["active"])
    else:
        insert_row(row)
    rates = {name: str(rate) for name, rate in _rates(row).items()}
    facts = {"model": row.model, "version": row.version, **rates, **cleared}
    record(row.id, "price", Draft("price.set", timezone.now(), facts, actor=actor.id))
    return row, _changes(previous, row)


def _new_row(price: Price) -> models.Price:
    return models.Price(
        model=price.model, version=price.version, **{name: getattr(price, name) for name in RATES}
    )


def _rates(row: models.Price) -> dict[str, Decimal]:
    """Return all four rates; what a row leaves open costs what plain input does."""
    rates = {name: getattr(row, name) for name in RATES}
    return {name: row.input_usd_per_mtok if rate is None else rate for name, rate in rates.items()}


def _changes(previous: models.Price | None, row: models.Price) -> Changes:
    before = {} if previous is None else {"version": previous.version, **_rates(previous)}
    after = {"version": row.version, **_rates(row)}
    return {name: (before.get(name), value) for name, value in after.items() if before.get(name) != value}
