"""What a replay has found: values without a word of what was said in the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

Outcome = Literal["same", "different", "missing", "erased", "newer_engine"]
What = Literal["command", "prompt", "offer", "bound", "answer", "verdict", "row", "history", "missing"]

OUTCOMES = {
    "same": "Replayed: everything was decided again as it is recorded.",
    "different": "Something would be decided otherwise today, or is not recorded as it was.",
    "missing": "It cannot be replayed to its end: what is asked for was not recorded.",
    "erased": "It cannot be replayed: words of it were erased.",
    "newer_engine": "It cannot be replayed here: it goes by rules of a later release.",
}
WORDS: dict[What, str] = {
    "command": "what the engine would have had done",
    "prompt": "what the model would be shown",
    "offer": "which functions the model would be offered",
    "bound": "how large the prompt would be reckoned",
    "answer": "what the model has answered",
    "verdict": "what can be said of a call without asking anybody",
    "row": "what the run's row says",
    "history": "an entry that cannot stand where it stands",
    "missing": "what is asked for was not recorded",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is recorded otherwise than it would be today, at an entry of a step; codes and digests only."""

    step: int
    entry: int
    what: What
    recorded: str
    now: str


@dataclass(frozen=True, slots=True)
class Report:
    """What was replayed: ``engine`` is the version whose rules the run keeps, ``by_engine`` that of this release.

    ``prompts`` were made again and compared, ``uncompared`` were not: recorded before there were digests, or offering
    values that a tool was asked for. ``verdicts`` are of calls, ``answers`` of models and tools, taken from the record.
    """

    run: UUID
    outcome: Outcome
    engine: int
    by_engine: int
    entries: int = 0
    commands: int = 0
    steps: int = 0
    prompts: int = 0
    uncompared: int = 0
    verdicts: int = 0
    answers: int = 0
    differences: tuple[Difference, ...] = ()
    is_cut: bool = False

    @property
    def words(self) -> str:
        """Say for people what became of it."""
        return OUTCOMES[self.outcome]
