"""What the driver is told to do next: exactly one of these values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from agentops.engine.state import LimitReached, StatusReason


@dataclass(frozen=True, slots=True)
class AskPlanner:
    """Reserve the worst case, then ask the model for step ``step``."""

    step: int
    attempt: int


@dataclass(frozen=True, slots=True)
class SettleLostAnswer:
    """The model was asked, and the answer was lost with its driver: charge it in full, then go on."""

    step: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Summarise:
    """The conversation has outgrown its window: have its steps up to ``through`` summarised."""

    through: int


@dataclass(frozen=True, slots=True)
class SettleLostSummary:
    """A model was asked for a summary, and that was lost with its driver: charge it in full, and go on without."""

    through: int


@dataclass(frozen=True, slots=True)
class SettleLostEmbedding:
    """A model was asked for a vector, and that was lost with its driver: charge it in full, and look once more."""


@dataclass(frozen=True, slots=True)
class AssessCalls:
    """Decide for each of these proposed calls whether it may run, must wait for people, or is refused."""

    calls: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CallTools:
    """Carry out these calls: reads together, a write alone."""

    calls: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CallOff:
    """These delegations are not needed any more: the others of their step have settled what they are for."""

    calls: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SettleLostAttempt:
    """An attempt was started and its outcome was lost: it is unknown."""

    call: int


@dataclass(frozen=True, slots=True)
class ReadBack:
    """Ask the tool what became of an unknown attempt's key."""

    call: int


@dataclass(frozen=True, slots=True)
class Park:
    """Leave an unknown outcome to a person."""

    call: int


@dataclass(frozen=True, slots=True)
class Admit:
    """See whether those who review have room for the run; until they have, it waits."""


@dataclass(frozen=True, slots=True)
class AskMore:
    """Put it before a person whether the run may go on beyond a limit of its own; until they say, it waits."""

    limit: LimitReached


@dataclass(frozen=True, slots=True)
class OfferChanges:
    """Put what the run has proposed before those who review it; so many items."""

    items: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before ``until``; None waits for people. ``state`` is how the run shows meanwhile."""

    until: datetime | None
    state: str
    for_people: bool


@dataclass(frozen=True, slots=True)
class Finish:
    """End the run: ``event`` is the kind of the ending, ``reason`` its status reason, ``limit`` the budget reached."""

    event: str
    reason: StatusReason | Literal[""]
    limit: LimitReached | Literal[""] = ""


@dataclass(frozen=True, slots=True)
class Rest:
    """The run has ended."""


Command = (
    AskPlanner
    | SettleLostAnswer
    | Summarise
    | SettleLostSummary
    | SettleLostEmbedding
    | AssessCalls
    | CallTools
    | CallOff
    | SettleLostAttempt
    | ReadBack
    | Park
    | Admit
    | AskMore
    | OfferChanges
    | Wait
    | Finish
    | Rest
)
