"""The two addresses that the browser talks to about security keys: begin, and finish with what the key signed."""

from __future__ import annotations

import json
from typing import Any, cast

from django.contrib.auth.models import AbstractUser
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from agentops.api.limits import count_request, read_policy
from agentops.console.enrolment import add_key
from agentops.console.second_factor import is_fresh, is_verified, must_enrol
from agentops.console.security_keys import LONGEST_SUBJECT, begin_proof, begin_registration, finish_proof
from agentops.console.sessions import has_ended
from agentops.errors import AgentOpsError, PolicyDenied, ValidationFailed

LONGEST_BODY = 20_000


@never_cache
@require_POST
def begin_key(request: HttpRequest) -> HttpResponse:
    """Answer with what the browser is to ask a key for: a new one, or to prove its person."""
    return _answer(request, _begin)


@never_cache
@require_POST
def finish_key(request: HttpRequest) -> HttpResponse:
    """Take what a key answered."""
    return _answer(request, _finish)


def _answer(request: HttpRequest, act: Any) -> HttpResponse:  # Any: one of the two below
    try:
        person = _person(request)
        if count_request(read_policy("write"), str(person.pk)).is_exceeded:
            return JsonResponse(
                {"detail": "too many requests: wait a minute", "code": "throttled"}, status=429
            )
        answer = act(request, person, _read(request))
    except AgentOpsError as error:
        return JsonResponse({"detail": error.detail, "code": error.code}, status=403)
    return JsonResponse(answer)


def _begin(request: HttpRequest, person: AbstractUser, body: dict[str, Any]) -> dict[str, Any]:  # Any: JSON
    if body.get("what") == "register":
        _require_own_hands(request)
        return begin_registration(request, person)
    about = body.get("about", "")
    if not isinstance(about, str) or len(about) > LONGEST_SUBJECT:
        raise ValidationFailed("malformed", "this is not what our pages send")
    return begin_proof(request, person, about)


def _finish(request: HttpRequest, person: AbstractUser, body: dict[str, Any]) -> dict[str, Any]:  # Any: JSON
    if body.get("what") == "register":
        _require_own_hands(request)
        add_key(request, person, body.get("answer"), str(body.get("name", "")))
    else:
        signs_in = not is_verified(request)
        finish_proof(request, person, body.get("answer"))
        if signs_in:
            request.session.cycle_key()
    return {}


def _person(request: HttpRequest) -> AbstractUser:
    """Return whom the password, at least, has shown to be a member of staff."""
    person = cast(AbstractUser, request.user)
    if not (person.is_authenticated and person.is_active and person.is_staff) or has_ended(request):
        raise PolicyDenied("not_signed_in", "sign in with your password first")
    return person


def _require_own_hands(request: HttpRequest) -> None:
    # Whoever finds an open session must not be able to make its second factor their own.
    if not (must_enrol(request) or is_fresh(request)):
        raise PolicyDenied("second_factor_required", "confirm with your second factor first")


def _read(request: HttpRequest) -> dict[str, Any]:  # Any: JSON
    try:
        body = json.loads(request.body) if len(request.body) <= LONGEST_BODY else None
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise ValidationFailed("malformed", "this is not what our pages send")
    return body
