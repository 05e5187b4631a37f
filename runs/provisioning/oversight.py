"""How the people who decide about a team's calls are watched over: when they rest, and what a second one sees."""

from __future__ import annotations

from functools import partial
from typing import Any

from agentops.amounts import plain_decimal
from approvals.models import OversightRule
from approvals.oversight_rules import Oversight, read_oversight, set_oversight_rule
from identities.models import Team
from runs.provisioning.session import Session, at

FIELDS = tuple(Oversight().values())  # never the seed, by which what is drawn could be foreseen


def apply_oversight_rules(session: Session) -> None:
    """Have the stated rule stand, and none where null is; a team without a word about it keeps what it has."""
    for slug, entry in session.section("teams").items():
        if "oversight_rule" in entry:
            with at(f"teams/{slug}/oversight_rule"):
                _apply_rule(session, session.team(slug), entry["oversight_rule"])


def _apply_rule(session: Session, team: Team, stated: dict[str, Any] | None) -> None:
    before = _tell(OversightRule.objects.standing().filter(team=team).first())
    oversight = None if stated is None else read_oversight(stated)
    setting = partial(set_oversight_rule, actor=session.actor, team=team, oversight=oversight)
    waiting = len(session.waiting)
    after = _tell(session.govern(f"oversight rule {team.slug}", setting))
    if len(session.waiting) > waiting or after == before:
        session.changed("oversight rule", team.slug, {})
    elif before:
        pairs = {name: (before[name], after.get(name)) for name in before}
        session.changed(
            "oversight rule", team.slug, {n: pair for n, pair in pairs.items() if pair[0] != pair[1]}
        )
    else:
        session.created("oversight rule", team.slug, after)


def _tell(rule: OversightRule | None) -> dict[str, object]:
    if rule is None:
        return {}
    below = None if rule.second_below is None else plain_decimal(rule.second_below)
    return {**{name: getattr(rule, name) for name in FIELDS}, "second_below": below}
