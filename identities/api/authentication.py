"""Who calls the API: the holder of an API key or access token, or a person with a verified session in the console."""

from __future__ import annotations

from functools import partial
from typing import TypeGuard

from django.contrib.auth import get_user
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django_otp.middleware import OTPMiddleware
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.request import Request

from agentops.console.second_factor import is_fresh, is_verified, second_factor_is_waived
from agentops.console.security_keys import take_signature
from agentops.console.sessions import has_ended
from identities.models import ApiKey, User
from identities.oauth.bearers import accept_bearer, still_counts
from identities.oauth.tokens import AccessToken
from identities.services import authenticate, take_signed

REALM = 'Bearer realm="agentops"'


class ApiKeyAuthentication(BaseAuthentication):
    """``Authorization: Bearer`` with the key of an application or person, or an application's token (RFC 6750)."""

    def authenticate(self, request: Request) -> tuple[User, ApiKey | AccessToken] | None:
        """Return account and credential, None without a bearer; raises AuthenticationFailed for a bad one."""
        header = request.headers.get("Authorization", "")
        if not header.partition(" ")[0]:
            return None
        accepted = accept_credential(header)
        if accepted is None:
            raise AuthenticationFailed("This credential is not valid.", "invalid_credential")
        return accepted

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401; it names an error only when there was a credential (RFC 6750, 3)."""
        return f'{REALM}, error="invalid_token"' if request.headers.get("Authorization") else REALM


def accept_credential(header: str) -> tuple[User, ApiKey | AccessToken] | None:
    """Return whose credential an ``Authorization`` header brings, and which; None for one that does not count."""
    scheme, _, bearer = header.partition(" ")
    if scheme.lower() != "bearer":
        return None
    # A key has no dots, a token always two.
    accepted = accept_bearer(bearer.strip()) if "." in bearer else None
    if accepted is not None:
        return accepted
    key = authenticate(bearer.strip())
    # The service account of an agent holds permissions; it never acts through the API itself.
    return None if key is None or key.user.kind == User.Kind.AGENT else (key.user, key)


class ConsoleSessionAuthentication(SessionAuthentication):
    """A session of the console counts once its second factor is verified; writes carry a CSRF token."""

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        """Return the person, or None for a session that the console itself would not let in."""
        found = super().authenticate(request)
        return (found[0], None) if found and is_let_in(found[0], request._request) else None


def caller(request: Request) -> User:
    """Return the authenticated account; raises NotAuthenticated for a stranger."""
    user = request.user
    if not isinstance(user, User):
        raise NotAuthenticated
    user.factor_is_fresh = partial(_is_fresh, request)
    return user


def _is_fresh(request: Request) -> bool:
    """Return whether the caller's second factor is fresh: a key's open window, or the session's of the console.

    A session that was verified hours ago is no more than a session: it is asked for the factor again.
    """
    if not isinstance(request.auth, ApiKey):
        return is_fresh(request._request)
    until = request.auth.verified_until
    return (until is not None and timezone.now() < until) or second_factor_is_waived(request._request)


def signature_of(request: Request, about: str) -> dict[str, str]:
    """Return what the caller's security key has signed about just this, empty when it has not; it counts once."""
    if isinstance(request.auth, ApiKey):
        return take_signed(key=request.auth, about=about)
    return {} if request.auth is not None else take_signature(request._request, about)


def read_caller_again(request: Request) -> User | None:
    """Return the account as it is now, None when it or its credential no longer stands.

    For answers that go on for long after they were authenticated.
    """
    if not isinstance(request.auth, AccessToken | ApiKey):
        return _read_session_again(request)
    return read_account_again(caller(request), request.auth)


def read_account_again(account: User, credential: ApiKey | AccessToken) -> User | None:
    """Return the account of a credential as it is now, None when one of them no longer stands."""
    if isinstance(credential, AccessToken):
        counts = still_counts(credential, timezone.now().timestamp())
    else:
        standing = ApiKey.objects.filter(revoked_at=None, expires_at__gt=timezone.now())
        counts = standing.filter(pk=credential.pk).exists()
    return User.objects.filter(pk=account.pk, is_active=True).first() if counts else None


def _read_session_again(request: Request) -> User | None:
    """Return whom the session's next request would come from, were it sent now."""
    following = HttpRequest()
    following.META, following.session = request.META, type(request.session)(request.session.session_key)
    following.user = get_user(following)
    OTPMiddleware(lambda _: HttpResponse())(following)
    return following.user if is_let_in(following.user, following) else None


def is_let_in(user: object, request: HttpRequest) -> TypeGuard[User]:
    """Return whether this is a person whom the console itself would let in with this session."""
    return isinstance(user, User) and user.is_staff and not has_ended(request) and has_second_factor(request)


def has_second_factor(request: HttpRequest) -> bool:
    """Return whether the session's second factor is verified, or waived for the demo on this machine.

    Without a session there is nothing verified: a key opens its own window by `step_up`.
    """
    return is_verified(request) or second_factor_is_waived(request)
