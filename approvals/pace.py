"""Fatigue: who has approved too much without a rest approves nothing for a while, and may still deny.

The decision and the page ask the same; it is counted from the decisions themselves, whichever way they were given.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from agentops.errors import PolicyDenied
from approvals.models import ApprovalDecision, OversightRule
from identities.models import Team, User

CODE = "needs_a_rest"
GIVES = ("approve", "edit")  # verdicts that let something out


def find_rest(times: Sequence[datetime], most: int, within_s: int, pause_s: int) -> datetime | None:
    """Return until when somebody rests who approved at these times, the latest first; None where they do not. Pure.

    A gap as long as a rest is one: what lies before it does not count any more.
    """
    latest = list(times[:most])
    pause = timedelta(seconds=pause_s)
    if len(latest) < most or latest[0] - latest[-1] > timedelta(seconds=within_s):
        return None
    if any(later - earlier >= pause for later, earlier in pairwise(latest)):
        return None
    return latest[0] + pause


def read_rest(person: User, team: Team | UUID, now: datetime) -> datetime | None:
    """Return until when this person approves nothing of a team's, if they have to rest; ``team`` may be its id."""
    rule = OversightRule.objects.standing().filter(team=team, most__isnull=False).first()
    return None if rule is None else rest_by(rule, person, now)


def rest_by(rule: OversightRule, person: User, now: datetime) -> datetime | None:
    """Return until when this person rests by a rule; None where they need not."""
    if rule.most is None or rule.within_s is None or rule.pause_s is None:
        return None
    until = find_rest(read_times(person, rule.most), rule.most, rule.within_s, rule.pause_s)
    return until if until and until > now else None


def read_times(person: User, most: int) -> list[datetime]:
    """Return when this person last approved, in whichever team: they have one attention.

    What was decided in one piece of a batch is one act: how much of that is opened is the sampling rule's to say.
    """
    given = ApprovalDecision.objects.filter(Q(verdict__in=GIVES), decided_by=person, by_edit=False)
    times = given.order_by("-decided_at").values_list("decided_at", flat=True).distinct()
    return list(times[:most])


def require_rested(person: User, team: UUID) -> None:
    """Refuse an approval of somebody who has to rest, in the caller's transaction: raises PolicyDenied.

    Their row is locked, so that two tabs do not approve the last one twice.
    """
    rule = OversightRule.objects.standing().filter(team=team, most__isnull=False).first()
    if rule is None:
        return
    User.objects.select_for_update(no_key=True).get(pk=person.pk)
    if until := rest_by(rule, person, timezone.now()):
        raise PolicyDenied(CODE, tell_rest(rule, until))


def read_rest_in_words(person: User, team: UUID) -> str:
    """Return in words that this person has to rest from approving calls of a team; empty where they need not."""
    rule = OversightRule.objects.standing().filter(team=team, most__isnull=False).first()
    until = rule and rest_by(rule, person, timezone.now())
    return tell_rest(rule, until) if rule and until else ""


def tell_rest(rule: OversightRule, until: datetime) -> str:
    """Return in words that somebody has to rest, for how long, and what goes on meanwhile."""
    at = timezone.localtime(until).strftime("%H:%M:%S %Z")
    return (
        f"you have approved {rule.most} times within {tell_span(rule.within_s or 0)}: rest until {at}. Until then"
        " others approve; you may still deny, or ask the agent"
    )


def tell_span(seconds: int) -> str:
    """Return a length of time in words."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds % size == 0 and seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
