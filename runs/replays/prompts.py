"""What a model would be sent now at a recorded request, made of the recording alone: no tool and nobody is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from agentops.engine.state import RunState
from runs.lookups.offering import offered_unasked
from runs.planner.messages import ToolSchema
from runs.planning import DECLARE_PLAN, arrange_words
from runs.replays.recording import Recording
from runs.showing import show_step
from runs.sources import SAID
from runs.turns import bound_prompt, count_redacted, digest_shown
from runs.versions import PLANNER, VersionSpec
from runs.window import Block, by_step, choose_marks


@dataclass
class Prompter:
    """Makes the prompts of one run again, request by request; steps that stay are kept arranged."""

    recording: Recording
    version: VersionSpec
    _arranged: dict[int, Block] = field(default_factory=dict)

    def make(self, state: RunState) -> dict[str, Any] | None:
        """Return, as facts, what a request in a state holds: digests, redactions, and the bound of its tokens.

        None where that cannot be known: tools were asked which values to offer.
        """
        shown = self.show(state)
        if shown is None:
            return None
        window, offered = shown
        return {**count_redacted(window), **self._digest(window, offered)}

    def show(self, state: RunState) -> tuple[list[Block], tuple[ToolSchema, ...]] | None:
        """Return the messages behind the rules, step by step, and the functions of a request; None as above."""
        declaring = is_declaring(state, self.version)
        offered = (DECLARE_PLAN,) if declaring else offered_unasked(state, self.version)
        if offered is None:
            return None
        return ([self._show_words(state)] if declaring else self._show(state)), offered

    def _digest(self, window: list[Block], offered: tuple[ToolSchema, ...]) -> dict[str, Any]:
        bound = bound_prompt(self.version, window, offered)
        return {**digest_shown(self.version, window, offered), "bound": bound}

    def _show(self, state: RunState) -> list[Block]:
        marks = choose_marks(state.marks, self.version.context_tokens)
        kept, self._arranged = self._arranged, {}
        for step, of_step in by_step(marks):
            seqs = tuple(mark.seq for mark in of_step)
            block = kept.get(step)
            if block is None or block.seqs != seqs:
                block = show_step(of_step, self.recording.written, self.version)
            self._arranged[step] = block
        return list(self._arranged.values())

    def _show_words(self, state: RunState) -> Block:
        said = [each for each in self.recording.entries if each.kind in SAID and each.seq <= state.seq]
        words = [str((each.content or {}).get(SAID[each.kind], "")) for each in said]
        return arrange_words(words, self.version)


def is_declaring(state: RunState, version: VersionSpec) -> bool:
    """Return whether the planner is to declare a plan, and sees nothing but the user's words for it."""
    return version.plan == PLANNER and state.planned_until < state.said_until
