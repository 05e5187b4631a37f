"""Kill switches: thrown and lifted by people, with their reason.

What a driver writes is compared with the thrown switches inside the append, so a throw counts from its commit on;
the messages only hurry runs that wait. Lifting revives nothing: runs that were halted have ended.
"""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from agentops.errors import NotFound, StateConflict, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.messages import send_after_commit
from agentops.rows import insert_row
from agentops.text import is_blank
from identities.factors import require_fresh_factor
from identities.models import ApiKey, KillSwitch, Principal, Team, User
from identities.policies import enforce, may_throw_switch
from identities.services.keys import revoke_api_key

Scope = KillSwitch.Scope


@transaction.atomic
def throw_switch(*, actor: User, scope: str, target: str = "", reason: str) -> KillSwitch:
    """Stop everything, an end user (by id) or a model provider (by name) until the switch is lifted.

    Raises ValidationFailed without a reason, NotFound for an unknown end user, StateConflict if it is thrown already.
    """
    if scope == Scope.CREDENTIAL:
        raise ValidationFailed("wrong_scope", "a key is stopped by stop_api_key")
    team = _team_of(scope, target)
    enforce(may_throw_switch(actor, team))
    _check_reason(reason)
    switch = KillSwitch(scope=scope, target=target, team=team, thrown_by=actor)
    insert_row(switch)
    _record(switch, "switch.thrown", actor, reason)
    send_after_commit("runs.wake_switched", str(switch.pk), queue="critical")
    return switch


@transaction.atomic
def stop_api_key(*, actor: User, key: ApiKey, reason: str) -> KillSwitch:
    """Revoke a key, and stop for good whatever was started with it; doing it twice is fine."""
    _check_reason(reason)
    revoked = revoke_api_key(actor=actor, key=key, emergency=True)
    present = KillSwitch.objects.thrown().filter(scope=Scope.CREDENTIAL, target=str(key.pk)).first()
    if present is not None:
        return present
    team = revoked.user.application.team if revoked.user.kind == User.Kind.APPLICATION else None
    switch = KillSwitch(scope=Scope.CREDENTIAL, target=str(key.pk), team=team, thrown_by=actor)
    insert_row(switch)
    _record(switch, "switch.thrown", actor, reason)
    send_after_commit("runs.wake_switched", str(switch.pk), queue="critical")
    return switch


@transaction.atomic
def lift_switch(*, actor: User, switch: KillSwitch, reason: str) -> KillSwitch:
    """Let new work begin again; raises StateConflict for one that was lifted already, or that is of a key."""
    locked = KillSwitch.objects.select_for_update(of=("self",)).get(pk=switch.pk)
    enforce(may_throw_switch(actor, locked.team))
    require_fresh_factor(actor)
    if locked.scope == Scope.CREDENTIAL:
        raise StateConflict(
            "key_revoked", "a key is revoked for good, and what was started with it is stopped"
        )
    _check_reason(reason)
    if locked.lifted_at is not None:
        raise StateConflict("switch_lifted", "somebody has lifted this switch already")
    locked.lifted_at, locked.lifted_by = timezone.now(), actor
    locked.save(update_fields=["lifted_at", "lifted_by"])
    _record(locked, "switch.lifted", actor, reason)
    return locked


def _team_of(scope: str, target: str) -> Team | None:
    if scope != Scope.PRINCIPAL:
        return None
    try:
        return Principal.objects.select_related("team").get(pk=UUID(target)).team
    except (ValueError, Principal.DoesNotExist) as error:
        raise NotFound("unknown_principal", "there is no such end user") from error


def _check_reason(reason: str) -> None:
    if is_blank(reason):
        raise ValidationFailed("reason_missing", "say why; the record keeps it")


def _record(switch: KillSwitch, kind: str, actor: User, reason: str) -> None:
    facts = {"scope": switch.scope, "target": switch.target}
    record(switch.pk, "switch", Draft(kind, timezone.now(), facts, {"reason": reason}, actor.pk))
