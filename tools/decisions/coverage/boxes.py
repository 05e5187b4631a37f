"""Boxes of input space: one set of pieces, as bits, per axis. Work is counted, so that no table takes for ever."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tools.decisions.coverage.axes import CannotCheck

Box = tuple[int, ...]
MAX_WORK = 100_000  # boxes looked at: a second or two


class Effort:
    """Counts work, and ends it."""

    def __init__(self, most: int) -> None:
        self.left = most

    def spend(self, amount: int = 1) -> None:
        """Raise CannotCheck once the work is more than was allowed."""
        self.left -= amount
        if self.left < 0:
            raise CannotCheck("the table is too large to check")


def uncovered(whole: Box, covers: Iterable[Box], effort: Effort) -> list[Box]:
    """Return disjoint boxes that together are what none of the covers reaches."""
    rest = [whole]
    for cover in covers:
        effort.spend(len(rest))
        rest = [piece for box in rest for piece in subtract(box, cover)]
    return sorted(merge(rest), key=_corner)


def intersect(left: Box, right: Box) -> Box | None:
    """Return what two boxes share, if anything."""
    shared = tuple(a & b for a, b in zip(left, right, strict=True))
    return shared if all(shared) else None


def subtract(box: Box, cover: Box) -> Iterator[Box]:
    """Yield disjoint boxes that are `box` without `cover`: one axis after the other is peeled off."""
    shared = intersect(box, cover)
    if shared is None:
        yield box
        return
    for at, (side, inside) in enumerate(zip(box, shared, strict=True)):
        if outside := side & ~inside:
            yield (*shared[:at], outside, *box[at + 1 :])


def merge(boxes: Sequence[Box]) -> list[Box]:
    """Return fewer boxes with the same content: those that differ on one axis only become one."""
    found, size = list(boxes), -1
    while size != len(found):
        size = len(found)
        for at in range(len(found[0]) if found else 0):
            found = _merge_along(found, at)
    return found


def _corner(box: Box) -> list[int]:
    """Return the lowest piece on each axis, to put boxes in the order in which people read them."""
    return [side & -side for side in box]


def _merge_along(boxes: Sequence[Box], at: int) -> list[Box]:
    sides: dict[tuple[Box, Box], int] = {}
    for box in boxes:
        key = (box[:at], box[at + 1 :])
        sides[key] = sides.get(key, 0) | box[at]
    return [(*head, side, *tail) for (head, tail), side in sides.items()]
