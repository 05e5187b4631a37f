"""When people rest from approving, and what share of what they approve a second one looks at: a governed rule."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
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
from approvals.models import OversightRule
from approvals.pace import tell_span
from identities.changes import Change, as_json, clear_change
from identities.factors import require_fresh_factor
from identities.models import Team, User
from identities.policies import require
from tools.amounts import LARGEST

SET_OVERSIGHT = "oversight_rule.set"
MOST_APPROVALS = 1_000
LONGEST_S = 86_400

Row = dict[str, Any]  # Any: columns


@dataclass(frozen=True, slots=True)
class Oversight:
    """A rule as a person proposes it: when somebody rests, and what a second person looks at."""

    most: int | None = None
    within_s: int | None = None
    pause_s: int | None = None
    second_percent: int = 0
    second_below: Decimal | None = None
    currency: str = ""
    before_effect: bool = False

    def values(self) -> Row:
        """Return the columns; an amount always with the digits that are kept of it."""
        below = None if self.second_below is None else self.second_below.quantize(Decimal("0.0001"))
        return {**asdict(self), "second_below": below}


@transaction.atomic
def set_oversight_rule(*, actor: User, team: Team, oversight: Oversight | None) -> OversightRule | None:
    """Say how a team's people are watched over, in the stead of what stands; None: not at all.

    Raises ValidationFailed for a rule that cannot be kept, SecondPersonNeeded where one stands already.
    """
    locked = Team.objects.select_for_update(no_key=True).get(pk=team.pk)
    require(actor, PERMISSION, locked)
    require_fresh_factor(actor)
    if faults := list(_find_faults(oversight) if oversight else ()):
        raise ValidationFailed("invalid_rule", "; ".join(faults), problems=faults)
    present = OversightRule.objects.standing().filter(team=locked).first()
    after = oversight.values() if oversight else None
    before = _row(present) if present else None
    if before == after:
        return present
    cleared = clear_change(actor, _describe(locked, before, after))
    if present is not None:
        OversightRule.objects.filter(pk=present.pk).update(ended_at=TransactionNow())
    made = (
        None if after is None
        else OversightRule.objects.create(
            team=locked, created_by=actor, seed=secrets.token_hex(16), **after
        )
    )  # fmt: skip
    # Whoever knew the seed knew whose decisions nobody looks at: what stands shows its digest, what ended the seed.
    facts = {
        "rule": str(made.pk) if made else None,
        "seed_sha256": digest_seed(made.seed) if made else None,
        "ended_seed": present.seed if present else None,
    }
    said = {**facts, **as_json(after or {}), **cleared}
    record(locked.pk, "team", Draft(SET_OVERSIGHT, timezone.now(), said, actor=actor.pk))
    return made


def digest_seed(seed: str) -> str:
    """Return what is told of a seed that counts, so that it can be checked once it counts no more."""
    return hashlib.sha256(seed.encode()).hexdigest()


def _row(rule: OversightRule) -> Row:
    return {name: getattr(rule, name) for name in Oversight().values()}


def _describe(team: Team, before: Row | None, after: Row | None) -> Change:
    was = None if before is None else as_json(before)
    return Change(
        verb=SET_OVERSIGHT,
        subject=str(team.pk),
        team=team,
        permission=PERMISSION,
        title=f"How the people who decide about calls of {team} are watched over",
        arguments={"team": str(team.pk), "rule": None if after is None else as_json(after)},
        before=was,
        after=as_json(after or {}),
        loosening=() if before is None else tuple(sorted(before)),
        undo={"team": str(team.pk), "rule": was},
    )


def carry_out_oversight(actor: User, arguments: Row) -> object:
    """Set the rule that a proposal holds, or end the one that stands."""
    team, rule = Team.objects.get(pk=arguments["team"]), arguments["rule"]
    oversight = None if rule is None else read_oversight(rule)
    return set_oversight_rule(actor=actor, team=team, oversight=oversight)


def read_oversight(row: Mapping[str, Any]) -> Oversight:
    """Return a rule from its columns as JSON keeps them."""
    known = {name: row[name] for name in Oversight().values() if name in row}
    below = row.get("second_below")
    try:
        return Oversight(**{**known, "second_below": None if below is None else Decimal(below)})
    except InvalidOperation:
        raise ValidationFailed("invalid_rule", "second_below: a decimal, such as 50.00") from None


def _find_faults(rule: Oversight) -> Iterator[str]:
    rest = (rule.most, rule.within_s, rule.pause_s)
    if rest != (None, None, None):
        if not _is_whole(rule.most, 2, MOST_APPROVALS):
            yield f"most: a whole number from 2 to {MOST_APPROVALS}, with within_s and pause_s"
        for name, seconds in (("within_s", rule.within_s), ("pause_s", rule.pause_s)):
            if not _is_whole(seconds, 1, LONGEST_S):
                yield f"{name}: seconds, from 1 to {LONGEST_S}"
    if not _is_whole(rule.second_percent, 0, 100):
        yield "second_percent: a whole number from 0 to 100"
    if rest == (None, None, None) and rule.second_percent == 0:
        yield "most or second_percent: a rule says at least one of them"
    if (rule.second_below is None) != (not rule.currency):
        yield "second_below: goes with its currency, and neither without the other"
    if len(rule.currency) > 8 or rule.currency != rule.currency.strip():
        yield "currency: up to 8 characters, with no space around them"
    if rule.second_below is not None and not _can_be_kept(rule.second_below):
        yield f"second_below: more than 0, up to {LARGEST}, to 1/10,000"


def _is_whole(number: object, least: int, most: int) -> bool:
    return type(number) is int and least <= number <= most


def _can_be_kept(amount: Decimal) -> bool:
    return amount.is_finite() and 0 < amount <= LARGEST and amount == amount.quantize(Decimal("0.0001"))


def tell_rest_rule(rule: OversightRule) -> str:
    """Return in words when people rest."""
    if rule.most is None:
        return "nobody has to"
    return (
        f"who approves {rule.most} times within {tell_span(rule.within_s or 0)} without a rest approves nothing for"
        f" {tell_span(rule.pause_s or 0)}, and may still deny"
    )


def tell_second_rule(rule: OversightRule) -> str:
    """Return in words what a second person looks at, and when."""
    if not rule.second_percent:
        return "nothing is drawn"
    below = (
        f" that moves less than {plain_decimal(rule.second_below)} {rule.currency}, or nothing"
        if rule.second_below
        else ""
    )
    when = "before the call goes out" if rule.before_effect else "after it was approved"
    return (
        f"{rule.second_percent} % of what is asked{below}, none of it doubtful: a second person looks {when}"
    )
