"""What can be wrong with a table, with its inputs, and with a decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agentops.errors import StateConflict, ValidationFailed


@dataclass(frozen=True, slots=True)
class Problem:
    """One place, and in plain words what is wrong there."""

    place: str
    words: str

    def __str__(self) -> str:
        return f"{self.place}: {self.words}"


class FeelError(ValueError):
    """A text is not the S-FEEL that is understood here; `position` counts characters from 1."""

    def __init__(self, words: str, position: int = 1) -> None:
        super().__init__(f"{words} (at character {position})")
        self.words = words
        self.position = position


class InvalidTable(ValidationFailed):
    """A table or model cannot be used as its author wrote it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("invalid_table", "; ".join(map(str, problems)), problems=problems)


class InvalidInputs(ValidationFailed):
    """The inputs of a decision are not what its table asks for."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("invalid_inputs", "; ".join(map(str, problems)), problems=problems)


class ContradictoryTable(StateConflict):
    """The rules that were hit say different things, or one says what it must not: there is no decision."""

    def __init__(self, detail: str) -> None:
        super().__init__("contradictory_table", detail)
