"""Pieces of an axis written as the unary tests that a person would write in a cell."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from tools.decisions.coverage.axes import Axis, Piece
from tools.decisions.feel.literals import write_value


def write_cell(axis: Axis, mask: int, domain: int) -> str:
    """Return unary tests that, of what is in the domain, fit exactly the pieces in the mask."""
    if mask == domain:
        return "-"
    if not axis.is_ordered:
        return _write_list(axis, mask, domain)
    return ", ".join(_write_run(run) for run in _runs(axis, mask, domain))


def _write_list(axis: Axis, mask: int, domain: int) -> str:
    others = 1 << (len(axis.pieces) - 1)
    negated = bool(mask & others)
    listed = domain & ~mask if negated else mask
    values = ", ".join(write_value(piece.low) for at, piece in enumerate(axis.pieces) if listed >> at & 1)
    return f"not({values})" if negated else values


def _runs(axis: Axis, mask: int, domain: int) -> Iterator[list[Piece]]:
    """Yield pieces that follow each other; what is outside the domain does not come between them."""
    inside = [(bool(mask >> at & 1), piece) for at, piece in enumerate(axis.pieces) if domain >> at & 1]
    for wanted, run in groupby(inside, key=lambda each: each[0]):
        if wanted:
            yield [piece for _, piece in run]


def _write_run(run: list[Piece]) -> str:
    first, last = run[0], run[-1]
    if first is last and not first.is_open:
        return write_value(first.low)
    if first.low is None:
        return f"{'<' if last.is_open else '<='} {write_value(last.high)}"
    if last.high is None:
        return f"{'>' if first.is_open else '>='} {write_value(first.low)}"
    opening, closing = "(" if first.is_open else "[", ")" if last.is_open else "]"
    return f"{opening}{write_value(first.low)}..{write_value(last.high)}{closing}"
