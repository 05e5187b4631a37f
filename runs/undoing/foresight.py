"""What an undo of a run would do, effect by effect, and what it cannot: told before it starts, and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal
from uuid import UUID

from agentops.database import borrowed
from agentops.errors import ValidationFailed
from runs.undoing.effects import (
    Effect,
    PassedOn,
    Recorded,
    Tried,
    read_effects,
    read_passed_on,
    read_recorded,
    read_specs,
    read_tried,
)
from runs.undoing.plans import ToUndo
from tools.authority import Verdict
from tools.calls import ToolSpec
from tools.catalogue import read_latest
from tools.compensation import fill_in
from tools.schemas import validate_arguments

Word = Literal["will", "under_way", "done", "unsure", "cannot"]


@dataclass(frozen=True, slots=True)
class Foreseen:
    """One effect of a run. ``word``: will be undone, is being, was, may have been, or cannot be (and ``why``).

    ``by`` is the tool that undoes it; ``to_undo`` is what an undo takes on, where it would, and ``arguments`` are what
    ``by`` is then called with. ``policy`` is what would be decided about that call now, ``policy_why`` for which
    reason: empty where nobody asked, or nothing will be called.
    """

    step: int
    call: int
    tool: str
    word: Word
    by: str = ""
    kind: str = ""
    why: str = ""
    to_undo: ToUndo | None = None
    arguments: dict[str, Any] | None = None  # Any: JSON
    policy: Verdict | Literal[""] = ""
    policy_why: str = ""


def foresee(run: UUID, team: UUID, *, ending: UUID | None = None) -> list[Foreseen]:
    """Return every effect of a run, the latest first: the order in which they are undone.

    ``ending`` is the undo that is about to end, where it asks. Takes the same number of statements, however many
    effects there are.
    """
    with borrowed() as connection, connection.cursor() as cursor:
        effects, tried = read_effects(cursor, run), read_tried(cursor, run, ending=ending)
    specs = read_specs(each.version for each in effects)
    undoing = read_latest(team, [str(spec.undo["tool"]) for spec in specs.values() if spec.undo])
    with borrowed() as connection, connection.cursor() as cursor:
        recorded = read_recorded(cursor, effects, specs)
        passed_on = read_passed_on(cursor, run)
    own = [
        _foresee(each, tried.get(each.place), specs[each.version], recorded[each.place], undoing)
        for each in effects
    ]
    return [*own, *map(_name_passed_on, passed_on)]


def _name_passed_on(task: PassedOn) -> Foreseen:
    """What other agents did with a task is undone by itself: their grants and their records are their own."""
    runs = ", ".join(map(str, task.runs))
    why = f"it was another agent's task, and {task.effects} effects came of it: undo these runs by themselves, {runs}"
    return Foreseen(task.step, task.call, task.tool, "cannot", why=why)


def _foresee(
    effect: Effect,
    tried: Tried | None,
    spec: ToolSpec,
    recorded: Recorded,
    undoing: Mapping[str, ToolSpec],
) -> Foreseen:
    where = effect.step, effect.call, effect.tool
    if tried is not None and tried.word == "done":
        return Foreseen(*where, "done", tried.tool)
    if tried is not None and tried.word == "planned":
        return Foreseen(*where, "under_way", tried.tool)
    if tried is not None and tried.word == "unsure":
        why = "it was tried, and nobody knows whether that happened: a person has to find out"
        return Foreseen(*where, "unsure", tried.tool, why=why)
    if not effect.is_sure:
        why = "nobody knows whether it happened: a person has to find out first"
        return Foreseen(*where, "cannot", why=why)
    found = _compensation(effect, spec, recorded, undoing)
    if tried is not None and found.word == "will":
        return replace(found, why=f"tried before: {tried.why}")
    return found


def _compensation(
    effect: Effect, spec: ToolSpec, recorded: Recorded, undoing: Mapping[str, ToolSpec]
) -> Foreseen:
    where = effect.step, effect.call, effect.tool
    if spec.undo is None:
        return Foreseen(*where, "cannot", why="nothing is known that undoes it")
    by, kind = str(spec.undo["tool"]), str(spec.undo["kind"])
    if (tool := undoing.get(by)) is None:
        return Foreseen(*where, "cannot", by, kind, f"{by} is not in service")
    try:
        arguments = fill_in(spec.undo["arguments"], recorded.arguments, recorded.result)
    except ValidationFailed as error:
        return Foreseen(*where, "cannot", by, kind, error.detail)
    if problems := validate_arguments(tool, arguments):
        why = f"{by} does not take what is on record: {problems[0].message}"
        return Foreseen(*where, "cannot", by, kind, why)
    to_undo = ToUndo(effect.run, effect.step, effect.call, effect.tool, effect.version, tool.id)
    return Foreseen(*where, "will", by, kind, to_undo=to_undo, arguments=arguments)


FORECAST = "What the policy would say is a forecast: it is asked again when each call is made."
_WORDS: dict[Word, str] = {
    "will": "will be undone", "under_way": "is being undone", "done": "undone", "unsure": "perhaps undone",
    "cannot": "not undone",
}  # fmt: skip
_AT_THE_END: dict[Word, str] = {**_WORDS, "will": "not undone yet, another undo can do it"}
_POLICY: dict[str, str] = {
    "ALLOW": "as things stand now, the call would go out",
    "REQUIRE_APPROVAL": "as things stand now, a person would be asked first",
    "DENY": "as things stand now, the call would be refused",
}


def tell(foreseen: Sequence[Foreseen], *, has_ended: bool = False) -> str:
    """Return all that in plain words, a line for each effect; ``has_ended``: nothing more will be done."""
    words = _AT_THE_END if has_ended else _WORDS
    return "\n".join(_line(each, words) for each in foreseen) or "The run has changed nothing."


def _line(each: Foreseen, words: Mapping[Word, str]) -> str:
    by = f" by {each.by}" if each.by else ""
    because = f" ({each.policy_why})" if each.policy_why else ""
    policy = f"{_POLICY[each.policy]}{because}" if each.policy else each.policy_why
    return ": ".join(
        filter(None, (f"{each.tool} (step {each.step})", f"{words[each.word]}{by}", each.why, policy))
    )
