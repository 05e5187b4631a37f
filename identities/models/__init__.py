"""Who acts: people, teams, agent identities, applications, principals, and their credentials."""

from identities.models.agents import (
    AgentIdentity,
    AgentIdentityGroupObjectPermission,
    AgentIdentityUserObjectPermission,
)
from identities.models.applications import Application
from identities.models.credentials import ApiKey, RefusedSignIns
from identities.models.people import STAFF_ISSUER, Principal, Team, User
from identities.models.secrets import Secret, SecretLease

__all__ = [
    "STAFF_ISSUER",
    "AgentIdentity",
    "AgentIdentityGroupObjectPermission",
    "AgentIdentityUserObjectPermission",
    "ApiKey",
    "Application",
    "Principal",
    "RefusedSignIns",
    "Secret",
    "SecretLease",
    "Team",
    "User",
]
