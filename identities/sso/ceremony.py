"""One sign-on under way in a session: its state, its nonce, and the secret half of PKCE (RFC 7636)."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hmac import compare_digest
from typing import Any

from django.http import HttpRequest

from identities.models import UsedIdentifier
from identities.oauth.spending import spend
from identities.sso.configuration import Configuration
from identities.sso.provider import Provider
from identities.sso.refused import SignOnRefused

KEY = "sign_on"
LASTS_S = 600
LONGEST_CODE = 4_096


@dataclass(frozen=True, slots=True)
class Ceremony:
    """What only this session and the provider know, and where the person wanted to go."""

    state: str
    nonce: str
    verifier: str
    next: str
    until: int
    links: str = ""  # the id of whose account here the provider's is to be

    @property
    def challenge(self) -> str:
        """Return the public half of PKCE."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def begin(request: HttpRequest, destination: str, links: str = "") -> Ceremony:
    """Begin anew; what was under way in this session counts no more."""
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    begun = Ceremony(state, nonce, verifier, destination, int(time.time()) + LASTS_S, links)
    request.session[KEY] = asdict(begun)
    return begun


def end(request: HttpRequest) -> Ceremony:
    """Return what is under way and end it, whatever becomes of the answer: none is answered twice.

    Raises SignOnRefused for an answer to anything else.
    """
    kept: dict[str, Any] | None = request.session.pop(KEY, None)
    request.session.save()
    if kept is None:
        raise SignOnRefused("state")
    begun = Ceremony(**kept)
    if (
        not compare_digest(begun.state.encode(), request.GET.get("state", "").encode())
        or time.time() > begun.until
    ):
        raise SignOnRefused("state")
    # Of two answers at once both may have found it in the session.
    if not spend(UsedIdentifier.Purpose.SIGN_ON, begun.state, until_s=begun.until):
        raise SignOnRefused("state")
    return begun


def read_code(answer: Mapping[str, str], configuration: Configuration, provider: Provider) -> str:
    """Return the code of an answer; raises SignOnRefused for a refusal, or another provider's answer (RFC 9207)."""
    named = answer.get("iss")
    if (named is not None or provider.names_itself) and named != configuration.issuer:
        raise SignOnRefused("another_provider")
    if "error" in answer:
        raise SignOnRefused("at_provider")
    code = answer.get("code", "")
    if not 0 < len(code) <= LONGEST_CODE or not code.isprintable():
        raise SignOnRefused("no_code")
    return code
