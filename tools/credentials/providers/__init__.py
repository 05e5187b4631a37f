"""Where credentials come from: one small interface, found by the kind that a secret names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import import_module
from typing import Protocol, cast
from uuid import UUID

from agentops.errors import AgentOpsError
from identities.secret_settings import SecretSettings

PATHS = {
    "static": "tools.credentials.providers.static.StaticProvider",
    "oauth": "tools.credentials.providers.oauth.OAuthProvider",
    "postgres": "tools.credentials.providers.postgres.PostgresProvider",
}
PROVIDER_TIMEOUT_S = 5.0


class CredentialTrouble(AgentOpsError):
    """A credential could not be had, or not be ended. Its words go into the trace, so they quote nobody."""


@dataclass(frozen=True, slots=True, repr=False)
class OpenSecret:
    """A secret as a provider needs it, opened for the moment."""

    settings: SecretSettings
    value: str


@dataclass(frozen=True, slots=True)
class LeaseTerms:
    """The lease that a credential is for."""

    id: UUID
    expires_at: datetime


@dataclass(frozen=True, slots=True, repr=False)
class Released:
    """What a provider gives for one lease.

    ``handle``: by what it is ended, where ``handle_of`` does not say. ``parts``: what is secret in it by itself.
    """

    material: str
    expires_at: datetime
    handle: str = ""
    parts: tuple[str, ...] = ()


class Provider(Protocol):
    """Issue and end credentials of one kind. Thread-safe; bounded in time; raises CredentialTrouble."""

    def handle_of(self, lease_id: UUID) -> str:
        """Return by what the lease can be ended if the process dies while it is issued, or an empty text."""
        ...

    def issue(self, secret: OpenSecret, lease: LeaseTerms) -> Released:
        """Return a credential that works until the lease's end at the most, where the target can see to that."""
        ...

    def end(self, secret: OpenSecret, handle: str) -> None:
        """Make it stop working at the target. Doing it twice, and ending what was never issued, is fine."""
        ...


@cache
def get_provider(kind: str) -> Provider:
    """Return the provider of a kind; raises LookupError."""
    module_name, _, class_name = PATHS[kind].rpartition(".")
    return cast("type[Provider]", getattr(import_module(module_name), class_name))()
