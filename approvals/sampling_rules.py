"""How many harmless requests have to be opened one by one before the rest is approved together: a governed rule."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from django.contrib.postgres.functions import TransactionNow
from django.db import transaction
from django.utils import timezone

from agentops.amounts import plain_decimal
from agentops.errors import ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from approvals.governing import PERMISSION
from approvals.models import SamplingRule
from identities.changes import Change, as_json, clear_change
from identities.factors import require_fresh_factor
from identities.models import Team, User
from identities.policies import require
from tools.amounts import LARGEST
from tools.models import Effect

SET_SAMPLING = "sampling_rule.set"
MOST_OPENED = 1_000
EFFECTS = (Effect.REVERSIBLE, Effect.IRREVERSIBLE)

Row = dict[str, Any]  # Any: columns


@dataclass(frozen=True, slots=True)
class Sampling:
    """A rule as a person proposes it: which requests are harmless, and how many of a group are opened at least."""

    at_least: int
    percent: int
    max_amount: Decimal | None = None
    currency: str = ""

    def values(self) -> Row:
        """Return the columns; an amount always with the digits that are kept of it."""
        amount = None if self.max_amount is None else self.max_amount.quantize(Decimal("0.0001"))
        return {
            "at_least": self.at_least,
            "percent": self.percent,
            "max_amount": amount,
            "currency": self.currency,
        }


@transaction.atomic
def set_sampling_rule(
    *, actor: User, team: Team, effect: str, sampling: Sampling | None
) -> SamplingRule | None:
    """Say how much has to be opened of a team's requests of an effect class; None: all of them, one by one.

    Raises ValidationFailed for a rule that cannot be kept, SecondPersonNeeded where less would be opened than now.
    """
    locked = Team.objects.select_for_update(no_key=True).get(pk=team.pk)
    require(actor, PERMISSION, locked)
    require_fresh_factor(actor)
    if faults := list(_find_faults(effect, sampling)):
        raise ValidationFailed("invalid_rule", "; ".join(faults), problems=faults)
    present = SamplingRule.objects.standing().filter(team=locked, effect=effect).first()
    after = sampling.values() if sampling else None
    before = _row(present) if present else None
    if before == after:
        return present
    cleared = clear_change(actor, _describe(locked, effect, before, after))
    if present is not None:
        SamplingRule.objects.filter(pk=present.pk).update(ended_at=TransactionNow())
    made = (
        None if after is None
        else SamplingRule.objects.create(
            team=locked, effect=effect, created_by=actor, seed=secrets.token_hex(16), **after
        )
    )  # fmt: skip
    facts = {"effect": effect, "rule": str(made.pk) if made else None, "seed": made.seed if made else None}
    said = {**facts, **as_json(after or {}), **cleared}
    record(locked.pk, "team", Draft(SET_SAMPLING, timezone.now(), said, actor=actor.pk))
    return made


def _row(rule: SamplingRule) -> Row:
    return {name: getattr(rule, name) for name in Sampling(1, 0).values()}


def _describe(team: Team, effect: str, before: Row | None, after: Row | None) -> Change:
    arguments = {"team": str(team.pk), "effect": effect}
    was = None if before is None else as_json(before)
    return Change(
        verb=SET_SAMPLING,
        subject=f"{team.pk}:{effect}",
        team=team,
        permission=PERMISSION,
        title=f"How many {effect} calls of {team} are opened before the rest is approved together",
        arguments={**arguments, "rule": None if after is None else as_json(after)},
        before=was,
        after=as_json(after or {}),
        loosening=find_looser(before, after),
        undo={**arguments, "rule": was},
    )


def find_looser(before: Row | None, after: Row | None) -> tuple[str, ...]:
    """Return what of a rule lets more be approved unseen than before; where none stood, everything does."""
    if after is None:
        return ()
    if before is None:
        return tuple(after)
    looser = [name for name in ("at_least", "percent") if after[name] < before[name]]
    if after["max_amount"] is not None and (
        before["max_amount"] is None
        or after["max_amount"] > before["max_amount"]
        or after["currency"] != before["currency"]
    ):
        looser.append("max_amount")
    return tuple(looser)


def carry_out_sampling(actor: User, arguments: Row) -> object:
    """Set the rule that a proposal holds, or end the one that stands."""
    team, rule = Team.objects.get(pk=arguments["team"]), arguments["rule"]
    sampling = None if rule is None else read_sampling(rule)
    return set_sampling_rule(actor=actor, team=team, effect=arguments["effect"], sampling=sampling)


def read_sampling(row: Mapping[str, Any]) -> Sampling:
    """Return a rule from its columns as JSON keeps them."""
    amount = row.get("max_amount")
    try:
        most = None if amount is None else Decimal(amount)
    except InvalidOperation:
        raise ValidationFailed("invalid_rule", "max_amount: a decimal, such as 50.00") from None
    return Sampling(row["at_least"], row["percent"], most, row.get("currency", ""))


def _find_faults(effect: str, sampling: Sampling | None) -> Iterator[str]:
    if effect not in EFFECTS:
        yield f"effect: one of {', '.join(EFFECTS)}"
    if sampling is None:
        return
    if type(sampling.at_least) is not int or not 1 <= sampling.at_least <= MOST_OPENED:
        yield f"at_least: a whole number from 1 to {MOST_OPENED}"
    if type(sampling.percent) is not int or not 0 <= sampling.percent <= 100:
        yield "percent: a whole number from 0 to 100"
    if (sampling.max_amount is None) != (not sampling.currency):
        yield "max_amount: goes with its currency, and neither without the other"
    if len(sampling.currency) > 8 or sampling.currency != sampling.currency.strip():
        yield "currency: up to 8 characters, with no space around them"
    if sampling.max_amount is not None and not _can_be_kept(sampling.max_amount):
        yield f"max_amount: more than 0, up to {LARGEST}, to 1/10,000"


def _can_be_kept(amount: Decimal) -> bool:
    return amount.is_finite() and 0 < amount <= LARGEST and amount == amount.quantize(Decimal("0.0001"))


def tell_sampling(rule: SamplingRule) -> str:
    """Return how many have to be opened, and of which requests, in words."""
    moved = (
        f"of less than {plain_decimal(rule.max_amount)} {rule.currency}, or of nothing"
        if rule.max_amount
        else "that move no money"
    )
    share = f", or {rule.percent} % if that is more" if rule.percent else ""
    return f"{rule.effect} calls {moved}, none of them doubtful: at least {rule.at_least} are opened{share}"
