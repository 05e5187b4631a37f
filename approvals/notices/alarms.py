"""Alarms of the floors below, as notices: an identity that was locked, a credential that cannot be ended."""

from __future__ import annotations

from approvals.notices.kinds import Facts, Kind, register_kind
from approvals.notices.outbox import tell_team
from identities.alarms import AGENT_LOCKED, APPLICATION_LOCKED, LEASE_NOT_ENDED, Alarm

# Who can do something about it: give new keys, or look at the credential's target.
GIVES_KEYS, KEEPS_SECRETS = "identities.add_credential", "identities.change_secret"


def tell_alarm(alarm: Alarm) -> None:
    """Tell the team of an alarm, in the transaction of what happened."""
    tell_team(alarm.team, alarm.kind, alarm.facts, key=alarm.key, subject=alarm.subject)


def _tell_locked(facts: Facts) -> str:
    return (
        f"{facts['client']} is locked: a key of it that had been replaced was presented (generation"
        f" {facts['generation']}), so somebody has a copy. Find out who, then give it new keys."
    )


def _tell_not_ended(facts: Facts) -> str:
    return (
        f"A credential of {facts['secret']} could not be ended after a call of {facts['tool']} by {facts['agent']}."
        " It is tried again; until then this agent does not call this tool."
    )


def register_kinds() -> None:
    """Let alarms be told."""
    locked = "was locked, because a key that had been replaced was presented"
    for name, label, tell, model, permission in (
        (AGENT_LOCKED, f"an agent {locked}", _tell_locked, "agentidentity", GIVES_KEYS),
        (APPLICATION_LOCKED, f"an application {locked}", _tell_locked, "application", GIVES_KEYS),
        (LEASE_NOT_ENDED, "a credential could not be ended", _tell_not_ended, "secret", KEEPS_SECRETS),
    ):
        page = f"admin:identities_{model}_change"
        register_kind(Kind(name, label, tell, page, by_mail=True, permission=permission))
