"""Signing on elsewhere: an identity provider says who somebody is, and the second factor is given here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from axes.handlers.proxy import AxesProxyHandler
from django.contrib.auth import BACKEND_SESSION_KEY, get_user_model, login
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.signals import user_login_failed
from django.db import transaction
from django.http import HttpRequest
from django_otp import login as remember_device

from agentops.console.login import find_device
from agentops.console.second_factor import WRONG_CODE, note_confirmation

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

ISSUER = "signed_on_at"  # of the provider, in the session
BACKEND = "agentops.console.sign_on.SignOnBackend"


class SignOnBackend(BaseBackend):
    """Finds the person of a session that was begun at an identity provider; takes no credentials itself."""

    def get_user(self, user_id: Any) -> Any:  # Any: the console does not know the user model
        """Return the person while their account is open."""
        return get_user_model()._default_manager.filter(pk=user_id, is_active=True).first()


def begin_signed_on(request: HttpRequest, person: Any, issuer: str) -> None:  # Any: as above
    """Begin a session that knows who somebody is, and opens nothing before their factor is given."""
    request.session.flush()
    request.session[ISSUER] = issuer
    login(request, person, backend=BACKEND)


def signed_on_at(request: HttpRequest) -> str:
    """Return the provider that this session was begun at, empty for none: a password begins it anew."""
    begun_there = request.session.get(BACKEND_SESSION_KEY) == BACKEND
    return str(request.session.get(ISSUER, "")) if begun_there else ""


def is_locked(request: HttpRequest, username: str) -> bool:
    """Return whether there were too many wrong attempts under this name from there."""
    return not AxesProxyHandler.is_allowed(request, {"username": username})


def accept_factor(request: HttpRequest, person: AbstractUser, code: str) -> str:
    """Take the code of an app, or the one-time code of a newcomer; return what is wrong with it, or nothing."""
    if is_locked(request, person.username):
        return "Too many wrong attempts: wait a quarter of an hour."
    with transaction.atomic():
        device = find_device(person, code)
        is_right = device is not None and device.verify_is_allowed()[0] and device.verify_token(code)
    if device is None or not is_right:
        user_login_failed.send(__name__, credentials={"username": person.username}, request=request)
        return WRONG_CODE
    request.session.cycle_key()
    remember_device(request, device)
    note_confirmation(request)
    return ""
