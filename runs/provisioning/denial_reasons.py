"""A team's ready-made reasons to deny."""

from __future__ import annotations

from typing import Any

from approvals.denials import set_denial_reasons
from approvals.models import DenialReasons
from identities.models import Team
from runs.provisioning.session import Session, at


def apply_denial_reasons(session: Session) -> None:
    """Have exactly the listed reasons; a team without a list keeps what it has."""
    for slug, entry in session.section("teams").items():
        if "denial_reasons" in entry:
            with at(f"teams/{slug}/denial_reasons"):
                _apply(session, session.team(slug), entry["denial_reasons"])


def _apply(session: Session, team: Team, listed: list[dict[str, Any]]) -> None:
    row = DenialReasons.objects.filter(pk=team.pk).first()
    before = row.reasons if row else None
    if before == listed:
        session.changed("denial reasons", team.slug, {})
        return
    set_denial_reasons(actor=session.actor, team=team, reasons=listed)
    session.changed("denial reasons", team.slug, {"reasons": (before, listed)})
