"""What is known of a secret besides its value: where it comes from, and where it goes. Nothing in it is secret."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import urlsplit

from agentops.errors import ValidationFailed

_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
_TEXT = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,298}[\x21-\x7e])?")
_WORDS = {int: "a number", str: "a text", bool: "true or false"}
_ROLE = re.compile(r"[a-z_][a-z0-9_]{0,62}")
MOST_CONNECTIONS = 20


@dataclass(frozen=True, slots=True)
class StaticSettings:
    """A value that is handed out as it is, in a header: ``Authorization: Bearer …`` unless something else is said."""

    header: str = "Authorization"
    scheme: str = "Bearer"

    def faults(self) -> Iterator[str]:
        if not _HEADER.fullmatch(self.header):
            yield "set header to a name of letters, digits and hyphens"
        if self.scheme and not _TEXT.fullmatch(self.scheme):
            yield "set scheme to printable ASCII, or to an empty text"


@dataclass(frozen=True, slots=True)
class OAuthSettings(StaticSettings):
    """A token that the target's own token endpoint issues for each call.

    ``client_credentials`` (RFC 6749): the value is the client's secret. ``token_exchange`` (RFC 8693): the value is a
    token, which is exchanged for a short one that fits the ``audience``.
    """

    token_url: str = ""
    client_id: str = ""
    grant: str = "client_credentials"
    scope: str = ""
    audience: str = ""
    revocation_url: str = ""
    allow_private: bool = False

    def faults(self) -> Iterator[str]:
        yield from StaticSettings.faults(self)
        if self.grant not in ("client_credentials", "token_exchange"):
            yield "set grant to client_credentials or token_exchange"
        if not _TEXT.fullmatch(self.client_id):
            yield "name the client_id"
        for name in ("scope", "audience"):
            if getattr(self, name) and not _TEXT.fullmatch(getattr(self, name)):
                yield f"set {name} to printable ASCII"
        if not _is_address(self.token_url):
            yield "set token_url to a full http:// or https:// address"
        if self.revocation_url and not _is_address(self.revocation_url):
            yield "set revocation_url to a full http:// or https:// address"


@dataclass(frozen=True, slots=True)
class PostgresSettings:
    """A role that is made for each call and dropped after it. The value is the password of ``user``, who makes it."""

    host: str = ""
    database: str = ""
    user: str = ""
    inherits: str = ""
    port: int = 5432
    sslmode: str = "prefer"
    connection_limit: int = 1
    allow_private: bool = False

    def faults(self) -> Iterator[str]:
        for name in ("host", "database", "user"):
            if not _TEXT.fullmatch(getattr(self, name)):
                yield f"name the {name}"
        if not _ROLE.fullmatch(self.inherits):
            yield "set inherits to the role whose rights a call gets"
        if not 0 < self.port < 65_536:
            yield "set port to a port"
        if self.sslmode not in ("disable", "prefer", "require", "verify-ca", "verify-full"):
            yield "set sslmode to one of disable, prefer, require, verify-ca, verify-full"
        if not 0 < self.connection_limit <= MOST_CONNECTIONS:
            yield f"set connection_limit to 1 to {MOST_CONNECTIONS}"


SecretSettings = StaticSettings | OAuthSettings | PostgresSettings
KINDS: dict[str, type[SecretSettings]] = {
    "static": StaticSettings,
    "oauth": OAuthSettings,
    "postgres": PostgresSettings,
}


def parse_settings(provider: str, values: Mapping[str, Any]) -> SecretSettings:  # Any: whatever was typed in
    """Return a secret's settings. Raises ValidationFailed, each problem worded as a remedy."""
    kind = KINDS.get(provider)
    if kind is None:
        raise ValidationFailed("invalid_settings", f"there is no provider {provider!r}: {', '.join(KINDS)}")
    problems = list(_type_faults(kind, values))
    if not problems:
        settings = kind(**values)
        problems = list(settings.faults())
        if not problems:
            return settings
    raise ValidationFailed("invalid_settings", "; ".join(problems), problems=problems)


def _type_faults(kind: type[SecretSettings], values: Mapping[str, Any]) -> Iterator[str]:
    wanted = {field.name: type(field.default) for field in fields(kind)}
    yield from (f"remove {name!r}: unknown" for name in sorted(map(str, values.keys() - wanted.keys())))
    for name, value in values.items():
        if name in wanted and type(value) is not wanted[name]:
            yield f"set {name} to {_WORDS[wanted[name]]}"


def _is_address(text: str) -> bool:
    """Whether this is an address that a request can be sent to as it stands: nobody signs in by it."""
    try:
        url = urlsplit(text)
        port_is_valid = url.port is None or url.port > 0
    except ValueError:
        return False
    plain = (
        text.isascii()
        and text.isprintable()
        and " " not in text
        and "@" not in url.netloc
        and not url.fragment
    )
    return url.scheme in ("http", "https") and bool(url.hostname) and port_is_valid and plain
