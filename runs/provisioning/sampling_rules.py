"""How many of a team's harmless requests are opened before the rest is approved together, by effect class."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import Any

from approvals.models import SamplingRule
from approvals.sampling_rules import EFFECTS, Sampling, set_sampling_rule
from identities.models import Team
from runs.provisioning.session import Session, at


def apply_sampling_rules(session: Session) -> None:
    """Have exactly the listed rules stand; a team without a list keeps what it has."""
    for slug, entry in session.section("teams").items():
        if "sampling_rules" in entry:
            with at(f"teams/{slug}/sampling_rules"):
                _apply_rules(session, session.team(slug), entry["sampling_rules"])


def _apply_rules(session: Session, team: Team, listed: dict[str, dict[str, Any]]) -> None:
    for effect in EFFECTS:
        sampling = _read(listed[effect]) if effect in listed else None
        name, before = f"{team.slug}, {effect}", _standing(team, effect)
        setting = partial(set_sampling_rule, actor=session.actor, team=team, effect=effect, sampling=sampling)
        waiting = len(session.waiting)
        after = session.govern(f"sampling rule {name}", setting)
        if len(session.waiting) > waiting or after == before:
            session.changed("sampling rule", name, {})
        elif after is not None and before is None:
            session.created("sampling rule", name, {"at_least": after.at_least, "percent": after.percent})
        else:
            session.changed("sampling rule", name, {"rule": (_told(before), _told(after))})


def _standing(team: Team, effect: str) -> SamplingRule | None:
    return SamplingRule.objects.standing().filter(team=team, effect=effect).first()


def _told(rule: SamplingRule | None) -> tuple[object, ...] | None:
    return None if rule is None else (rule.at_least, rule.percent, rule.max_amount, rule.currency)


def _read(entry: dict[str, Any]) -> Sampling:
    most = entry.get("max_amount")
    return Sampling(
        entry["at_least"],
        entry["percent"],
        None if most is None else Decimal(most),
        entry.get("currency", ""),
    )
