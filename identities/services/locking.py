"""Locks: an identity whose old key came back is stopped before anybody has to be asked."""

from __future__ import annotations

import logging

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from identities.alarms import AGENT_LOCKED, APPLICATION_LOCKED, Alarm, sound
from identities.clients import owner_of, stream_of
from identities.models import Credential, User
from identities.services.agents import suspend_locked_agent
from identities.services.delegations import revoke_delegations_of

_log = logging.getLogger(__name__)


@transaction.atomic
def lock_identity(*, account: User, credential: Credential) -> None:
    """Stop a client for an old generation of its keys: no key, token or delegation of it counts any more.

    An agent is suspended; an application, which has no such state, gets a new key set from a person. Nobody
    is the actor: whoever presented the key is not known.
    """
    now = timezone.now()
    standing = Credential.objects.filter(owner=account, revoked_at=None)
    standing.update(revoked_at=now)
    Credential.objects.filter(pk=credential.pk).update(misused_at=now)
    facts = {"credential": str(credential.pk), "generation": credential.generation, "cause": "old_generation"}
    stream, kind = stream_of(account)
    record(stream, kind, Draft("identity.locked", now, facts))
    if account.kind == User.Kind.AGENT:
        suspend_locked_agent(agent=account.agent_identity)
    else:
        User.objects.filter(pk=account.pk).update(token_epoch=F("token_epoch") + 1)
        revoke_delegations_of(account=account)
    _sound(account, credential)
    _log.error("%s is locked: generation %s of its keys came back", owner_of(account), credential.generation)


def _sound(account: User, credential: Credential) -> None:
    """Tell the team, once for this generation: who holds the copy may go on presenting it."""
    owner = owner_of(account)
    kind = AGENT_LOCKED if account.kind == User.Kind.AGENT else APPLICATION_LOCKED
    facts = {"client": owner.name, "generation": credential.generation, "team": owner.team.slug}
    sound(Alarm(kind, owner.team, owner.pk, facts, str(credential.pk)))
