"""Going through a recording: each thing that was decided is decided again, from what stood before it.

What a model, a tool or a person answered is taken from the record, and there is nothing else to take it from.
"""

from __future__ import annotations

from typing import Any

from agentops.canonical import keyed_digest
from agentops.engine import events as e
from agentops.engine.decide import next_command
from agentops.engine.events import Event
from agentops.engine.fold import UnfoldableEvent, fold
from agentops.engine.replay import Reader
from agentops.engine.state import RunState
from agentops.errors import NondeterminismError, ValidationFailed
from runs.replays.prompts import Prompter
from runs.replays.recording import Recording
from runs.replays.report import Difference, What
from runs.replays.verdicts import ASSESSED, judge_again
from runs.versions import VersionSpec

# A recording that was bent at its beginning differs from there on.
MOST_DIFFERENCES = 100
_ANSWERS = frozenset((e.CALL_SUCCEEDED, e.STEP_DECIDED, e.SUMMARY_WRITTEN))


class Walk:
    """One pass over a recording, and what it has come upon."""

    def __init__(self, recording: Recording, version: VersionSpec, *, asks_models: bool) -> None:
        self.recording, self.version, self.asks_models = recording, version, asks_models
        self.prompter = Prompter(recording, version)
        first, *self._rest = recording.events
        self.reader = Reader(fold(None, first))
        self.differences: list[Difference] = []
        self.proposed: dict[tuple[int, int], Any] = {}  # arguments by step and call. Any: JSON
        self.prompts = self.uncompared = self.verdicts = self.answers = 0

    @property
    def state(self) -> RunState:
        """Return the state after all that could be read."""
        return self.reader.state

    def go(self, *, has_ended: bool) -> None:
        """Read all entries; ``has_ended`` says whether the run's row shows it as ended."""
        for event in self._rest:
            if len(self.differences) >= MOST_DIFFERENCES:
                return
            try:
                self._look_at(event)
            except (KeyError, ValueError, TypeError, AttributeError) as error:  # facts that somebody has bent
                self._differ(event.seq, "history", event.kind, repr(error))
            if not self._read(event):
                return
        if has_ended and not self.state.has_ended:
            command = next_command(self.state, self.recording.events[-1].at)
            self._differ(self.state.seq + 1, "missing", "nothing", str(command))

    def _read(self, event: Event) -> bool:
        """Have the engine decide again; return whether the rest can be read."""
        try:
            self.reader.read(event)
        except NondeterminismError as error:
            self._note_command(event, error)
            return self._skip(event)
        except (UnfoldableEvent, KeyError, ValueError, TypeError) as error:
            return self._break_off(event, error)
        return True

    def _note_command(self, event: Event, error: NondeterminismError) -> None:
        """Where an answer is awaited, and something else stands there, it is the answer that is missing."""
        if awaited := find_awaited(self.state):
            self._differ(event.seq, "missing", event.kind, awaited)
        else:
            self._differ(event.seq, "command", event.kind, str(error.expected))

    def _skip(self, event: Event) -> bool:
        try:
            self.reader.skip(event)
        except UnfoldableEvent:  # nothing can follow it, and what it differs in was said
            return False
        return True

    def _break_off(self, event: Event, error: Exception) -> bool:
        """Say what was awaited where the recording goes on with something else."""
        awaited = find_awaited(self.state)
        if awaited or event.seq != self.state.seq + 1:
            self._differ(event.seq, "missing", event.kind, awaited or f"entry {self.state.seq + 1}")
        else:
            self._differ(event.seq, "history", event.kind, str(error))
        return False

    # --- what is compared beside the command --------------------------------------------------------------

    def _look_at(self, event: Event) -> None:
        if event.kind == e.MODEL_REQUESTED and self.asks_models and "recalled" not in event.facts:
            self._compare_prompt(event)
        elif event.kind in (e.STEP_DECIDED, e.CALL_EDITED):
            self._compare_answer(event)
        elif event.kind in ASSESSED:
            self._compare_verdict(event)
        if event.kind in _ANSWERS:
            self._take_answer(event)

    def _compare_prompt(self, event: Event) -> None:
        facts, made = event.facts, self.prompter.make(self.state)
        if made is None:
            self.uncompared += 1
            return
        compared: tuple[tuple[What, str], ...] = (("prompt", "prompt"), ("offer", "offered"))
        for what, name in compared:
            if name in facts and facts[name] != made.get(name, ""):
                self._differ(event.seq, what, facts[name][:16], made.get(name, "")[:16])
        bound = facts["reserved_tokens"] - facts["max_completion_tokens"]
        if bound != made["bound"] or facts.get("redacted", 0) != made.get("redacted", 0):
            self._differ(event.seq, "bound", str(bound), str(made["bound"]))
        self.prompts += "prompt" in facts
        self.uncompared += "prompt" not in facts

    def _compare_answer(self, event: Event) -> None:
        """Take what was proposed, and see whether it is what its digest was taken of."""
        kept = {each["call"]: each for each in self._content(event).get("calls", ())}
        told = event.facts["calls"] if event.kind == e.STEP_DECIDED else [event.facts]
        for each in told:
            call = kept.get(each["call"], {})
            self.proposed[event.facts["step"], each["call"]] = call.get("arguments")
            digest = _digest(call) if call else "nothing"
            if event.kind == e.STEP_DECIDED and not each.get("problem") and digest != each["args_digest"]:
                self._differ(event.seq, "answer", each["args_digest"][:16], digest[:16])

    def _compare_verdict(self, event: Event) -> None:
        facts, state = event.facts, self.state
        open_calls = {call.number: call for call in state.calls}
        if facts["step"] != state.step or facts["call"] not in open_calls:
            return
        if open_calls[facts["call"]].status != "proposed":
            return
        self.verdicts += 1
        arguments = self.proposed.get((facts["step"], facts["call"]))
        if differing := judge_again(state, self.version, event, arguments):
            self._differ(event.seq, "verdict", *differing)

    def _take_answer(self, event: Event) -> None:
        """An answer is fed from its words; where they were never kept, there is nothing to go on with."""
        self.answers += 1
        content = self._content(event)
        wanted = "value" if event.kind == e.CALL_SUCCEEDED else "text"
        if wanted not in content:
            self._differ(event.seq, "missing", "nothing", f"the words of {event.kind}")

    def _content(self, event: Event) -> dict[str, Any]:  # Any: JSON
        content = self.recording.written[event.seq].content
        return content if isinstance(content, dict) else {}

    def _differ(self, entry: int, what: What, recorded: str, now: str) -> None:
        step = self.state.step
        if 0 < entry <= len(self.recording.entries):
            step = int(self.recording.entries[entry - 1].facts.get("step", step))
        self.differences.append(Difference(step, entry, what, recorded, now))


def find_awaited(state: RunState) -> str:
    """Return what has to come next, whatever anybody decides: the answer to what was asked; nothing if nothing was."""
    if state.phase == "asking":
        return f"the model's answer in step {state.step}"
    if state.phase == "summarising":
        return "the summary"
    if state.phase == "embedding":
        return "the vector"
    started = [call.number for call in state.calls if call.status == "started"]
    return f"what became of call {started[0]} of step {state.step}" if started else ""


def _digest(call: dict[str, Any]) -> str:  # Any: JSON
    try:
        return keyed_digest([call["tool"], call["arguments"]])
    except ValidationFailed:
        return "none"
