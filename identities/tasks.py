"""Housekeeping: what was refused is told, what has ended is forgotten."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from identities.changes.deciding import expire_proposals
from identities.models import AgentIdentity
from identities.oauth.refusals import tell_refused_requests
from identities.oauth.spending import drop_ended
from identities.services.agents import suspend_unlooked_at_agent
from identities.signins import tell_refusals


@shared_task(name="identities.tell_refusals")
def tell() -> int:
    """Tell the refusals that were counted in cool-offs that are over."""
    return tell_refusals(now=timezone.now())


@shared_task(name="identities.tell_refused_token_requests")
def tell_token_requests() -> int:
    """Tell the requests for tokens that were refused in cool-offs that are over."""
    return tell_refused_requests(now=timezone.now())


@shared_task(name="identities.drop_used_identifiers")
def drop_identifiers() -> int:
    """Forget the identifiers of what has expired."""
    return drop_ended(timezone.now())


@shared_task(name="identities.suspend_unlooked_at")
def suspend_unlooked_at() -> int:
    """Suspend the agents that nobody recertified in time; none of them has acted since then."""
    found = list(AgentIdentity.objects.unlooked_at(timezone.now()))
    for agent in found:
        suspend_unlooked_at_agent(agent=agent)
    return len(found)


@shared_task(name="identities.expire_proposals")
def expire() -> int:
    """Close the proposals that nobody decided in time."""
    return expire_proposals(now=timezone.now())
