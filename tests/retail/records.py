"""Copies of the retail database that share what they do not change."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

JsonObject = dict[str, Any]  # Any: JSON values


class Records:
    """The records of one kind: a base that many shops share, and this shop's own copies of some."""

    def __init__(self, base: Mapping[str, JsonObject]) -> None:
        self._base = base
        self._own: dict[str, JsonObject] = {}

    def find(self, record_id: str) -> JsonObject | None:
        """Return a record to look at, None if there is none. It may be the shared one: never change it."""
        return self._own.get(record_id) or self._base.get(record_id)

    def edit(self, record_id: str) -> JsonObject:
        """Return this shop's own copy of a record, to be changed in place; raises KeyError."""
        if record_id not in self._own:
            self._own[record_id] = copy.deepcopy(self._base[record_id])
        return self._own[record_id]

    def __iter__(self) -> Iterator[JsonObject]:
        """Iterate over all records as they stand, to look at."""
        return (self._own.get(record_id, record) for record_id, record in self._base.items())

    def changed(self) -> dict[str, JsonObject]:
        """Return the records that differ from the base; a copy may have been taken and left as it was."""
        return {record_id: each for record_id, each in self._own.items() if each != self._base[record_id]}

    def merged(self) -> dict[str, JsonObject]:
        """Return all records by id."""
        return {**self._base, **self._own}
