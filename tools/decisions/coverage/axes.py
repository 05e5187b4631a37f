"""One input as an axis, cut at every endpoint that any cell names.

Between two cuts all cells say the same of every value, so one sample stands for all. That makes the check exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cmp_to_key

from tools.decisions.coverage.neighbours import after, before
from tools.decisions.feel.comparison import compare
from tools.decisions.feel.matching import Cell
from tools.decisions.feel.values import FeelType, Value, type_of


class CannotCheck(Exception):
    """The table is one about which nothing exact can be said, or only with too much work; says why."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an axis: the single value `low`, or with `is_open` all between two cuts, None being no end."""

    sample: Value
    low: Value
    high: Value
    is_open: bool


@dataclass(frozen=True, slots=True)
class Axis:
    """An input's pieces in order. Of texts that are only listed there is no order: the last piece is all others."""

    expression: str
    pieces: tuple[Piece, ...]
    is_ordered: bool

    @property
    def whole(self) -> int:
        """All pieces, as bits."""
        return (1 << len(self.pieces)) - 1

    def mask(self, cell: Cell) -> int:
        """Return the pieces that a cell fits, as bits."""
        if cell.matches is None:
            return self.whole
        fits = (cell.matches(piece.sample, {}) is True for piece in self.pieces)
        return sum(1 << at for at, fit in enumerate(fits) if fit)


def cut_axis(expression: str, kind: FeelType, endpoints: Iterable[Value], *, is_ordered: bool) -> Axis:
    """Return the axis of an input that cells compare with these endpoints; raises CannotCheck."""
    cuts = [each for each in dict.fromkeys(endpoints) if each is not None]
    kind = _kind(expression, kind, cuts)
    if kind is FeelType.BOOLEAN:
        return Axis(expression, tuple(Piece(each, each, each, False) for each in (False, True)), True)
    if not cuts:
        return Axis(expression, (Piece("", None, None, True),), True)  # no cell asks: any value will do
    if kind is FeelType.STRING and not is_ordered:
        return Axis(expression, (*map(_point, sorted(map(str, cuts))), _others(cuts)), False)
    return Axis(expression, tuple(_pieces(_sort(expression, cuts))), True)


def _kind(expression: str, declared: FeelType, cuts: Sequence[Value]) -> FeelType:
    found = {type_of(each) for each in cuts} | ({declared} - {FeelType.ANY})
    if len(found) > 1:
        raise CannotCheck(f"{expression} is compared with values of different types")
    return found.pop() if found else FeelType.ANY


def _sort(expression: str, cuts: Sequence[Value]) -> list[Value]:
    first = cuts[0]
    if any(compare("<=", first, each) is None for each in cuts):
        raise CannotCheck(f"{expression} is compared with times with and without an offset")
    return sorted(cuts, key=cmp_to_key(_direction))


def _direction(left: Value, right: Value) -> int:
    return 1 if compare(">", left, right) else -1


def _pieces(cuts: Sequence[Value]) -> Iterator[Piece]:
    if (sample := before(cuts[0])) is not None:
        yield Piece(sample, None, cuts[0], True)
    for low, high in zip(cuts, (*cuts[1:], None), strict=True):
        yield _point(low)
        sample = after(low)
        if sample is not None and (high is None or compare("<", sample, high)):
            yield Piece(sample, low, high, True)


def _point(value: Value) -> Piece:
    return Piece(value, value, value, False)


def _others(cuts: Sequence[Value]) -> Piece:
    return Piece("".join(map(str, cuts)) + "\x00", None, None, True)
