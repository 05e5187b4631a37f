"""How many decisions an hour each approver of a team is good for."""

from __future__ import annotations

from approvals.capacity import set_review_capacity
from approvals.models import ReviewCapacity
from identities.models import Team
from runs.provisioning.session import Session, at


def apply_review_capacity(session: Session) -> None:
    """Bound what the people of teams are asked, or where null is no more; a team without a word keeps what it has."""
    for slug, entry in session.section("teams").items():
        if "reviews_per_approver_hour" in entry:
            with at(f"teams/{slug}/reviews_per_approver_hour"):
                _apply(session, session.team(slug), entry["reviews_per_approver_hour"])


def _apply(session: Session, team: Team, number: int | None) -> None:
    before = ReviewCapacity.objects.filter(team=team).values_list("per_approver_hour", flat=True).first()
    set_review_capacity(actor=session.actor, team=team, per_approver_hour=number)
    if before is None and number is not None:
        session.created("review capacity", team.slug, {"per_approver_hour": number})
    else:
        session.changed(
            "review capacity", team.slug, {} if before == number else {"per_approver_hour": (before, number)}
        )
