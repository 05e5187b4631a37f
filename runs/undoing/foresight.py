"""What an undo of a run would do, effect by effect, and what it cannot: told before it starts, and after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from agentops.errors import ValidationFailed
from agentops.ledger.store import Cursor
from runs.undoing.effects import Effect, Recorded, Tried, read_effects, read_recorded, read_tried
from runs.undoing.plans import ToUndo
from tools.calls import ToolSpec
from tools.catalogue import read_spec
from tools.compensation import fill_in
from tools.models import Tool
from tools.schemas import validate_arguments
from tools.services.catalogue import latest_version

Word = Literal["will", "under_way", "done", "unsure", "cannot"]


@dataclass(frozen=True, slots=True)
class Foreseen:
    """One effect of a run. ``word``: will be undone, is being, was, may have been, or cannot be (and ``why``).

    ``by`` is the tool that undoes it; ``to_undo`` is what an undo takes on, where it would.
    """

    step: int
    call: int
    tool: str
    word: Word
    by: str = ""
    kind: str = ""
    why: str = ""
    to_undo: ToUndo | None = None


def foresee(cursor: Cursor, run: UUID, team: UUID) -> list[Foreseen]:
    """Return every effect of a run, the latest first: the order in which they are undone."""
    effects = read_effects(cursor, run)
    tried, recorded = read_tried(cursor, run), read_recorded(cursor, effects)
    return [_foresee(each, tried.get(each.place), recorded[each.place], team) for each in effects]


def _foresee(effect: Effect, tried: Tried | None, recorded: Recorded, team: UUID) -> Foreseen:
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
    found = _compensation(effect, read_spec(effect.version), recorded, team)
    if tried is not None and found.word == "will":
        return Foreseen(*where, "will", found.by, found.kind, f"tried before: {tried.why}", found.to_undo)
    return found


def _compensation(effect: Effect, spec: ToolSpec, recorded: Recorded, team: UUID) -> Foreseen:
    where = effect.step, effect.call, effect.tool
    if spec.undo is None:
        return Foreseen(*where, "cannot", why="nothing is known that undoes it")
    by, kind = str(spec.undo["tool"]), str(spec.undo["kind"])
    tool = Tool.objects.filter(team_id=team, name=by, state=Tool.State.ACTIVE).first()
    version = latest_version(tool) if tool else None
    if version is None:
        return Foreseen(*where, "cannot", by, kind, f"{by} is not in service")
    try:
        arguments = fill_in(spec.undo["arguments"], recorded.arguments, recorded.result)
    except ValidationFailed as error:
        return Foreseen(*where, "cannot", by, kind, error.detail)
    if problems := validate_arguments(read_spec(version.pk), arguments):
        return Foreseen(
            *where, "cannot", by, kind, f"{by} does not take what is on record: {problems[0].message}"
        )
    to_undo = ToUndo(effect.run, effect.step, effect.call, effect.tool, effect.version, version.pk)
    return Foreseen(*where, "will", by, kind, to_undo=to_undo)


_WORDS: dict[Word, str] = {
    "will": "will be undone", "under_way": "is being undone", "done": "undone", "unsure": "perhaps undone",
    "cannot": "not undone",
}  # fmt: skip


def tell(foreseen: Sequence[Foreseen]) -> str:
    """Return all that in plain words, a line for each effect."""
    return "\n".join(_lines(foreseen)) or "The run has changed nothing."


def _lines(foreseen: Sequence[Foreseen]) -> Iterator[str]:
    for each in foreseen:
        by = f" by {each.by}" if each.by else ""
        why = f": {each.why}" if each.why else ""
        yield f"{each.tool} (step {each.step}): {_WORDS[each.word]}{by}{why}"
