"""A team's rules about whose yes calls take."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import Any

from approvals.governing import Ruling, set_approval_rule
from approvals.models import ApprovalRule
from identities.models import Team
from runs.provisioning.session import Session, at

FIELDS = ("effect", "currency", "doubtful", "reason_required", "factor")


def apply_approval_rules(session: Session) -> None:
    """Have exactly the listed rules stand, in their order; a team without a list keeps what it has."""
    for slug, entry in session.section("teams").items():
        if "approval_rules" in entry:
            with at(f"teams/{slug}/approval_rules"):
                _apply_rules(session, session.team(slug), entry["approval_rules"])


def _apply_rules(session: Session, team: Team, listed: list[dict[str, Any]]) -> None:
    standing = ApprovalRule.objects.standing().filter(team=team)
    places = set(standing.values_list("place", flat=True)) | set(range(1, len(listed) + 1))
    for place in sorted(places):
        ruling = _read(session, team, listed[place - 1]) if place <= len(listed) else None
        name, before = f"{team.slug}, rule {place}", standing.filter(place=place).first()
        setting = partial(set_approval_rule, actor=session.actor, team=team, place=place, ruling=ruling)
        waiting = len(session.waiting)
        after = session.govern(f"approval rule {name}", setting)
        if len(session.waiting) > waiting or after == before:
            session.changed("approval rule", name, {})
        elif after is not None and before is None:
            session.created("approval rule", name, {"name": after.name, "stages": after.stages})
        else:
            pair = (before and (before.name, before.stages), after and (after.name, after.stages))
            session.changed("approval rule", name, {"rule": pair})


def _read(session: Session, team: Team, entry: dict[str, Any]) -> Ruling:
    least = entry.get("min_amount")
    return Ruling(
        entry["name"],
        tuple(entry["stages"]),
        tool=session.tool(team, entry["tool"]).pk if "tool" in entry else None,
        identity=session.agent(entry["agent"]).pk if "agent" in entry else None,
        min_amount=None if least is None else Decimal(least),
        **{name: entry[name] for name in FIELDS if name in entry},
    )
