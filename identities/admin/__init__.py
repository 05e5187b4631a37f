"""Who acts: agents, applications and their keys, people, teams."""

from identities.admin.agents import AgentIdentityAdmin
from identities.admin.applications import ApplicationAdmin
from identities.admin.keys import ApiKeyAdmin
from identities.admin.people import PersonAdmin
from identities.admin.secrets import SecretAdmin
from identities.admin.teams import TeamAdmin

__all__ = ["AgentIdentityAdmin", "ApiKeyAdmin", "ApplicationAdmin", "PersonAdmin", "SecretAdmin", "TeamAdmin"]
