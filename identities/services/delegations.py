"""Delegations: each hop recorded and signed, and taken back with everything that came of it."""

from __future__ import annotations

from datetime import datetime

from django.db import connection, transaction
from django.utils import timezone

from agentops.errors import StateConflict
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.rows import insert_row
from identities.clients import owner_of, stream_of
from identities.factors import require_fresh_factor
from identities.models import Credential, Delegation, KillSwitch, TokenIssuer, User
from identities.policies import enforce, may_govern, may_stop_agent

# With what hangs below it. Repeated until it finds nothing: a child may be committed while its parent is
# waited for, and this statement does not see it; the next one does, and nobody adds to a revoked parent.
REVOKE_SUBTREE = """
WITH RECURSIVE subtree AS (
    SELECT id FROM identities_delegation WHERE id = ANY(%(roots)s)
    UNION
    SELECT child.id FROM identities_delegation child JOIN subtree ON child.parent_id = subtree.id
)
UPDATE identities_delegation SET revoked_at = %(now)s
WHERE id IN (SELECT id FROM subtree) AND revoked_at IS NULL AND (%(ended)s OR expires_at > %(now)s)
RETURNING expires_at > %(now)s
"""

_BELIEVED = """
SELECT 1 FROM identities_tokenissuer t JOIN identities_principal p ON p.issuer = t.issuer
WHERE t.client_id = %s AND p.id = %s AND t.disabled_at IS NULL FOR SHARE OF t
"""


@transaction.atomic
def add_delegation(delegation: Delegation) -> None:
    """Record a hop on its actor's stream; raises StateConflict when its parent counts no more, or by a kill switch."""
    if KillSwitch.objects.thrown().concerning(delegation.principal_id).exists():
        raise StateConflict("stopped", "a kill switch is thrown")
    if delegation.parent_id is not None:
        parent = Delegation.objects.select_for_update(no_key=True).get(pk=delegation.parent_id)
        if parent.revoked_at is not None or parent.expires_at <= timezone.now():
            raise StateConflict("parent_ended", "what this is passed on from is revoked or has ended")
    if delegation.parent_id is None and delegation.proof == Delegation.Proof.TOKEN:
        _hold_issuer(delegation)
    insert_row(delegation)
    facts = {
        "delegation": str(delegation.pk),
        "parent": str(delegation.parent_id) if delegation.parent_id else None,
        "principal": str(delegation.principal_id) if delegation.principal_id else None,
        "proof": delegation.proof,
        "audience": delegation.audience,
        "scope": delegation.scope,
        "depth": delegation.depth,
        "expires_at": delegation.expires_at.isoformat(),
    }
    stream, kind = stream_of(delegation.actor)
    record(stream, kind, Draft("delegation.made", timezone.now(), facts, actor=delegation.actor_id))


def _hold_issuer(delegation: Delegation) -> None:
    """Keep the issuer from being disabled until the commit; raises StateConflict for one that was."""
    with connection.cursor() as cursor:
        cursor.execute(_BELIEVED, [delegation.actor_id, delegation.principal_id])
        if cursor.fetchone() is None:
            raise StateConflict("issuer_disabled", "the issuer that named the user is believed no more")


@transaction.atomic
def revoke_delegation(*, actor: User, delegation: Delegation) -> int:
    """Take a delegation back with all that hangs below it; return how many counted until now.

    What has ended by itself is taken back too: a call that came by it may still wait for people.
    The client that it was made for may do so, and whoever may stop or change that client.
    """
    holder = User.objects.select_related("agent_identity", "application").get(pk=delegation.actor_id)
    if actor.pk != holder.pk:
        owner = owner_of(holder)
        enforce(
            may_stop_agent(actor, holder.agent_identity)
            if holder.kind == User.Kind.AGENT
            else may_govern(actor, "identities.change_application", owner.team, owner)
        )
        require_fresh_factor(actor)
    taken_back = _revoke([delegation.pk], timezone.now(), ended=True)
    revoked = sum(taken_back)
    if taken_back:
        facts = {"delegation": str(delegation.pk), "revoked": revoked}
        stream, kind = stream_of(holder)
        record(stream, kind, Draft("delegation.revoked", timezone.now(), facts, actor=actor.pk))
    return revoked


def revoke_delegations_of(*, account: User) -> int:
    """Take back all that an account was given, in the transaction that stops it; return how many counted."""
    held = Delegation.objects.filter(actor=account, revoked_at=None, expires_at__gt=timezone.now())
    return sum(_revoke(list(held.values_list("pk", flat=True)), timezone.now()))


def revoke_delegations_by(*, credential: Credential) -> int:
    """Take back all that was passed on by a key set, in the transaction that revokes it; return how many counted."""
    made = Delegation.objects.filter(credential=credential, revoked_at=None, expires_at__gt=timezone.now())
    return sum(_revoke(list(made.values_list("pk", flat=True)), timezone.now()))


def revoke_delegations_from(*, issuer: TokenIssuer) -> int:
    """Take back all that a client passed on by an issuer's word, as that is disabled; return how many counted."""
    said = Delegation.objects.filter(
        actor=issuer.client_id, parent=None, proof=Delegation.Proof.TOKEN, principal__issuer=issuer.issuer,
        revoked_at=None, expires_at__gt=timezone.now(),
    )  # fmt: skip
    return sum(_revoke(list(said.values_list("pk", flat=True)), timezone.now()))


def _revoke(roots: list[object], now: datetime, *, ended: bool = False) -> list[bool]:
    """Take hops back with their subtrees; return of each that was taken back whether it still counted."""
    revoked: list[bool] = []
    with connection.cursor() as cursor:
        while True:
            cursor.execute(REVOKE_SUBTREE, {"roots": roots, "now": now, "ended": ended})
            found = cursor.fetchall()
            if not found:
                return revoked
            revoked += [counted for (counted,) in found]
