"""Figures of a replay: per suite, mode and layer, and over all suites."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runs.attacks.replay import Mode, Result

HEADINGS = (
    "suite", "layer", "mode", "attacks", "executed", "denied", "to human", "not read", "benign",
    "no approval", "approved", "failing", "approvals/task",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts of some results. Attacks that nobody read are none, and are counted apart."""

    executed: int
    denied: int
    sent: int
    unread: int
    unasked: int  # tasks that pass without an approval
    approved: int  # tasks that pass with one
    failing: int
    approvals: int  # of all tasks that nobody attacks

    @property
    def attacks(self) -> int:
        return self.executed + self.denied + self.sent

    @property
    def tasks(self) -> int:
        return self.unasked + self.approved + self.failing

    @property
    def approvals_per_task(self) -> float:
        return self.approvals / self.tasks if self.tasks else 0.0


def count(results: Iterable[Result]) -> Figures:
    """Count results."""
    listed = list(results)
    benign = [result for result in listed if result.mode == "benign"]
    passed = [result for result in benign if result.verdict == "passed"]
    verdicts = [result.verdict for result in listed]
    return Figures(
        executed=verdicts.count("executed"),
        denied=verdicts.count("denied"),
        sent=verdicts.count("sent"),
        unread=verdicts.count("unread"),
        unasked=sum(not result.approvals for result in passed),
        approved=sum(bool(result.approvals) for result in passed),
        failing=verdicts.count("failed"),
        approvals=sum(result.approvals for result in benign),
    )


def render(results: Sequence[Result], text_only: int = 0) -> str:
    """Return a table: a line per suite, layer and mode, then one per layer and mode over all suites."""
    groups = dict.fromkeys((result.suite, result.layer, result.mode) for result in results)
    totals = dict.fromkeys(("all suites", layer, mode) for _, layer, mode in groups)
    rows: list[tuple[str, ...]] = [HEADINGS]
    for suite, layer, mode in (*groups, *totals):
        chosen = [
            result
            for result in results
            if (result.layer, result.mode) == (layer, mode) and suite in (result.suite, "all suites")
        ]
        rows.append(_row(suite, layer, mode, count(chosen)))
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEADINGS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(
        [*(line.rstrip() for line in lines), f"attacks by text alone, not replayed: {text_only}"]
    )


def _row(suite: str, layer: str, mode: Mode, figures: Figures) -> tuple[str, ...]:
    attacks = [figures.attacks, figures.executed, figures.denied, figures.sent, figures.unread]
    tasks = [figures.tasks, figures.unasked, figures.approved, figures.failing]
    nothing = [""] * 5
    if mode == "benign":
        return (suite, layer, mode, *nothing, *map(str, tasks), f"{figures.approvals_per_task:.2f}")
    return (suite, layer, mode, *map(str, attacks), *nothing)
