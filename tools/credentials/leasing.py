"""The life of a credential: leased for one attempt, ended after it whatever happens, by a sweeper if need be."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import LiteralString
from uuid import UUID

from django.utils import timezone

from agentops.database import orm_section
from agentops.errors import AgentOpsError
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from identities.alarms import LEASE_NOT_ENDED, Alarm, sound
from identities.models import SecretLease
from tools.calls import CREDENTIAL, Call
from tools.credentials.concealing import attempt_concealed
from tools.credentials.leases import (
    Lease,
    claim_due,
    is_issued,
    keep_handle,
    note_ended,
    note_failed,
    note_revoking,
    open_lease,
    read_due,
    read_handle,
    take_back,
)
from tools.credentials.material import Answer, Credential
from tools.credentials.providers import CredentialTrouble, get_provider
from tools.models import Tool
from tools.outcomes import Outcome, fail

logger = logging.getLogger(__name__)

SWEEP_BATCH = 50
AT_ONCE = 8  # targets may be slow, and some do not answer


def with_credential(call: Call, attempt: Callable[[Call], Answer], *, asking: bool = False) -> Answer:
    """Make an attempt with the credential that the tool's configuration names, if it names one.

    What the adapter says or raises is told without it. ``asking``: the attempt only reads back what became of another.
    """
    slug = call.spec.config.get(CREDENTIAL)
    if not slug:
        return attempt(call)
    try:
        lease = open_lease(call, slug, asking=asking)
    except Exception as error:  # nothing was sent: it must not count as an effect in doubt
        return _note_unavailable(call, error)
    try:
        return _attempt_leased(call, attempt, lease)
    finally:
        end_lease(lease)


def _attempt_leased(call: Call, attempt: Callable[[Call], Answer], lease: Lease) -> Answer:
    try:
        credential = _release(lease)
    except Exception as error:  # nothing was sent to the tool, whatever its provider did
        return _note_unavailable(call, error)
    return attempt_concealed(credential, replace(call, credential=credential), attempt)


def _release(lease: Lease) -> Credential:
    provider = get_provider(lease.provider)
    handle = provider.handle_of(lease.terms.id)
    if handle:
        keep_handle(lease, handle)  # before there is anything to end: this process may die right after it
    released = provider.issue(lease.secret, lease.terms)
    if released.handle:
        keep_handle(lease, released.handle)
    if (handle or released.handle) and not is_issued(lease.terms.id):
        # It was ended before there was anything to end.
        raise CredentialTrouble("credential_unavailable", "the credential was taken back while it was issued")
    settings = lease.secret.settings
    header, scheme = getattr(settings, "header", ""), getattr(settings, "scheme", "")
    return Credential(released.material, header, scheme, parts=released.parts)


def _note_unavailable(call: Call, error: Exception) -> Outcome:
    """Only an error of ours is quoted: others may hold what the provider was given."""
    known = isinstance(error, AgentOpsError)
    logger.warning("no credential for %s: %s", call.spec.name, error if known else type(error).__name__)
    detail = error.detail if isinstance(error, AgentOpsError) else "The credential could not be had."
    retryable = error.retryable if isinstance(error, AgentOpsError) else True
    return fail("credential_unavailable", detail, retryable=retryable)


def end_lease(lease: Lease) -> bool:
    """End a lease at its provider, and return whether that worked; where it did not, a sweep tries again."""
    try:
        provider = get_provider(lease.provider)
        handle = lease.handle or provider.handle_of(lease.terms.id) or read_handle(lease.terms.id)
        if handle:
            note_revoking(lease.terms.id)
            provider.end(lease.secret, handle)
        note_ended(lease.terms.id)
    except Exception as error:  # a boundary: the attempt has its outcome, and the lease its row
        _note_failed_end(lease.terms.id, lease.secret_id, error)
        return False
    return True


def sweep_leases() -> int:
    """End the leases whose time is over or whose end failed; return how many have ended now."""
    return sum(_end_due(*due) for due in claim_due(SWEEP_BATCH))


def end_leases(concerned: LiteralString, value: str) -> int:
    """End at once the leases in force that meet a condition on this value; return how many have ended.

    The worker whose call has one ends it, too: doing it twice is fine.
    """
    taken = take_back(concerned, value)
    with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="leases") as pool:
        return sum(pool.map(lambda due: _end_due(*due), taken))


def _end_due(lease_id: UUID, secret_id: UUID, row: object) -> bool:
    try:
        lease = read_due(row)
    except Exception as error:  # a key is missing, say: the lease stays to be ended
        _note_failed_end(lease_id, secret_id, error)
        return False
    return end_lease(lease)


def _note_failed_end(lease_id: UUID, secret_id: UUID, error: Exception) -> None:
    """Write down what blocks the grant from now on, and once in the ledger. Raises nothing."""
    words = error.detail if isinstance(error, CredentialTrouble) else type(error).__name__
    logger.error("the credential of lease %s could not be ended: %s", lease_id, words)
    try:
        if note_failed(lease_id, words) == 1:
            with orm_section():
                facts = {"lease": str(lease_id)}
                record(secret_id, "secret", Draft("lease.end_failed", timezone.now(), facts))
                _sound(lease_id)
    except Exception:  # the database is gone: the row says "issued" or "revoking", and the sweep finds it
        logger.exception("lease %s is left to the sweep", lease_id)


def _sound(lease_id: UUID) -> None:
    """Tell the team whose tool's calls wait for it now, once."""
    lease = SecretLease.objects.select_related("secret__team", "identity").get(pk=lease_id)
    tool = Tool.objects.get(pk=lease.tool_id)
    facts = {"secret": lease.secret.slug, "agent": lease.identity.name, "tool": tool.name}
    sound(Alarm(LEASE_NOT_ENDED, lease.secret.team, lease.secret_id, facts, str(lease_id)))
