"""The breaker of each model of each provider: the one that tools have, with settings for models."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings

from agentops.engine.breaker import Admission, BreakerSettings
from agentops.engine.tiers import DOWN
from runs.planner.answers import Embedded, PlannerAnswer, PlannerFailure
from runs.routing.providers import Target, find_target
from tools.breaker import BreakerSnapshot, breaker

logger = logging.getLogger(__name__)

PROBE_MARGIN_S = 5.0
PROBE_WAIT_S = 5.0


def breaker_settings() -> BreakerSettings:
    """Return when a model's breaker trips: five failures in a row, or half of twenty calls in a minute."""
    return BreakerSettings(probe_lease_s=settings.MODEL_TIMEOUT_S + PROBE_MARGIN_S)


def admit(target: Target) -> Admission:
    """Ask whether a call may go out to a model; one that may owes a ``tell`` or a ``give_back``."""
    return breaker().admit(target.breaker_id, breaker_settings())


def give_back(target: Target, admission: Admission) -> None:
    """Return an admission unused: the call was not made after all."""
    breaker().record(target.breaker_id, breaker_settings(), None, admission.probe_token)


def tell(target: Target, admission: Admission, answer: PlannerAnswer | Embedded | PlannerFailure) -> None:
    """Tell the breaker how a call went. What has been answered is answered, whatever becomes of that."""
    try:
        breaker().record(target.breaker_id, breaker_settings(), verdict(answer), admission.probe_token)
    except Exception:  # a fault of ours or of Redis' answer; a probe's lease runs out by itself
        logger.exception("the breaker of %s could not be told", target.name)


def verdict(answer: PlannerAnswer | Embedded | PlannerFailure) -> bool | None:
    """Return whether the provider was there: who refuses or talks nonsense is. None: it was never asked."""
    if not isinstance(answer, PlannerFailure):
        return True
    return None if answer.code == "planner_request_invalid" else answer.code not in DOWN


def find_return(admission: Admission, now: datetime) -> datetime:
    """Return when to ask again for a model that is not there; somebody who tries it soon knows more."""
    soon = now + timedelta(seconds=PROBE_WAIT_S)
    if admission.state == "half_open" or admission.retry_at is None:
        return soon
    return admission.retry_at


def is_closed(name: str, now: datetime) -> bool:
    """Whether a call to a model would go out, as far as can be seen without asking to be let through."""
    seen = look_at(find_target(name))
    return seen.state == "closed" or (
        seen.state == "open" and seen.retry_at is not None and seen.retry_at <= now
    )


def look_at(target: Target) -> BreakerSnapshot:
    """Describe a model's breaker for people."""
    return breaker().snapshot(target.breaker_id, breaker_settings())
