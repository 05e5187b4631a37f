"""Security keys and passkeys (WebAuthn): taken into service, and asked to prove that their person is there.

A key signs our challenge together with the address that the browser was at: a page that looks like ours gets
nothing that counts here. It is asked to recognise its person too, by a touch and a PIN or a fingerprint.
A challenge about a decision holds what is decided, so that the signature is about that and nothing else.
"""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django_otp import login as remember_device
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

from agentops.console.second_factor import note_confirmation
from agentops.errors import PolicyDenied

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser
    from django_otp.models import Device

CEREMONY = "key_ceremony"  # the one that is under way in a session
SIGNED = "key_signed"  # about what a key has signed last
CEREMONY_S = 120
NONCE = 16  # bytes
LONGEST_SUBJECT = 300  # of what a proof is about: a digest, and a word about each of 50 items
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """For whom a key is: a domain, and the one origin that its page may have."""

    domain: str
    origin: str


def relying_party(request: HttpRequest) -> RelyingParty | None:
    """Return for whom keys are here: PUBLIC_URL in production; None where browsers know no keys, at bare addresses."""
    public = settings.PUBLIC_URL if settings.PRODUCTION else f"{request.scheme}://{request.get_host()}"
    parts = urlsplit(public)
    if not parts.hostname or _is_address(parts.hostname) or (settings.PRODUCTION and parts.scheme != "https"):
        return None
    return RelyingParty(parts.hostname, public)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def keys_of(user: AbstractUser) -> Any:  # Any: the library ships no types
    """Return a person's keys, the latest first."""
    from django_otp_webauthn.models import WebAuthnCredential  # after the apps are ready

    return WebAuthnCredential.objects.filter(user_id=user.pk, confirmed=True).order_by("-pk")


def offers_keys(request: HttpRequest) -> bool:
    """Return whether this person could use a key here and now."""
    return request.user.is_authenticated and may_prove_by_key(request, request.user)


def may_prove_by_key(
    request: HttpRequest, person: Any
) -> bool:  # Any: the console does not know the user model
    """Return whether a key of this person's would count here."""
    return relying_party(request) is not None and keys_of(person).exists()


def begin_registration(
    request: HttpRequest, user: AbstractUser
) -> dict[str, Any]:  # Any: JSON for the browser
    """Return what the browser asks a new key for."""
    from agentops.console.key_helper import KeyHelper

    options, state = KeyHelper(request).register_begin(user=user)
    _remember(request, "register", state)
    return dict(options)


def finish_registration(request: HttpRequest, user: AbstractUser, answer: Any) -> Device:  # Any: JSON
    """Return the new key's row; raises PolicyDenied for an answer that is not about the present ceremony."""
    from agentops.console.key_helper import KeyHelper, refusing

    state = _recall(request, "register")
    with refusing(_log), transaction.atomic():
        device: Device = KeyHelper(request).register_complete(user=user, state=state, data=answer)
    return device


def begin_proof(request: HttpRequest, user: AbstractUser, about: str = "") -> dict[str, Any]:  # Any: as above
    """Return what the browser asks a known key for; ``about`` is what the signature is to be about, if anything."""
    options, state = ask_key(request, user, about)
    _remember(request, "prove", state)
    return options


def finish_proof(request: HttpRequest, user: AbstractUser, answer: Any) -> None:  # Any: as above
    """Open the window for decisions, and remember what was signed; raises PolicyDenied."""
    state = _recall(request, "prove")
    device = check_answer(request, user, state, answer)
    remember_device(request, device)
    note_confirmation(request)
    if state["about"]:
        request.session[SIGNED] = evidence_of(device, state, answer)


def ask_key(
    request: HttpRequest, user: AbstractUser, about: str
) -> tuple[dict[str, Any], dict[str, Any]]:  # Any: as above
    """Return what a known key is asked, and what the answer is to be checked with."""
    from agentops.console.key_helper import KeyHelper

    helper = KeyHelper(request, challenge=_challenge(secrets.token_bytes(NONCE), about))
    options, state = helper.authenticate_begin(user=user, require_user_verification=True)
    return dict(options), {**state, "about": about}


def check_answer(
    request: HttpRequest, user: AbstractUser, state: dict[str, Any], answer: Any
) -> Device:  # Any: as above
    """Return the key that gave the answer; raises PolicyDenied.

    A counter that has not grown is refused: somebody has a copy of the key.
    """
    from agentops.console.key_helper import KeyHelper, refusing

    with refusing(_log), transaction.atomic():
        list(keys_of(user).select_for_update())  # one after the other, or a copy could count along
        device: Device = KeyHelper(request).authenticate_complete(user=user, state=state, data=answer)
        if not device.confirmed or not device.user.is_active:
            raise PolicyDenied("key_refused", "this key counts no more")
    return device


def take_signature(request: HttpRequest, about: str) -> dict[str, str]:
    """Return what a key signed about just this, empty when none did; it is used up either way."""
    signed = request.session.pop(SIGNED, {})
    return signed if signed.get("about") == about else {}


def _challenge(nonce: bytes, about: str) -> bytes:
    """Return a challenge that holds what it is about: anybody can compute it again from the record."""
    return nonce + (hashlib.sha256(about.encode()).digest() if about else secrets.token_bytes(32))


def evidence_of(device: Any, state: dict[str, Any], answer: Any) -> dict[str, str]:  # Any: as above
    """Return what it takes to verify the signature later, without this installation."""
    response = answer["response"]
    return {
        "about": state["about"],
        "nonce": bytes_to_base64url(base64url_to_bytes(state["challenge"])[:NONCE]),
        "public_key": bytes_to_base64url(bytes(device.public_key)),
        "client_data": response["clientDataJSON"],
        "authenticator_data": response["authenticatorData"],
        "signature": response["signature"],
    }


def _remember(request: HttpRequest, what: str, state: dict[str, Any]) -> None:
    request.session[CEREMONY] = {**state, "what": what, "until": time.time() + CEREMONY_S}


def _recall(request: HttpRequest, what: str) -> dict[str, Any]:
    """Return the ceremony under way and end it, whatever becomes of the answer: none is answered twice."""
    state: dict[str, Any] = request.session.pop(CEREMONY, {})
    request.session.save()
    if state.get("what") != what or time.time() > state["until"]:
        raise PolicyDenied("no_ceremony", "that took too long, or was answered already: begin again")
    return state
