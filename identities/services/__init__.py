"""What may be done to identities. Every verb checks, locks, writes and records in one transaction."""

from identities.services.agents import activate_agent, create_agent, revoke_agent, suspend_agent, update_agent
from identities.services.applications import (
    allow_start,
    create_application,
    declare_resource,
    forbid_start,
    revoke_application,
    update_application,
)
from identities.services.credentials import issue_credential, revoke_credential, rotate_credential
from identities.services.delegations import revoke_delegation
from identities.services.groups import create_group, set_group_permissions
from identities.services.issuers import add_issuer, disable_issuer
from identities.services.key_proofs import begin_key_proof, step_up_by_key, take_signed
from identities.services.keys import authenticate, confirm_person, issue_api_key, revoke_api_key, step_up
from identities.services.kill_switches import lift_switch, stop_api_key, throw_switch
from identities.services.people import create_first_superuser, create_person, set_password, update_person
from identities.services.recertification import recertify_agent
from identities.services.secrets import create_secret, replace_secret, retire_secret
from identities.services.sign_ons import link_account, sign_on, unlink_account
from identities.services.signing_keys import revoke_signing_key, rotate_signing_key
from identities.services.teams import create_team, set_members, update_team

__all__ = [
    "activate_agent",
    "add_issuer",
    "allow_start",
    "authenticate",
    "begin_key_proof",
    "confirm_person",
    "create_agent",
    "create_application",
    "create_first_superuser",
    "create_group",
    "create_person",
    "create_secret",
    "create_team",
    "declare_resource",
    "disable_issuer",
    "forbid_start",
    "issue_api_key",
    "issue_credential",
    "lift_switch",
    "link_account",
    "recertify_agent",
    "replace_secret",
    "retire_secret",
    "revoke_agent",
    "revoke_api_key",
    "revoke_application",
    "revoke_credential",
    "revoke_delegation",
    "revoke_signing_key",
    "rotate_credential",
    "rotate_signing_key",
    "set_group_permissions",
    "set_members",
    "set_password",
    "sign_on",
    "step_up",
    "step_up_by_key",
    "stop_api_key",
    "suspend_agent",
    "take_signed",
    "throw_switch",
    "unlink_account",
    "update_agent",
    "update_application",
    "update_person",
    "update_team",
]
