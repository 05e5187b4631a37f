"""A driver's writing: what it knows, what it has not written yet, and what becomes of that when people write."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

from agentops.engine.commands import Command
from agentops.engine.events import INTENTS, Event
from agentops.engine.fold import fold, is_overtaken
from agentops.engine.state import RunState
from tests.engine.people import History
from tests.engine.world import START


class Moved(Exception):
    """People added to the stream: the driver folds again and decides anew."""


@dataclass
class Writer(History):
    """A driver with a view of its own of the run's history."""

    # What the driver knows, what it has not written yet, and which commands led to what it has written.
    head: int = 0
    pending: list[tuple[Event, Command | None]] = field(default_factory=list)
    idle_ms: int = 0
    due_at: datetime = START
    decisions: list[Command] = field(default_factory=list)

    @property
    def view(self) -> RunState:
        """Return what the driver knows."""
        state = self.states[self.head - 1]
        for event, _ in self.pending:
            state = fold(state, event)
        return state

    def note(self, kind: str, command: Command | None = None, **facts: Any) -> None:
        """Keep an event to be written; ``command`` is what led to it, unless the world or people did."""
        if self.idle_ms:
            facts, self.idle_ms = {**facts, "idle_ms": self.idle_ms}, 0
        seq = self.head + len(self.pending) + 1
        self.pending.append((Event(seq, kind, facts, self.now), command))

    def commit(self) -> None:
        """Write what is pending, unless people have written meanwhile."""
        if not self.pending:
            return
        if self.head != len(self.events):
            raise Moved
        for event, command in self.pending:
            self.append(event)
            self.decisions += [command] if command else []
        self.head, self.pending = len(self.events), []

    def rewind(self) -> None:
        """Fold again; what has happened is kept, what was only intended is dropped."""
        kept = list(takewhile(lambda item: item[0].kind not in INTENTS, self.pending))
        self.idle_ms += sum(event.facts.get("idle_ms", 0) for event, _ in self.pending[len(kept) :])
        self.head = len(self.events)
        self.pending = []
        for event, command in kept:
            if not is_overtaken(self.view, event.kind, event.facts):
                seq = self.head + len(self.pending) + 1
                self.pending.append((event._replace(seq=seq), command))
            else:
                self.idle_ms += event.facts.get("idle_ms", 0)

    def take_over(self) -> None:
        """Begin a drive: fold, and see how long the run has waited for it."""
        self.head, self.pending, self.idle_ms = len(self.events), [], 0
        if self.state.working_since is not None:
            since = max(self.due_at, self.state.working_since)
            self.idle_ms = max(0, (self.now - since) // timedelta(milliseconds=1))
