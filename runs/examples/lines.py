"""What a model was shown in a step and what it answered, as one line of a file for fine-tuning.

A line is made of the record anew, and compared with the digests that were taken when the model was asked: what cannot
be shown to be just what it saw is left out. The same rules of redaction apply as did then, to the answer as well.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from agentops.engine import events as e
from agentops.engine.fold import UnfoldableEvent, fold
from agentops.engine.state import Mark, RunState
from runs.planner.messages import Message, ToolSchema, render_tools
from runs.replays.prompts import Prompter
from runs.replays.recording import Recording
from runs.showing import show_step
from runs.turns import digest_shown
from runs.versions import VersionSpec
from runs.window import Block, system_message

Shown = tuple[list[Block], tuple[ToolSchema, ...]]


@dataclass(frozen=True, slots=True)
class Line:
    """One conversation: ``messages`` as Chat Completions has them, the last one the answer to learn from."""

    step: int
    messages: tuple[Message, ...]
    tools: tuple[ToolSchema, ...]

    def as_json(self) -> dict[str, Any]:  # Any: JSON
        """Return it as the file has it. Only the last answer is weighed: the earlier ones are there to be read."""
        *before, answer = self.messages
        told = [{**each, "weight": 0} if each["role"] == "assistant" else each for each in before]
        tools = {"tools": render_tools(self.tools)} if self.tools else {}
        return {"messages": [*told, {**answer, "weight": 1}], **tools}


def make_lines(recording: Recording, version: VersionSpec, steps: Collection[int]) -> Iterator[Line]:
    """Yield a line for each of these steps of which it is known what the model was shown, and that has an answer."""
    prompter, state = Prompter(recording, version), None
    shown: dict[int, Shown] = {}
    for event in recording.events:
        step = event.facts.get("step", 0)
        if state is not None and event.kind == e.MODEL_REQUESTED and step in steps:
            shown.pop(step, None)
            if (found := _show(prompter, version, state, event.facts)) is not None:
                shown[step] = found
        if event.kind == e.STEP_DECIDED and step in shown:
            yield from _make(recording, version, event.seq, step, shown.pop(step))
        try:
            state = fold(state, event)
        except (UnfoldableEvent, KeyError, ValueError, TypeError):  # facts that somebody has bent
            return


def _show(
    prompter: Prompter,
    version: VersionSpec,
    state: RunState,
    asked: dict[str, Any],  # Any: facts
) -> Shown | None:
    """Return what was asked in a step, where it is just what the digests of then say."""
    found = prompter.show(state)
    if found is None:
        return None
    window, offered = found
    digests = digest_shown(version, window, offered)
    is_same = all(digest and asked.get(name) == digest for name, digest in digests.items())
    return found if is_same else None


def _make(recording: Recording, version: VersionSpec, seq: int, step: int, shown: Shown) -> Iterator[Line]:
    written = recording.written[seq]
    content = written.content or {}
    if written.facts.get("problem") or not (content.get("text") or content.get("calls")):
        return  # no answer that anybody should learn
    if any(call.get("arguments") is None for call in content.get("calls") or ()):
        return  # nor arguments that nobody could read
    window, offered = shown
    answer = show_step([Mark(seq, step, 0)], recording.written, version).messages
    before = [message for block in window for message in block.messages]
    yield Line(step, (system_message(version.instructions), *before, *answer), offered)
