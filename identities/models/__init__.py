"""Who acts: people, teams, agent identities, applications, principals, and their credentials."""

from identities.models.agents import (
    AgentIdentity,
    AgentIdentityGroupObjectPermission,
    AgentIdentityUserObjectPermission,
)
from identities.models.applications import Application
from identities.models.changes import ALWAYS_TWO, ChangeProposal, ChangeRule
from identities.models.clients import OVERLAP, Credential, RefusedTokenRequests, UsedIdentifier
from identities.models.credentials import ApiKey, RefusedSignIns
from identities.models.kill_switches import KillSwitch
from identities.models.people import STAFF_ISSUER, Principal, ProviderAccount, Team, User
from identities.models.secrets import Secret, SecretLease
from identities.models.tokens import DEEPEST, Delegation, SigningKey, TokenIssuer

__all__ = [
    "ALWAYS_TWO",
    "DEEPEST",
    "OVERLAP",
    "STAFF_ISSUER",
    "AgentIdentity",
    "AgentIdentityGroupObjectPermission",
    "AgentIdentityUserObjectPermission",
    "ApiKey",
    "Application",
    "ChangeProposal",
    "ChangeRule",
    "Credential",
    "Delegation",
    "KillSwitch",
    "Principal",
    "ProviderAccount",
    "RefusedSignIns",
    "RefusedTokenRequests",
    "Secret",
    "SecretLease",
    "SigningKey",
    "Team",
    "TokenIssuer",
    "UsedIdentifier",
    "User",
]
