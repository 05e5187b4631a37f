"""How many people a change takes. A rule is itself governed: to loosen it always takes two."""

from __future__ import annotations

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from agentops.errors import ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from identities.changes.change import Change
from identities.changes.verbs import find_verb
from identities.models import ALWAYS_TWO, ChangeRule, Team, User
from identities.policies import require

PERMISSION = "identities.change_changerule"
SET_RULE = "rule.set"
Needs = ChangeRule.Needs
DEFAULT = Needs.TWO_TO_LOOSEN
LAXEST_FIRST = (Needs.ONE, Needs.TWO_TO_LOOSEN, Needs.TWO)


def find_need(verb: str, team: Team | None) -> str:
    """Return what a kind of change takes in a team; where no rule says so, two people for what loosens."""
    if verb in ALWAYS_TWO:
        return DEFAULT
    rules = ChangeRule.objects.filter(verb=verb, team=None)
    if team is not None:
        rules = rules | ChangeRule.objects.filter(verb=verb, team=team)
    rule = rules.order_by(F("team").asc(nulls_last=True)).first()
    return DEFAULT if rule is None else rule.needs


def is_one_enough(change: Change) -> bool:
    """Return whether the rules leave this change to one person."""
    need = find_need(change.verb, change.team)
    return need == Needs.ONE or (need == Needs.TWO_TO_LOOSEN and not change.loosening)


@transaction.atomic
def set_rule(*, actor: User, verb: str, team: Team | None, needs: str) -> ChangeRule | None:
    """Say how many people a kind of change takes; return the rule, None where it stays at the default.

    Raises ValidationFailed for what always takes two, SecondPersonNeeded for what loosens.
    """
    from identities.changes.clearing import clear_change  # which asks these rules

    require(actor, PERMISSION, team)
    _check(verb, needs)
    rule = ChangeRule.objects.select_for_update(of=("self",)).filter(verb=verb, team=team).first()
    before = find_need(verb, team)
    if before == needs and (rule is not None or team is None):
        return rule
    facts = clear_change(actor, _describe(verb, team, before, needs))
    rule = rule or ChangeRule(verb=verb, team=team)
    rule.needs = needs
    rule.save()
    said = {"verb": verb, "team": str(team.id) if team else None, "before": before, "needs": needs}
    record(rule.id, "rule", Draft("rule.set", timezone.now(), {**said, **facts}, actor=actor.id))
    return rule


def carry_out(actor: User, arguments: dict[str, str | None]) -> object:
    """Set the rule that a proposal names."""
    team = Team.objects.get(pk=arguments["team"]) if arguments["team"] else None
    return set_rule(actor=actor, verb=arguments["verb"] or "", team=team, needs=arguments["needs"] or "")


def _check(verb: str, needs: str) -> None:
    find_verb(verb)
    if needs not in Needs.values:
        raise ValidationFailed("unknown_need", f"choose one of {', '.join(Needs.values)}")
    if verb in ALWAYS_TWO:
        raise ValidationFailed("always_two", f"{verb} always takes two people")


def _describe(verb: str, team: Team | None, before: str, needs: str) -> Change:
    arguments = {"verb": verb, "team": str(team.id) if team else None, "needs": needs}
    loosens = LAXEST_FIRST.index(Needs(needs)) < LAXEST_FIRST.index(Needs(before))
    where = f"in team {team.slug}" if team else "in every team"
    return Change(
        verb=SET_RULE,
        subject=f"{verb}:{team.id if team else ''}",
        team=team,
        permission=PERMISSION,
        title=f"{find_verb(verb).label} {where}: {Needs(needs).label}",
        arguments=arguments,
        before={"needs": before},
        after={"needs": needs},
        loosening=("needs",) if loosens else (),
        undo={**arguments, "needs": before},
    )
