"""What may be done to identities. Every verb checks, locks, writes and records in one transaction."""

from identities.services.agents import activate_agent, create_agent, revoke_agent, suspend_agent, update_agent
from identities.services.applications import (
    allow_start,
    create_application,
    forbid_start,
    revoke_application,
    update_application,
)
from identities.services.groups import create_group, set_group_permissions
from identities.services.keys import authenticate, issue_api_key, revoke_api_key, step_up
from identities.services.kill_switches import lift_switch, throw_switch
from identities.services.people import create_first_superuser, create_person, set_password, update_person
from identities.services.secrets import create_secret, replace_secret, retire_secret
from identities.services.teams import create_team, set_members, update_team

__all__ = [
    "activate_agent",
    "allow_start",
    "authenticate",
    "create_agent",
    "create_application",
    "create_first_superuser",
    "create_group",
    "create_person",
    "create_secret",
    "create_team",
    "forbid_start",
    "issue_api_key",
    "lift_switch",
    "replace_secret",
    "retire_secret",
    "revoke_agent",
    "revoke_api_key",
    "revoke_application",
    "set_group_permissions",
    "set_members",
    "set_password",
    "step_up",
    "suspend_agent",
    "throw_switch",
    "update_agent",
    "update_application",
    "update_person",
    "update_team",
]
