"""What people have to hear of at once: said by this floor and the next, told by whoever listens above them.

In the transaction of what happened, so that it is told if and only if that was.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from identities.models import Team

AGENT_LOCKED, APPLICATION_LOCKED, LEASE_NOT_ENDED = "agent.locked", "application.locked", "lease.end_failed"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Alarm:
    """What happened to what, in which team. ``facts`` are names and counts, nothing personal or secret."""

    kind: str
    team: Team
    subject: UUID
    facts: Mapping[str, Any]  # Any: JSON
    key: str  # what has the same one is told once


Listener = Callable[[Alarm], None]
_listeners: list[Listener] = []


def register_listener(listener: Listener) -> None:
    """Have alarms told by this, too; a second time changes nothing."""
    if listener not in _listeners:
        _listeners.append(listener)


def sound(alarm: Alarm) -> None:
    """Tell everybody who listens, in the caller's transaction; that nobody can be told takes nothing back."""
    for listener in _listeners:
        try:
            with transaction.atomic():
                listener(alarm)
        except Exception:  # a boundary: what was locked stays locked
            logger.exception("nobody was told of %s", alarm.kind)
