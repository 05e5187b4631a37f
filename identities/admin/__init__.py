"""Who acts: agents, applications and their keys and tokens, people, teams."""

from identities.admin.agents import AgentIdentityAdmin
from identities.admin.applications import ApplicationAdmin
from identities.admin.changes import ChangeProposalAdmin, ChangeRuleAdmin
from identities.admin.credentials import CredentialAdmin
from identities.admin.groups import GroupAdmin
from identities.admin.keys import ApiKeyAdmin
from identities.admin.people import PersonAdmin
from identities.admin.secrets import SecretAdmin
from identities.admin.teams import TeamAdmin
from identities.admin.tokens import DelegationAdmin, SigningKeyAdmin, TokenIssuerAdmin

__all__ = [
    "AgentIdentityAdmin",
    "ApiKeyAdmin",
    "ApplicationAdmin",
    "ChangeProposalAdmin",
    "ChangeRuleAdmin",
    "CredentialAdmin",
    "DelegationAdmin",
    "GroupAdmin",
    "PersonAdmin",
    "SecretAdmin",
    "SigningKeyAdmin",
    "TeamAdmin",
    "TokenIssuerAdmin",
]
