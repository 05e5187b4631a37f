"""Issuers of others: whose tokens prove to a client who its user is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from django.db import transaction
from django.utils import timezone

from agentops.errors import StateConflict, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.rows import insert_row
from identities.changes import clear_change
from identities.changes.belief import describe_issuer
from identities.clients import owner_of
from identities.factors import require_fresh_factor
from identities.models import TokenIssuer, User
from identities.oauth.compact import ALGORITHMS
from identities.policies import require
from identities.services.delegations import revoke_delegations_from

DEFAULT_ALGORITHMS = ("ES256", "RS256")


@transaction.atomic
def add_issuer(
    *,
    actor: User,
    client: User,
    issuer: str,
    audience: str,
    jwks_url: str = "",
    algorithms: Collection[str] = DEFAULT_ALGORITHMS,
    allow_private: bool = False,
) -> TokenIssuer:
    """Believe an issuer's tokens when this client presents them; raises ValidationFailed or StateConflict.

    Raises SecondPersonNeeded where that takes two. An address of a private network is for superusers to allow: the
    installation fetches from it.
    """
    if client.kind == User.Kind.PERSON:
        raise ValidationFailed("not_a_client", "tokens are presented by agents and applications")
    owner = owner_of(client)
    require(actor, "identities.add_tokenissuer", owner.team)
    require_fresh_factor(actor)
    if allow_private:
        require(actor, "identities.add_tokenissuer", None)
    _check_addresses(issuer, jwks_url, allow_private=allow_private)
    if not algorithms or not set(algorithms) <= set(ALGORITHMS):
        raise ValidationFailed("unknown_algorithm", f"algorithms are some of {', '.join(ALGORITHMS)}")
    row = TokenIssuer(
        team=owner.team,
        client=client,
        issuer=issuer,
        audience=audience,
        jwks_url=jwks_url,
        algorithms=sorted(set(algorithms)),
        allow_private=allow_private,
    )
    signed = clear_change(actor, describe_issuer(row))
    insert_row(row)
    facts = {"issuer": issuer, "audience": audience, "client": str(client.pk), "algorithms": row.algorithms}
    _record(row, "issuer.added", actor, {**facts, "allow_private": allow_private, **signed})
    return row


@transaction.atomic
def disable_issuer(*, actor: User, issuer: TokenIssuer) -> TokenIssuer:
    """Believe an issuer no more, nor what was passed on by its word; raises StateConflict the second time."""
    locked = TokenIssuer.objects.select_for_update(of=("self",)).select_related("team").get(pk=issuer.pk)
    require(actor, "identities.add_tokenissuer", locked.team)
    require_fresh_factor(actor)
    if locked.disabled_at is not None:
        raise StateConflict("issuer_disabled", "this issuer is disabled already")
    locked.disabled_at = timezone.now()
    locked.save(update_fields=["disabled_at"])
    _record(locked, "issuer.disabled", actor, {"revoked": revoke_delegations_from(issuer=locked)})
    return locked


def _check_addresses(issuer: str, jwks_url: str, *, allow_private: bool) -> None:
    schemes = ("https", "http") if allow_private else ("https",)
    for address in filter(None, (issuer, jwks_url)):
        parts = urlsplit(address)
        if parts.scheme not in schemes or not parts.hostname or parts.fragment or "@" in parts.netloc:
            raise ValidationFailed("invalid_address", "issuers and their keys have https addresses")


def _record(row: TokenIssuer, kind: str, actor: User, facts: Mapping[str, object]) -> None:
    record(row.pk, "token_issuer", Draft(kind, timezone.now(), dict(facts), actor=actor.pk))
