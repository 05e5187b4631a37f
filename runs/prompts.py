"""What the model was shown in a step, made again from the run's stream: the same entries in the same arrangement.

What was erased since shows as erased: it is gone here too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from django.db import connection

from agentops.engine import events as e
from agentops.engine.events import Event
from agentops.engine.fold import fold_all
from agentops.engine.state import RunState
from agentops.errors import NotFound
from agentops.ledger.store import read_contents_for_people
from runs.forks.plans import read_version_of
from runs.histories import read_history
from runs.lookups.offering import offered_beside
from runs.models import Run, RunKind
from runs.planner.messages import Message
from runs.planning import arrange_words
from runs.showing import show_step
from runs.sources import SAID
from runs.versions import PLANNER, VersionSpec
from runs.window import Written, by_step, choose_marks, system_message


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request to the model: its messages in order, the names of the tools that it was offered, where it is told.

    ``seq`` is the ledger entry of the request; ``left_out`` how many entries no longer fitted into the window.
    """

    step: int
    attempt: int
    seq: int
    messages: tuple[Message, ...]
    tools: tuple[str, ...]
    left_out: int = 0


def read_prompt(run: Run, step: int) -> Prompt:
    """Return what the model was shown in a step, at the last time of asking.

    Raises NotFound for a step in which no model was asked: of an undo, of an agent outside, or that never was.
    """
    history = read_history(run.pk)
    asked = [event for event in history if event.kind == e.MODEL_REQUESTED and event.facts["step"] == step]
    if not asked or run.kind not in (RunKind.TASK, RunKind.FORK, RunKind.CASE):
        raise NotFound("unknown_prompt", "no model was asked in this step")
    request = asked[-1]
    before = list(takewhile(lambda event: event.seq < request.seq, history))
    version = read_version_of(run)
    make = _declaring if _declares(version, before) else _windowed
    return make(run, version, request, before)


def _declares(version: VersionSpec, before: list[Event]) -> bool:
    state = fold_all(before)
    return version.plan == PLANNER and state.planned_until < state.said_until


def _declaring(run: Run, version: VersionSpec, request: Event, before: list[Event]) -> Prompt:
    """Before its plan stands the planner sees the user's words and nothing else."""
    said = [event for event in before if event.kind in SAID]
    contents = _read(run, {event.seq: event for event in said})
    texts = [str((contents[event.seq].content or {}).get(SAID[event.kind], "")) for event in said]
    block = arrange_words(texts, version)
    return _prompt(request, (system_message(version.instructions), *block.messages), (e.DECLARE_PLAN,))


def _windowed(run: Run, version: VersionSpec, request: Event, before: list[Event]) -> Prompt:
    state: RunState = fold_all(before)
    marks = choose_marks(state.marks, version.context_tokens)
    events = {event.seq: event for event in before}
    contents = _read(run, {mark.seq: events[mark.seq] for mark in marks})
    blocks = [show_step(of_step, contents, version) for _, of_step in by_step(marks)]
    messages = tuple(message for block in blocks for message in block.messages)
    tools = tuple(schema.name for schema in (*version.schemas, *offered_beside(state, version)))
    shown = (system_message(version.instructions), *messages)
    return _prompt(request, shown, tools, len(state.marks) - len(marks))


def _read(run: Run, events: Mapping[int, Event]) -> dict[int, Written]:
    with connection.cursor() as cursor:
        found = read_contents_for_people(cursor, run.pk, list(events))
    return {seq: Written(event.kind, event.facts, found.get(seq)) for seq, event in events.items()}


def _prompt(
    request: Event,
    messages: tuple[Any, ...],
    tools: tuple[str, ...],
    left_out: int = 0,  # Any: messages as JSON
) -> Prompt:
    facts = request.facts
    return Prompt(facts["step"], facts["attempt"], request.seq, messages, tools, left_out)
