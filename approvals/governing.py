"""Rules about whose yes a call takes, as governed changes: two people, and both see every rule that stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from django.contrib.auth.models import Group
from django.contrib.postgres.functions import TransactionNow
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from agentops.errors import ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from approvals.models import ApprovalRule
from approvals.models.requests import Factor
from identities.changes import Change, as_json, clear_change
from identities.factors import require_fresh_factor
from identities.models import AgentIdentity, Team, User
from identities.policies import require
from tools.amounts import LARGEST
from tools.models import Effect, Tool

SET_RULE = "approval_rule.set"
PERMISSION = "approvals.add_approvalrule"
MOST_RULES, MOST_STAGES, MOST_PEOPLE, MOST_RUNGS = 50, 5, 10, 5
LONGEST_S = 7 * 86_400

Row = dict[str, Any]  # Any: columns


@dataclass(frozen=True, slots=True)
class Ruling:
    """A rule as a person proposes it. ``stages`` as the row holds them; what is left out fits every call."""

    name: str
    stages: Sequence[Mapping[str, Any]]  # Any: typed in by people, checked here
    tool: UUID | None = None
    effect: str = ""
    identity: UUID | None = None
    min_amount: Decimal | None = None
    currency: str = ""
    doubtful: bool = False
    reason_required: bool = False
    factor: str = Factor.ANY

    def values(self) -> Row:
        """Return the columns."""
        return {
            "name": self.name,
            "stages": [_plain(stage) for stage in self.stages],
            "tool_id": self.tool,
            "effect": self.effect,
            "identity_id": self.identity,
            "min_amount": self.min_amount,
            "currency": self.currency,
            "doubtful": self.doubtful,
            "reason_required": self.reason_required,
            "factor": self.factor,
        }


def _plain(stage: Mapping[str, Any]) -> Row:
    """Return a stage with everything said; what is no such thing is left for the check."""
    return {"group": None, "escalate": [], **stage}


@transaction.atomic
def set_approval_rule(*, actor: User, team: Team, place: int, ruling: Ruling | None) -> ApprovalRule | None:
    """Put a rule at a place of a team's, in the stead of the one that stands there; None ends that one.

    Raises ValidationFailed for a rule that cannot be kept, SecondPersonNeeded unless it only adds one at the end.
    """
    locked = Team.objects.select_for_update(no_key=True).get(pk=team.pk)
    require(actor, PERMISSION, locked)
    require_fresh_factor(actor)
    if faults := [*_find_place_faults(place), *(_find_faults(locked, ruling) if ruling else ())]:
        raise ValidationFailed("invalid_rule", "; ".join(faults), problems=faults)
    present = ApprovalRule.objects.standing().filter(team=locked, place=place).first()
    after = ruling.values() if ruling else None
    if (present is None and after is None) or (present is not None and _row(present) == after):
        return present
    cleared = clear_change(actor, _describe(locked, place, present, after))
    if present is not None:
        ApprovalRule.objects.filter(pk=present.pk).update(ended_at=TransactionNow())
    made = (
        None if after is None
        else ApprovalRule.objects.create(team=locked, place=place, created_by=actor, **after)
    )  # fmt: skip
    facts = {
        "place": place,
        "rule": str(made.pk) if made else None,
        "ended": str(present.pk) if present else None,
    }
    said = as_json(after or {})
    record(
        locked.pk,
        "team",
        Draft("approval_rule.set", timezone.now(), {**facts, **said, **cleared}, actor=actor.pk),
    )
    return made


def _row(rule: ApprovalRule) -> Row:
    return {name: getattr(rule, name) for name in Ruling("", ()).values()}


def _describe(team: Team, place: int, present: ApprovalRule | None, after: Row | None) -> Change:
    before = None if present is None else as_json(_row(present))
    arguments = {"team": str(team.pk), "place": place}
    last = ApprovalRule.objects.standing().filter(team=team).aggregate(last=Max("place"))["last"] or 0
    return Change(
        verb=SET_RULE,
        subject=f"{team.pk}:{place}",
        team=team,
        permission=PERMISSION,
        title=f"Whose yes calls of {team} take, rule {place}",
        arguments={**arguments, "rule": None if after is None else as_json(after)},
        before=before,
        after=as_json(after or {}),
        # Which rule stands before which decides too: only one behind all others takes nothing away.
        loosening=() if place > last else ("stages",),
        undo={**arguments, "rule": before},
    )


def carry_out_rule(actor: User, arguments: Row) -> object:
    """Set the rule that a proposal holds, or end the one that stands in its place."""
    team, rule = Team.objects.get(pk=arguments["team"]), arguments["rule"]
    ruling = None if rule is None else read_ruling(rule)
    return set_approval_rule(actor=actor, team=team, place=arguments["place"], ruling=ruling)


def read_ruling(row: Mapping[str, Any]) -> Ruling:
    """Return a rule from its columns as JSON keeps them."""
    others = {
        name: row[name]
        for name in ("effect", "currency", "doubtful", "reason_required", "factor")
        if name in row
    }
    return Ruling(
        row["name"], tuple(row["stages"]),
        tool=_id(row.get("tool_id")), identity=_id(row.get("identity_id")),
        min_amount=_amount(row.get("min_amount")), **others,
    )  # fmt: skip


def _amount(text: str | None) -> Decimal | None:
    try:
        return None if text is None else Decimal(text)
    except InvalidOperation:
        raise ValidationFailed("invalid_rule", "min_amount: a decimal, such as 500.00") from None


def _id(text: str | None) -> UUID | None:
    return UUID(text) if text else None


# --- what may be said -------------------------------------------------------------------------------------


def _find_place_faults(place: int) -> Iterator[str]:
    if type(place) is not int or not 1 <= place <= MOST_RULES:
        yield f"place: a whole number from 1 to {MOST_RULES}"


def _find_faults(team: Team, ruling: Ruling) -> Iterator[str]:
    if not ruling.name.strip() or len(ruling.name) > 80:
        yield "name: up to 80 characters"
    if ruling.tool and not Tool.objects.filter(pk=ruling.tool, team=team).exists():
        yield "tool: one of the team's"
    if ruling.identity and not AgentIdentity.objects.filter(pk=ruling.identity, team=team).exists():
        yield "identity: an agent of the team's"
    if ruling.effect and ruling.effect not in Effect.values:
        yield f"effect: one of {', '.join(Effect.values)}"
    if ruling.factor not in Factor.values:
        yield f"factor: one of {', '.join(Factor.values)}"
    if (ruling.min_amount is None) != (not ruling.currency):
        yield "min_amount: goes with its currency, and neither without the other"
    if len(ruling.currency) > 8 or ruling.currency != ruling.currency.strip():
        yield "currency: up to 8 characters, with no space around them"
    if ruling.min_amount is not None and not _can_be_kept(ruling.min_amount):
        yield f"min_amount: more than 0, up to {LARGEST}, to 1/10,000"
    yield from _find_stage_faults(ruling.stages)


def _can_be_kept(amount: Decimal) -> bool:
    return amount.is_finite() and 0 < amount <= LARGEST and amount == amount.quantize(Decimal("0.0001"))


def _find_stage_faults(stages: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not 1 <= len(stages) <= MOST_STAGES:
        yield f"stages: from 1 to {MOST_STAGES}"
    names: set[str] = set()
    for number, stage in enumerate(stages, start=1):
        where = f"stages/{number}"
        if not isinstance(stage, Mapping) or set(stage) - {"needed", "group", "escalate"}:
            yield f"{where}: has needed, group and escalate"
            continue
        if type(stage.get("needed")) is not int or not 1 <= stage["needed"] <= MOST_PEOPLE:
            yield f"{where}/needed: how many, from 1 to {MOST_PEOPLE}"
        if not isinstance(stage.get("group"), str | None):
            yield f"{where}/group: the group's name, or none for everybody who may"
            continue
        names |= {stage["group"]} if stage.get("group") is not None else set()
        yield from _find_ladder_faults(stage, where, names)
    missing = names - set(Group.objects.filter(name__in=names).values_list("name", flat=True))
    yield from (f"stages: there is no group {name}" for name in sorted(missing))


def _find_ladder_faults(stage: Mapping[str, Any], where: str, names: set[str]) -> Iterator[str]:
    steps, before = stage.get("escalate", ()), 0
    if not isinstance(steps, list | tuple) or len(steps) > MOST_RUNGS or (steps and not stage.get("group")):
        yield f"{where}/escalate: up to {MOST_RUNGS} steps, from one group to others"
        return
    for step in steps:
        if not isinstance(step, Mapping) or set(step) != {"after_s", "group"}:
            yield f"{where}/escalate: each step has after_s and group"
            return
        after_s = step["after_s"]
        if type(after_s) is not int or not before < after_s <= LONGEST_S:
            yield f"{where}/escalate: seconds that rise, at most {LONGEST_S}"
            return
        if not isinstance(step["group"], str):
            yield f"{where}/escalate: the group's name"
            return
        names.add(step["group"])
        before = after_s
