"""Prices of models, and budgets that runs share."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Any

from agentops.errors import ValidationFailed
from runs.budgeting import set_budget
from runs.models import Budget
from runs.planner.prices import Price, seed_prices
from runs.pricing import RATES, set_price
from runs.provisioning.session import Session, at

PUBLIC = "genai-prices"
CEILINGS = ("max_steps", "max_tokens", "max_usd")


def apply_prices(session: Session) -> None:
    """Put each listed price into force."""
    for model, entry in session.section("prices").items():
        with at(f"prices/{model}"):
            price = (
                public_price(model)
                if entry.get("source") == PUBLIC
                else stated_price(model, entry["version"], entry)
            )
            done = session.govern(f"price {model}", partial(set_price, actor=session.actor, price=price))
            changes = {} if done is None else done[1]
            if done is not None and changes.get("version", ("", ""))[0] is None:
                session.created("price", model, {name: after for name, (_, after) in changes.items()})
            else:
                session.changed("price", model, changes)


def apply_budgets(session: Session) -> None:
    """Set each listed budget."""
    for place, entry in enumerate(session.document.get("budgets", [])):
        with at(f"budgets/{place}"):
            team = session.team(entry["team"])
            agent = session.agent(entry["agent"]) if "agent" in entry else None
            window = entry["window"]
            before = Budget.objects.filter(team=team, identity=agent, window=window).first()
            ceilings = _ceilings(before, entry)
            set_it = partial(set_budget, actor=session.actor, team=team, identity=agent, window=window)
            name = f"{agent or team} per {window}"
            done = session.govern(f"budget {name}", partial(set_it, **ceilings))
            changes = {} if done is None else done[1]
            if before is None and done is not None:
                session.created("budget", name, {name: after for name, (_, after) in changes.items()})
            else:
                session.changed("budget", name, changes)


def _ceilings(before: Budget | None, entry: dict[str, Any]) -> dict[str, Any]:
    """Return a budget's ceilings: an absent one stays as it is, only an explicit null takes it away.

    An entry that states none limits nothing; the service refuses that.
    """
    stated = {name: entry[name] for name in CEILINGS if name in entry}
    kept = {name: getattr(before, name, None) for name in CEILINGS if stated}
    ceilings = {**kept, **stated}
    if ceilings.get("max_usd") is not None:
        ceilings["max_usd"] = Decimal(ceilings["max_usd"])
    return ceilings


def public_price(model: str) -> Price:
    """Return a model's public price; raises ValidationFailed for one that is not known."""
    try:
        return seed_prices([model])[0]
    except LookupError as error:
        problem = f"no public price of {model!r} is known: state its rates"
        raise ValidationFailed("unknown_price", problem) from error


def stated_price(model: str, version: str, rates: Mapping[str, str]) -> Price:
    """Return a price from texts; a rate that is not stated costs what plain input does.

    ``rates`` are those of ``RATES``. Raises ValidationFailed for what is not a decimal.
    """
    try:
        known = {name: Decimal(rates.get(name) or rates["input_usd_per_mtok"]) for name in RATES}
        return Price(model=model, version=version, **known)
    except (ArithmeticError, ValueError) as error:
        raise ValidationFailed("invalid_price", f"the rates of {model!r} are not decimals from 0") from error
