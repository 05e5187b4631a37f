"""The stream of a run, and people who write to it as they please."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from random import Random
from typing import Any

from agentops.engine import events as e
from agentops.engine.events import Event
from agentops.engine.fold import fold
from agentops.engine.state import CallState, RunState
from tests.engine.world import START, Facts, World

# The most that a person may grant at a time.
MOST_MORE: Facts = {"steps": 3, "tokens": 5_000, "usd": "0.1", "seconds": 30}


@dataclass
class History:
    """One run's stream, every state it went through, and what people do meanwhile."""

    world: World
    dice: Random
    now: datetime = START
    events: list[Event] = field(default_factory=list)
    states: list[RunState] = field(default_factory=list)
    verdicts: dict[str, str] = field(default_factory=dict)
    acts: int = 20  # people do not go on for ever

    @property
    def state(self) -> RunState:
        return self.states[-1]

    def chance(self, probability: float) -> bool:
        return self.dice.random() < probability

    def pass_time(self, milliseconds: int) -> None:
        """Let time pass, in which people may act."""
        self.now += timedelta(milliseconds=self.dice.randint(0, milliseconds))
        if self.chance(self.world.people):
            self.let_people_act()

    def append(self, event: Event) -> None:
        self.states.append(fold(self.states[-1] if self.states else None, event))
        self.events.append(event)

    def let_people_act(self) -> None:
        """Let somebody do one of the things that are possible now, past the driver."""
        if self.acts and not self.state.has_ended:
            self.acts -= 1
            self.dice.choice(self._possible_acts())()

    def _possible_acts(self) -> list[Callable[[], None]]:
        kinds = [e.RUN_PAUSED, e.MESSAGE_RECEIVED] + 4 * [e.RUN_UNPAUSED] * self.state.paused
        if self.chance(0.1):
            kinds += [e.CANCEL_REQUESTED, e.RUN_KILLED]
        acts: list[Callable[[], None]] = [partial(self._act, kind) for kind in kinds]
        if self.state.is_under_review:
            acts += 4 * [partial(self._act, self.dice.choice((e.CHANGES_SENT_BACK, e.CHANGES_SETTLED)))]
        if self.state.extensible.asked:
            acts += 4 * [self._extend, self._refuse_more]
        for call in self.state.open_calls:
            acts += 3 * self._answers(call)
        return acts

    def _answers(self, call: CallState) -> list[Callable[[], None]]:
        where = {"step": self.state.step, "call": call.number}
        if call.status == "waiting":
            others = () if call.attempts else ("edited",)
            verdict = self.dice.choice(("approved", "denied", "asked", *others))
            return [partial(self.verdicts.setdefault, call.approval, verdict)]  # type: ignore[list-item]  # its result is not used
        if call.status == "confirming":
            said = self.dice.choice(("confirmed", "confirmed", "denied_by_user", "confirmation_expired"))
            return [partial(self.verdicts.setdefault, call.confirmation, said)]  # type: ignore[list-item]  # its result is not used
        if call.status == "asked":
            kind = e.INPUT_RECEIVED if call.code == "input" else e.HANDOVER_ANSWERED
            return [partial(self._act, kind, **where)]
        if call.status == "parked":
            return [partial(self._act, e.OUTCOME_SETTLED, **where, happened=self.chance(0.5))]
        if call.status == "held":
            return [partial(self._act, e.CALL_VETOED, **where)]
        return []

    def _extend(self) -> None:
        """Let the run go on; what it may have more of a shared unit is reserved of it."""
        usd, held = str(Decimal(self.dice.randint(1, 10)) / 100), self.state.drawn
        more = {unit: self.dice.randint(1, MOST_MORE[unit]) for unit in ("steps", "tokens", "seconds")}
        drawn = {
            "steps": 0 if held.steps is None else more["steps"],
            "tokens": 0 if held.tokens is None else more["tokens"],
            "usd": "0" if held.usd is None else usd,
        }
        until = (self.now + timedelta(minutes=30)).isoformat()
        asked = self.state.extensible.asked
        self._act(e.BUDGET_EXTENDED, extension=asked, **more, usd=usd, drawn=drawn, until=until)

    def _refuse_more(self) -> None:
        code = self.dice.choice(("refused", "expired"))
        self._act(e.EXTENSION_REFUSED, extension=self.state.extensible.asked, code=code)

    def _act(self, kind: str, **facts: Any) -> None:
        self.append(Event(len(self.events) + 1, kind, {"size": 9, **facts}, self.now))
