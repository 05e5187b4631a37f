"""Two evaluations side by side: per case and in sum, and which differences repetition alone could explain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from agentops.errors import ValidationFailed
from runs.evaluation.chance import LEVEL, by_chance
from runs.models import Evaluation, EvaluationResult

Read = Callable[[EvaluationResult], float]
FIGURES: dict[str, tuple[str, Read]] = {
    "passed": ("passed", lambda each: float(bool(each.passed))),
    "usd": ("cost, USD", lambda each: float(each.usd)),
    "steps": ("steps", lambda each: float(each.steps)),
    "tokens": ("tokens", lambda each: float(each.tokens)),
    "model_s": ("seconds of the model", lambda each: each.model_ms / 1_000),
    "approvals": ("requests to people", lambda each: float(each.approvals)),
    "denials": ("calls refused or denied", lambda each: float(each.denials)),
    "tool_errors": ("calls that failed", lambda each: float(each.tool_errors)),
}
LIKELY = "repetition alone could explain that"
UNLIKELY = f"more than repetition alone explains in {1 - LEVEL:.0%} of cases"
SAME = "no difference"


@dataclass(frozen=True, slots=True)
class Beside:
    """One figure of both: means of a run. ``chance``: how likely such a difference is where there is none."""

    name: str
    label: str
    one: float
    other: float
    chance: float

    @property
    def differs(self) -> bool:
        """Return whether they differ by more than repetition alone explains."""
        return self.chance <= LEVEL

    @property
    def said(self) -> str:
        """Return that in words."""
        if self.one == self.other:
            return SAME
        return UNLIKELY if self.differs else LIKELY


@dataclass(frozen=True, slots=True)
class OfCase:
    """One case in both: how many runs of it passed of how many, and its figures. Empty where one lacks it."""

    name: str
    one: tuple[EvaluationResult, ...]
    other: tuple[EvaluationResult, ...]
    figures: tuple[Beside, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two evaluations: their figures in sum, over the cases that both have, and case by case."""

    one: Evaluation
    other: Evaluation
    figures: tuple[Beside, ...]
    cases: tuple[OfCase, ...]

    @property
    def is_alike(self) -> bool:
        """Return whether both were tried by the same cases."""
        return self.one.set_digest == self.other.set_digest


@dataclass(frozen=True, slots=True)
class Sum:
    """What an evaluation amounts to: how many runs passed of those that were judged, and of how many; USD."""

    passed: int
    judged: int
    of: int
    usd: Decimal
    figures: tuple[tuple[str, float], ...]  # label and mean of a run


def compare(one: Evaluation, other: Evaluation) -> Comparison:
    """Return two evaluations of one agent side by side; raises ValidationFailed for those of two agents."""
    if one.evaluation_set.identity_id != other.evaluation_set.identity_id:
        raise ValidationFailed("another_agent", "only versions of one agent are compared")
    mine, theirs = _by_case(one), _by_case(other)
    names = [*mine, *(name for name in theirs if name not in mine)]
    cases = tuple(_compare_case(name, mine.get(name, ()), theirs.get(name, ())) for name in names)
    both = [(case.one, case.other) for case in cases if case.one and case.other]
    return Comparison(one, other, _beside(both), cases)


def sum_up(evaluation: Evaluation) -> Sum:
    """Return what an evaluation amounts to so far."""
    results = list(evaluation.results.all())
    judged = [each for each in results if each.passed is not None]
    figures = tuple((label, _mean(read, judged)) for label, read in FIGURES.values()) if judged else ()
    usd = sum((each.usd for each in judged), Decimal(0))
    return Sum(sum(bool(each.passed) for each in judged), len(judged), len(results), usd, figures)


def _by_case(evaluation: Evaluation) -> dict[str, tuple[EvaluationResult, ...]]:
    found: dict[str, tuple[EvaluationResult, ...]] = {}
    for each in evaluation.results.exclude(passed=None).order_by("place", "repetition"):
        found[each.case] = (*found.get(each.case, ()), each)
    return found


def _compare_case(
    name: str, one: tuple[EvaluationResult, ...], other: tuple[EvaluationResult, ...]
) -> OfCase:
    return OfCase(name, one, other, _beside([(one, other)] if one and other else []))


def _beside(
    pairs: Sequence[tuple[Sequence[EvaluationResult], Sequence[EvaluationResult]]],
) -> tuple[Beside, ...]:
    """Return the figures of both, each case counting the same."""
    if not pairs:
        return ()
    return tuple(
        Beside(
            name,
            label,
            sum(_mean(read, one) for one, _ in pairs) / len(pairs),
            sum(_mean(read, other) for _, other in pairs) / len(pairs),
            by_chance(
                [([read(each) for each in one], [read(each) for each in other]) for one, other in pairs]
            ),
        )
        for name, (label, read) in FIGURES.items()
    )


def _mean(read: Read, results: Sequence[EvaluationResult]) -> float:
    return sum(read(each) for each in results) / len(results)
