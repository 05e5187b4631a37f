"""Access tokens (RFC 9068): what we say in them, and what has to be in them to be believed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

from identities.oauth.claims import check_audience, check_times, text_of
from identities.oauth.compact import Claims, TokenRefused, parse, verify
from identities.oauth.metadata import issuer
from identities.oauth.signing_keys import find_verifying_key, sign

ACCESS_TOKEN = "at+jwt"  # noqa: S105  a media type
LIFE_S = 300
TOOL_CALL_LIFE_S = 60

Detail = dict[str, Any]  # Any: JSON
Actor = dict[str, Any]  # nested: {"sub": …, "act": {…}}


def nest_actors(actors: Sequence[str]) -> Actor:
    """Return those who act as a token names them: the first, nested in it on whose behalf (RFC 8693, 4.1)."""
    nested: Actor = {}
    for actor in reversed(actors):
        nested = {"sub": actor, **({"act": nested} if nested else {})}
    return nested


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a token says. `subject` is an end user where `principal_issuer` is not us, else the client itself.

    `run` and `tool` are of a call that a worker made: its right is that run's. `credential` is the key set by which a
    client asked for it.
    """

    client_id: str
    subject: str
    principal_issuer: str
    audience: str
    scope: frozenset[str]
    epoch: int
    issued_s: int
    expires_s: int
    jti: str
    act: Actor | None = None
    delegation: UUID | None = None
    proof: str = ""
    details: tuple[Detail, ...] = ()
    run: UUID | None = None
    tool: UUID | None = None
    credential: UUID | None = None

    @property
    def lives_s(self) -> int:
        return self.expires_s - self.issued_s

    def claims(self) -> Claims:
        """Return the members of the token's payload."""
        optional = {
            "act": self.act,
            "delegation": str(self.delegation) if self.delegation else None,
            "principal_proof": self.proof,
            "authorization_details": list(self.details),
            "run": str(self.run) if self.run else None,
            "tool": str(self.tool) if self.tool else None,
            "credential": str(self.credential) if self.credential else None,
        }
        return {
            "iss": issuer(),
            "aud": self.audience,
            "sub": self.subject,
            "principal_issuer": self.principal_issuer,
            "client_id": self.client_id,
            "iat": self.issued_s,
            "nbf": self.issued_s,
            "exp": self.expires_s,
            "jti": self.jti,
            "scope": " ".join(sorted(self.scope)),
            "epoch": self.epoch,
            **{name: value for name, value in optional.items() if value},
        }


def draft_token(
    *,
    client_id: str,
    subject: str,
    principal_issuer: str,
    audience: str,
    scope: frozenset[str],
    epoch: int,
    details: tuple[Detail, ...] = (),
    not_after_s: int | None = None,
    credential: UUID | None = None,
) -> AccessToken:
    """Return a new token's content: it lives for as long as its kind may, and no longer than `not_after_s`."""
    now = int(time.time())
    expires = now + (TOOL_CALL_LIFE_S if details else LIFE_S)
    return AccessToken(
        client_id=client_id,
        subject=subject,
        principal_issuer=principal_issuer,
        audience=audience,
        scope=scope,
        epoch=epoch,
        issued_s=now,
        expires_s=expires if not_after_s is None else min(expires, not_after_s),
        jti=uuid4().hex,
        details=details,
        credential=credential,
    )


def sign_token(token: AccessToken) -> str:
    """Return the token as text; raises NoSigningKey."""
    return sign(token.claims(), ACCESS_TOKEN)


def read_token(text: str, *audiences: str) -> AccessToken:
    """Return what a token of ours says, if it counts for one of these audiences (of none given: for any).

    Raises TokenRefused. Whether it still counts is another question: see `standing`.
    """
    claims = verify(parse(text, types=frozenset({ACCESS_TOKEN})), find_verifying_key)
    if claims.get("iss") != issuer():
        raise TokenRefused("issuer")
    named = claims.get("aud")
    if not isinstance(named, str):  # ours have exactly one, never a list
        raise TokenRefused("several_audiences" if named else "no_audience")
    audience = check_audience(claims, *(audiences or (named,)))
    expires = check_times(claims, time.time(), longest_s=LIFE_S)
    return replace(_read_claims(claims), audience=audience, expires_s=expires)


def _read_claims(claims: Claims) -> AccessToken:
    try:
        return AccessToken(
            client_id=text_of(claims, "client_id"),
            subject=text_of(claims, "sub"),
            principal_issuer=text_of(claims, "principal_issuer"),
            audience=claims["aud"],
            scope=frozenset(claims["scope"].split()),
            epoch=int(claims["epoch"]),
            issued_s=int(claims["iat"]),
            expires_s=int(claims["exp"]),
            jti=text_of(claims, "jti"),
            act=claims.get("act"),
            delegation=_id_of(claims, "delegation"),
            proof=claims.get("principal_proof", ""),
            details=tuple(claims.get("authorization_details", ())),
            run=_id_of(claims, "run"),
            tool=_id_of(claims, "tool"),
            credential=_id_of(claims, "credential"),
        )
    except (KeyError, ValueError, TypeError, AttributeError):
        # Signed by us, and yet not what we write: another document of ours in a token's place.
        raise TokenRefused("malformed") from None


def _id_of(claims: Claims, name: str) -> UUID | None:
    return UUID(claims[name]) if name in claims else None
