"""Which identity provider staff sign on at, and what its groups are here: the operator's settings, STAFF_SSO_*."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from identities.oauth.compact import ALGORITHMS
from identities.roles import AUDITOR, ROLES

Groups = Mapping[str, list[str]]  # what each group of the provider's is here


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a setting, and what to do about it."""

    setting: str
    problem: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Configuration:
    """The provider, and us as its client."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str
    algorithms: tuple[str, ...]
    groups_claim: str
    roles: Groups
    teams: Groups

    def roles_of(self, groups: frozenset[str]) -> frozenset[str]:
        """Return the roles that these groups of the provider's give."""
        return frozenset(role for group in groups for role in self.roles.get(group, ()))

    def teams_of(self, groups: frozenset[str]) -> frozenset[str]:
        """Return the teams, by slug, that these groups belong to."""
        return frozenset(team for group in groups for team in self.teams.get(group, ()))

    @property
    def governed_teams(self) -> frozenset[str]:
        """Return the teams whose members among those who sign on are the provider's to say."""
        return frozenset(team for teams in self.teams.values() for team in teams)


def is_offered() -> bool:
    """Return whether there is a provider to sign on at."""
    return bool(settings.STAFF_SSO_ISSUER)


def read_configuration() -> Configuration | None:
    """Return the settings; None without a provider, or with a fault in them."""
    if not is_offered() or any(find_faults()):
        return None
    return Configuration(
        issuer=settings.STAFF_SSO_ISSUER,
        client_id=settings.STAFF_SSO_CLIENT_ID,
        client_secret=settings.STAFF_SSO_CLIENT_SECRET,
        scope=settings.STAFF_SSO_SCOPE,
        algorithms=tuple(settings.STAFF_SSO_ALGORITHMS),
        groups_claim=settings.STAFF_SSO_GROUPS_CLAIM,
        roles=settings.STAFF_SSO_ROLES,
        teams=settings.STAFF_SSO_TEAMS,
    )


def find_faults() -> Iterator[Fault]:
    """Yield what is wrong with the settings, where there is a provider."""
    if not is_offered():
        return
    if not _is_issuer(settings.STAFF_SSO_ISSUER):
        yield Fault(
            "STAFF_SSO_ISSUER", "it is no address of an issuer by https", "Set it as the provider has it"
        )
    for name in ("STAFF_SSO_CLIENT_ID", "STAFF_SSO_CLIENT_SECRET", "STAFF_SSO_GROUPS_CLAIM", "PUBLIC_URL"):
        if not getattr(settings, name):
            yield Fault(name, "staff sign on at a provider, and it is empty", "Set it, or no issuer")
    if "openid" not in settings.STAFF_SSO_SCOPE.split():
        yield Fault("STAFF_SSO_SCOPE", "without openid there is no ID token", "Add openid")
    if not settings.STAFF_SSO_ALGORITHMS or set(settings.STAFF_SSO_ALGORITHMS) - set(ALGORITHMS):
        problem = "an ID token could be signed by nobody, or by whoever knows a secret of ours"
        yield Fault("STAFF_SSO_ALGORITHMS", problem, f"Name some of {', '.join(ALGORITHMS)}")
    yield from _find_mapping_faults()


def _find_mapping_faults() -> Iterator[Fault]:
    roles, teams = settings.STAFF_SSO_ROLES, settings.STAFF_SSO_TEAMS
    if not _is_mapping(roles) or not roles:
        problem = "it gives no group a list of roles, so that nobody could sign on"
        yield Fault("STAFF_SSO_ROLES", problem, 'Set it like {"agents-operators": ["operator"]}')
    else:
        named = [set(given) for given in roles.values()]
        if set().union(*named) - ROLES.keys():
            yield Fault("STAFF_SSO_ROLES", "it names what is no role", f"Name some of {', '.join(ROLES)}")
        if any(AUDITOR in given and len(given) > 1 for given in named):
            yield Fault("STAFF_SSO_ROLES", "an auditor changes nothing", "Give the group no other role")
    if not _is_mapping(teams):
        remedy = 'Set it like {"support-staff": ["support"]}'
        yield Fault("STAFF_SSO_TEAMS", "it is no mapping of groups to lists of teams", remedy)


def _is_mapping(value: Any) -> bool:  # Any: JSON that an operator wrote
    return isinstance(value, dict) and all(
        isinstance(given, list) and given and all(isinstance(name, str) for name in given)
        for given in value.values()
    )


def _is_issuer(text: str) -> bool:
    """Whether this can be an issuer: https, and http to this very machine outside production."""
    try:
        parts = urlsplit(text)
        plain = not (parts.query or parts.fragment or "@" in parts.netloc) and len(text) <= 200
    except ValueError:
        return False
    is_here = parts.scheme == "http" and not settings.PRODUCTION and _is_loopback(parts.hostname or "")
    return bool(parts.hostname) and plain and (parts.scheme == "https" or is_here)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
