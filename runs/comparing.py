"""Two runs side by side: what they used, and where their calls part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from runs.models import Run, ToolCall

MOST_CALLS = 500
Likeness = Literal["same", "other_outcome", "other_arguments", "only_one"]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two calls that stand in each other's place, or one to which nothing corresponds in the other run."""

    one: ToolCall | None
    other: ToolCall | None

    @property
    def both(self) -> tuple[ToolCall | None, ToolCall | None]:
        return self.one, self.other

    @property
    def likeness(self) -> Likeness:
        """Return how much alike they are: tool, arguments, outcome."""
        one, other = self.one, self.other
        if one is None or other is None:
            return "only_one"
        if one.args_digest != other.args_digest:
            return "other_arguments"
        return "same" if (one.state, one.code) == (other.state, other.code) else "other_outcome"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs with their calls in pairs, in order; ``is_cut`` where there are more than are compared."""

    one: Run
    other: Run
    pairs: tuple[Pair, ...]
    is_cut: bool

    @property
    def runs(self) -> tuple[Run, Run]:
        return self.one, self.other

    @property
    def parting(self) -> int | None:
        """Return at which pair, from 0, they first differ; None where they do the same."""
        return next((place for place, pair in enumerate(self.pairs) if pair.likeness != "same"), None)

    @property
    def figures(self) -> list[tuple[str, float, float]]:
        """Return what each of them has used, with a word for it; money in USD, time in seconds."""
        return [
            ("steps", self.one.steps, self.other.steps),
            ("tool calls", self.one.tool_calls, self.other.tool_calls),
            ("tokens", self.one.tokens, self.other.tokens),
            ("USD", float(self.one.usd), float(self.other.usd)),
            ("seconds at work", self.one.worked_ms / 1_000, self.other.worked_ms / 1_000),
        ]


def compare_runs(one: Run, other: Run) -> Comparison:
    """Return the calls of two runs in pairs, as few of them apart as can be.

    Arguments are compared by their digests, so the comparison holds also where words were erased.
    """
    mine, theirs = _calls(one), _calls(other)
    pairs = tuple(_pair(mine[:MOST_CALLS], theirs[:MOST_CALLS]))
    return Comparison(one, other, pairs, max(len(mine), len(theirs)) > MOST_CALLS)


def _calls(run: Run) -> list[ToolCall]:
    return list(ToolCall.objects.filter(run=run).order_by("step", "number")[: MOST_CALLS + 1])


def _pair(mine: Sequence[ToolCall], theirs: Sequence[ToolCall]) -> Iterator[Pair]:
    """First what is the same call, then in the gaps between, by order, what calls the same tool."""
    exact = SequenceMatcher(
        None, [_signature(call) for call in mine], [_signature(call) for call in theirs], False
    )
    for _, start, end, other_start, other_end in exact.get_opcodes():
        yield from _pair_tools(mine[start:end], theirs[other_start:other_end])


def _pair_tools(mine: Sequence[ToolCall], theirs: Sequence[ToolCall]) -> Iterator[Pair]:
    by_tool = SequenceMatcher(
        None, [call.tool_name for call in mine], [call.tool_name for call in theirs], False
    )
    for kind, start, end, other_start, other_end in by_tool.get_opcodes():
        if kind == "equal":
            for one, other in zip(mine[start:end], theirs[other_start:other_end], strict=True):
                yield Pair(one, other)
        else:
            yield from (Pair(call, None) for call in mine[start:end])
            yield from (Pair(None, call) for call in theirs[other_start:other_end])


def _signature(call: ToolCall) -> tuple[str, str]:
    return call.tool_name, call.args_digest


def find_earlier(run: Run) -> Run | None:
    """Return the run of the same agent that began last before this one."""
    earlier = Run.objects.filter(identity=run.identity_id, pk__lt=run.pk, kind=run.kind)
    return earlier.order_by("-pk").first()
