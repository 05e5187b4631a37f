"""Where arguments that are looked up stand in a call, and putting what was found there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Json = Any  # arguments of a call
Place = tuple[str | int, ...]


def find_places(value: Json, path: tuple[str, ...], before: Place = ()) -> Iterator[tuple[Place, Json]]:
    """Yield each place that a path leads to, with what stands there; what is missing or null is not looked up."""
    if not path:
        if value is not None:
            yield before, value
        return
    first, rest = path[0], path[1:]
    if first == "*" and isinstance(value, list):
        for index, item in enumerate(value):
            yield from find_places(item, rest, (*before, index))
    elif isinstance(value, dict) and first in value:
        yield from find_places(value[first], rest, (*before, first))


def put_at(value: Json, place: Place, new: Json) -> Json:
    """Return a value with another one in a place, without changing it."""
    if not place:
        return new
    first, rest = place[0], place[1:]
    if isinstance(value, list):
        return [put_at(item, rest, new) if index == first else item for index, item in enumerate(value)]
    return {**value, first: put_at(value[first], rest, new)}


def value_at(value: Json, path: tuple[str, ...]) -> Json:
    """Return what stands at a path of names, None where nothing does."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def words_of(place: Place) -> str:
    """Return a place as people read it: items.0.item_id."""
    return ".".join(str(part) for part in place)
