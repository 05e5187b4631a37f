"""Gaps and overlaps of a compiled table.

Exact for numbers, texts, booleans, dates, times and durations whose cells name constants. Inputs are taken as
independent of each other and as not null. Where that is not enough the check says so and claims nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice

from tools.decisions.clauses import Row
from tools.decisions.compiling import CompiledTable
from tools.decisions.coverage.axes import Axis, CannotCheck, cut_axis
from tools.decisions.coverage.boxes import MAX_WORK, Box, Effort, intersect, uncovered
from tools.decisions.coverage.wording import write_cell
from tools.decisions.feel.evaluation import constant, is_constant
from tools.decisions.feel.matching import Cell, endpoints_of
from tools.decisions.feel.syntax import Interval
from tools.decisions.feel.values import FeelType, Value
from tools.decisions.hit_policies import say_the_same
from tools.decisions.results import NO_DECISION
from tools.decisions.tables import HitPolicy

MAX_FINDINGS = 200


@dataclass(frozen=True, slots=True)
class Region:
    """A part of input space: unary tests for each expression."""

    cells: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        named = [f"{expression}: {cell}" for expression, cell in self.cells if cell != "-"]
        return "; ".join(named) or "everything"


@dataclass(frozen=True, slots=True)
class Overlap:
    """What two rules, by number from 1, both claim. It `matters` where the hit policy then yields no decision."""

    first: int
    second: int
    region: Region
    same_outputs: bool
    matters: bool


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was found. `not_checked` says why nothing was; `is_complete` is false if there is more than is listed."""

    gaps: tuple[Region, ...] = ()
    overlaps: tuple[Overlap, ...] = ()
    has_default: bool = False
    is_complete: bool = True
    not_checked: str = ""


@dataclass(frozen=True, slots=True)
class Space:
    """A table's input space, what is allowed of it, and what each rule covers."""

    axes: tuple[Axis, ...]
    domain: Box
    covers: tuple[Box, ...]

    def describe(self, box: Box) -> Region:
        """Return a box in words."""
        sides = zip(self.axes, box, self.domain, strict=True)
        return Region(
            tuple((axis.expression, write_cell(axis, side, all_of)) for axis, side, all_of in sides)
        )


def check_coverage(compiled: CompiledTable, most_work: int = MAX_WORK) -> Coverage:
    """Return the gaps between and the overlaps of a table's rules, or why they cannot be told.

    `most_work` bounds it, in boxes and pairs looked at.
    """
    has_default = any(each.default is not NO_DECISION for each in compiled.conclusions)
    effort = Effort(most_work)
    try:
        space = _measure(compiled, effort)
        gaps = uncovered(space.domain, space.covers, effort)
        overlaps = list(islice(_overlaps(compiled, space, effort), MAX_FINDINGS + 1))
    except CannotCheck as reason:
        return Coverage(has_default=has_default, not_checked=str(reason))
    return Coverage(
        gaps=tuple(space.describe(box) for box in gaps[:MAX_FINDINGS]),
        overlaps=tuple(overlaps[:MAX_FINDINGS]),
        has_default=has_default,
        is_complete=max(len(gaps), len(overlaps)) <= MAX_FINDINGS,
    )


def _measure(compiled: CompiledTable, effort: Effort) -> Space:
    columns = _columns(compiled)
    axes = tuple(_axis(compiled, expression, columns[expression]) for expression in columns)
    effort.spend(sum(len(axis.pieces) for axis in axes) * (len(compiled.rows) + 1))
    domain = _box(axes, columns, [each.allowed for each in compiled.conditions])
    if not all(domain):
        raise CannotCheck("an input allows nothing but null")
    covers = (_box(axes, columns, row.cells) for row in compiled.rows)
    clipped = (tuple(a & b for a, b in zip(domain, cover, strict=True)) for cover in covers)
    return Space(axes, domain, tuple(clipped))


def _columns(compiled: CompiledTable) -> dict[str, list[int]]:
    """Return which columns ask about each expression: two that ask about the same are one axis."""
    found: dict[str, list[int]] = {}
    for at, condition in enumerate(compiled.conditions):
        found.setdefault(condition.clause.expression, []).append(at)
    return found


def _axis(compiled: CompiledTable, expression: str, columns: Sequence[int]) -> Axis:
    cells = [row.cells[at] for at in columns for row in compiled.rows]
    cells += [compiled.conditions[at].allowed for at in columns]
    kinds = {compiled.conditions[at].clause.type for at in columns} - {FeelType.ANY}
    kind = kinds.pop() if len(kinds) == 1 else FeelType.ANY
    ordered = any(
        isinstance(t, Interval) or t.sign not in ("=", "!=") for cell in cells for t in cell.tests.tests
    )
    return cut_axis(expression, kind, _endpoints(expression, cells), is_ordered=ordered)


def _endpoints(expression: str, cells: Sequence[Cell]) -> Iterator[Value]:
    for cell in cells:
        for endpoint in endpoints_of(cell.tests):
            if not is_constant(endpoint):
                raise CannotCheck(f"{expression} is compared with something that is not constant")
            yield constant(endpoint)


def _box(axes: Sequence[Axis], columns: dict[str, list[int]], cells: Sequence[Cell]) -> Box:
    sides = []
    for axis in axes:
        side = axis.whole
        for at in columns[axis.expression]:
            side &= axis.mask(cells[at])
        sides.append(side)
    return tuple(sides)


def _overlaps(compiled: CompiledTable, space: Space, effort: Effort) -> Iterator[Overlap]:
    policy = compiled.table.hit_policy
    numbered = list(enumerate(zip(compiled.rows, space.covers, strict=True), 1))
    for (first, (row, cover)), (second, (other, another)) in combinations(numbered, 2):
        effort.spend()
        if (shared := intersect(cover, another)) is not None:
            same = _say_the_same(row, other)
            matters = policy is HitPolicy.UNIQUE or (policy is HitPolicy.ANY and not same)
            yield Overlap(first, second, space.describe(shared), same, matters)


def _say_the_same(row: Row, other: Row) -> bool:
    if row.constants is not None and other.constants is not None:
        return say_the_same(row.constants, other.constants)
    return row.rule.outputs == other.rule.outputs
