"""Whether a token of ours still counts: neither it, its client nor what it comes from has been taken back."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.utils import timezone

from identities.clients import find_client, may_act, owner_of
from identities.models import Credential, Delegation, KillSwitch, Principal, UsedIdentifier, User
from identities.oauth.compact import TokenRefused
from identities.oauth.metadata import issuer
from identities.oauth.spending import is_spent
from identities.oauth.tokens import AccessToken

Purpose = UsedIdentifier.Purpose
# Gets run and tool of a call that a worker made, and returns why its right has gone, "" while it stands.
Check = Callable[[UUID, UUID], str]

_checks: list[Check] = []


def register_call_check(check: Check) -> None:
    """Ask this too before a tool call's token counts: this floor knows no runs. A second time changes nothing."""
    if check not in _checks:
        _checks.append(check)


def check_standing(token: AccessToken) -> Delegation | None:
    """Return the token's delegation, if it has one; raises TokenRefused for a token that counts no more."""
    if is_spent(Purpose.REVOKED, token.jti):
        raise TokenRefused("revoked")
    client = find_client(token.client_id)
    if client is None or not may_act(client, timezone.now()):
        raise TokenRefused("client_closed")
    if client.token_epoch != token.epoch:
        raise TokenRefused("earlier_epoch")
    _check_key_set(token)
    if token.details and token.delegation is None:
        _check_switches(token, client)
        _check_actors(token)
        _check_call(token)
    return _standing_delegation(token)


def _check_key_set(token: AccessToken) -> None:
    """Raise TokenRefused for what was given to a key set that was taken back: it may have been a thief's."""
    if token.credential is None:
        return
    if not Credential.objects.filter(pk=token.credential, revoked_at=None).exists():
        raise TokenRefused("revoked_credential")


def _check_switches(token: AccessToken, client: User) -> None:
    """Raise TokenRefused for a tool's call that somebody has stopped: workers mint them without a delegation."""
    team = owner_of(client).team_id
    known = Principal.objects.filter(team=team, issuer=token.principal_issuer, subject=token.subject)
    if KillSwitch.objects.thrown().concerning(known.values_list("pk", flat=True).first()).exists():
        raise TokenRefused("stopped")


def _check_actors(token: AccessToken) -> None:
    """Raise TokenRefused for a tool's call on behalf of an agent that was stopped."""
    actor = (token.act or {}).get("act")
    while actor is not None:
        account = find_client(actor["sub"])
        if account is None or not may_act(account, timezone.now()):
            raise TokenRefused("actor_closed")
        actor = actor.get("act")


def _check_call(token: AccessToken) -> None:
    """Raise TokenRefused for a call whose run, tool, application, key or model provider was stopped."""
    if token.run is None or token.tool is None:
        return
    for check in _checks:
        if code := check(token.run, token.tool):
            raise TokenRefused(code)


def _standing_delegation(token: AccessToken) -> Delegation | None:
    if token.delegation is None:
        return None
    found = Delegation.objects.select_related("principal", "actor").filter(pk=token.delegation).first()
    if found is None or found.revoked_at is not None:
        raise TokenRefused("revoked_delegation")
    if KillSwitch.objects.thrown().concerning(found.principal_id).exists():
        raise TokenRefused("stopped")
    if (found.actor.username, found.audience) != (token.client_id, token.audience):
        raise TokenRefused("another_delegation")
    if found.principal is not None and found.principal.erased_at is not None:
        raise TokenRefused("erased_principal")
    if _named(found) != (token.principal_issuer, token.subject):
        raise TokenRefused("another_principal")
    return found


def _named(delegation: Delegation) -> tuple[str, str]:
    """Return for whom a delegation is; without an end user, for the client that its chain began with."""
    if delegation.principal is not None:
        return delegation.principal.issuer, delegation.principal.subject
    first = delegation
    while first.parent is not None:
        first = first.parent
    return issuer(), first.actor.username
