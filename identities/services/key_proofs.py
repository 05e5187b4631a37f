"""The second factor of whoever calls by an API key, by their security key: asked, answered, and used for one decision.

What a session keeps for the console stands with the API key here: another one answers nothing that this one asked.
"""

from __future__ import annotations

import time
from typing import Any

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from agentops.console.security_keys import CEREMONY_S, ask_key, check_answer, evidence_of, may_prove_by_key
from agentops.errors import PolicyDenied
from identities.models import ApiKey
from identities.querysets import is_known_person
from identities.services.keys import note_verified

Json = dict[str, Any]  # what browsers and keys send


def begin_key_proof(*, key: ApiKey, request: HttpRequest, about: str = "") -> Json:
    """Return what the security key of an API key's person is asked; ``about`` is what it is to sign, if anything.

    Raises PolicyDenied: not_a_person, no_second_factor where there is no such key, no_keys_here.
    """
    if not is_known_person(key.user):
        raise PolicyDenied("not_a_person", "only a person has a second factor")
    if not may_prove_by_key(request, key.user):
        raise PolicyDenied("no_second_factor", "no security key of this account counts here")
    options, state = ask_key(request, key.user, about)
    key.ceremony = {**state, "until": time.time() + CEREMONY_S}
    key.save(update_fields=["ceremony"])
    return options


def step_up_by_key(*, key: ApiKey, request: HttpRequest, answer: object) -> ApiKey:
    """Open the window in which a person's API key may decide; raises PolicyDenied: no_ceremony or key_refused."""
    state = _end_ceremony(key)
    with transaction.atomic():
        device = check_answer(request, key.user, state, answer)
        signed = evidence_of(device, state, answer) if state["about"] else None
        return note_verified(key, {"by": "security_key"}, signed)


def take_signed(*, key: ApiKey, about: str) -> dict[str, str]:
    """Return what a security key signed about just this while its window is open; it counts once."""
    with transaction.atomic():
        row = ApiKey.objects.select_for_update(of=("self",)).get(pk=key.pk)
        signed: dict[str, str] = row.signed or {}
        is_open = row.verified_until is not None and timezone.now() < row.verified_until
        if not is_open or signed.get("about") != about:
            return {}
        row.signed = None
        row.save(update_fields=["signed"])
    return signed


def _end_ceremony(key: ApiKey) -> Json:
    """Return what was asked, and end it whatever becomes of the answer: none is answered twice."""
    with transaction.atomic():
        row = ApiKey.objects.select_for_update(of=("self",)).get(pk=key.pk)
        state: Json = row.ceremony or {}
        row.ceremony = None
        row.save(update_fields=["ceremony"])
    if time.time() > state.get("until", 0):
        raise PolicyDenied("no_ceremony", "that took too long, or was answered already: begin again")
    return state
