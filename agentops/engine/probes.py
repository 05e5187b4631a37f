"""Probing: what the engine decides after every event of a history, there and at each moment that changes it.

A stream shows what a driver did, not what it would have done had it looked at another time: earlier than a retry
is due, or in place of a driver that died. So a history that is kept holds the engine's word on that too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from agentops.engine.commands import AskPlanner, Command
from agentops.engine.decide import find_deadline, next_command
from agentops.engine.events import Event
from agentops.engine.fold import fold
from agentops.engine.state import RunState
from agentops.engine.tiers import choose_role, is_low, is_routed
from agentops.errors import NondeterminismError

JUST_BEFORE = timedelta(microseconds=1)  # the resolution of an entry's time


@dataclass(frozen=True, slots=True)
class Probe:
    """What the engine decides at a moment, for a run that has waited ``idle_ms`` for its driver."""

    at: datetime
    idle_ms: int
    command: str


def probe_history(events: Iterable[Event]) -> list[list[Probe]]:
    """Return, for each event, what the engine decides after it."""
    state, probes = None, []
    for event in events:
        state = fold(state, event)
        moments = _find_moments(state, event.at)
        probes.append([Probe(at, idle_ms, _ask(state, at, idle_ms)) for at, idle_ms in moments])
    return probes


def check_history(events: Sequence[Event], recorded: Sequence[Sequence[Probe]]) -> None:
    """Ask again what was asked when a history was recorded; raises NondeterminismError where the answer differs."""
    state = None
    for event, probes in zip(events, recorded, strict=True):
        state = fold(state, event)
        for probe in probes:
            command = _ask(state, probe.at, probe.idle_ms)
            if command != probe.command:
                raise NondeterminismError(command, f"{probe.command} after {event.seq} at {probe.at}")


def word_command(command: Command) -> str:
    """Return a command as a text that stays the same: its name, then its fields."""
    words = [f"{each.name}={_word(getattr(command, each.name))}" for each in fields(command)]
    return " ".join([type(command).__name__, *words])


def _ask(state: RunState, at: datetime, idle_ms: int) -> str:
    command = next_command(state, at, idle_ms)
    return word_command(command) + _word_role(state, command)


def _word_role(state: RunState, command: Command) -> str:
    """Say which role the next call has, and whether the cheapest model is asked, where the run knows roles."""
    if not isinstance(command, AskPlanner) or not is_routed(state) or state.is_external:
        return ""
    role, why = choose_role(state)
    return f" role={role} why={why} low={is_low(state)}"


def _word(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _find_moments(state: RunState, at: datetime) -> list[tuple[datetime, int]]:
    """Return when to ask: now, and on either side of every moment from which the answer may be another."""
    if state.has_ended:
        return [(at, 0)]
    deadline = find_deadline(state, at, 0)
    idle_until = state.heard_at and state.heard_at + timedelta(seconds=state.idle_s)
    due = [state.retry_at, *(call.retry_at for call in state.calls), deadline, state.expires_at, idle_until]
    turns = sorted({moment for moment in due if moment is not None and moment > at})
    moments = [(at, 0), *((moment, 0) for turn in turns for moment in (turn - JUST_BEFORE, turn))]
    return list(dict.fromkeys([*moments, (max(at, deadline), 1)]))
