"""What people do to the breaker of a model."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from identities.models import User
from identities.policies import may_govern, require
from runs.changes import PRICE
from runs.models import Price
from runs.routing.providers import find_target
from tools.breaker import breaker


@transaction.atomic
def reset_model_breaker(*, actor: User, price: Price) -> Price:
    """Close the breaker of the model that a price is of, and forget its failures: all teams' runs ask it again.

    For superusers: models belong to the installation. Raises AgentOpsError (breaker_unreachable) while Redis does not
    answer; nothing is recorded then.
    """
    require(actor, PRICE, None)
    target = find_target(price.model)
    facts = {"model": price.model, "provider": target.provider}
    record(price.id, "price", Draft("model_breaker.reset", timezone.now(), facts, actor=actor.id))
    breaker().reset(target.breaker_id)  # last: what is before it can be rolled back
    return price


def may_reset(person: User) -> bool:
    """Return whether somebody may have a model asked again before its breaker would."""
    return may_govern(person, PRICE, None).allowed
