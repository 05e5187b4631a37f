"""What the floors above ask before an agent may act: identities know neither versions nor guardrails.

A check gets the agent, locked and active, in the transaction that lets it act; it refuses by raising an
AgentOpsError, which takes the activation back.
"""

from __future__ import annotations

from collections.abc import Callable

from identities.models import AgentIdentity

Check = Callable[[AgentIdentity], None]

_checks: list[Check] = []


def register_activation_check(check: Check) -> None:
    """Ask this too before an agent is activated; a second time changes nothing."""
    if check not in _checks:
        _checks.append(check)


def check_activation(agent: AgentIdentity) -> None:
    """Raise what the first check has against the agent's activation."""
    for check in _checks:
        check(agent)
