"""The library's helper, told who asks, that the key must know its person, and what the challenge is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from logging import Logger
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from webauthn.helpers.structs import AuthenticatorSelectionCriteria, UserVerificationRequirement

from agentops.console.security_keys import relying_party
from agentops.errors import PolicyDenied

if TYPE_CHECKING:

    class WebAuthnHelper:
        """What we use of django-otp-webauthn, which ships no types."""

        def __init__(self, request: HttpRequest) -> None: ...
        def register_begin(self, user: object) -> tuple[dict[str, Any], dict[str, Any]]: ...
        def register_complete(self, user: object, state: dict[str, Any], data: Any) -> Any: ...
        def authenticate_begin(
            self, user: object, require_user_verification: bool
        ) -> tuple[dict[str, Any], dict[str, Any]]: ...
        def authenticate_complete(self, user: object, state: dict[str, Any], data: Any) -> Any: ...
        def get_generate_registration_options_kwargs(self, *, user: object) -> dict[str, Any]: ...
        def get_generate_authentication_options_kwargs(self, **kwargs: Any) -> dict[str, Any]: ...
else:
    from django_otp_webauthn.helpers import WebAuthnHelper


class KeyHelper(WebAuthnHelper):
    """Ceremonies at the one address that is ours. ``challenge`` is what a proof is about."""

    def __init__(self, request: HttpRequest, challenge: bytes = b"") -> None:
        super().__init__(request)
        party = relying_party(request)
        if party is None:
            raise PolicyDenied("no_keys_here", "keys need an address with a name, in production PUBLIC_URL")
        self.party, self.challenge = party, challenge

    def get_relying_party_domain(self) -> str:
        """Return the domain that keys are bound to."""
        return self.party.domain

    def get_relying_party_name(self) -> str:
        """Return what the browser shows."""
        return "AgentOps"

    def get_allowed_origins(self) -> list[str]:
        """Return the one origin."""
        return [self.party.origin]

    def get_generate_registration_options_kwargs(self, *, user: object) -> dict[str, Any]:
        """Take only keys that can recognise their person."""
        selection = AuthenticatorSelectionCriteria(user_verification=UserVerificationRequirement.REQUIRED)
        options = super().get_generate_registration_options_kwargs(user=user)
        return {**options, "authenticator_selection": selection}

    def get_generate_authentication_options_kwargs(self, **kwargs: Any) -> dict[str, Any]:
        """Ask with our challenge."""
        return {**super().get_generate_authentication_options_kwargs(**kwargs), "challenge": self.challenge}


@contextmanager
def refusing(log: Logger) -> Iterator[None]:
    """Turn what the libraries raise into one refusal: whoever tries keys learns nothing from the difference."""
    from django_otp_webauthn.exceptions import OTPWebAuthnApiError
    from webauthn.helpers.exceptions import WebAuthnException

    try:
        yield
    except (OTPWebAuthnApiError, WebAuthnException, KeyError, TypeError, ValueError) as error:
        log.warning("a security key was refused: %s: %s", type(error).__name__, error)
        raise PolicyDenied("key_refused", "this key did not prove that it is you; try again") from error
