"""What a drive has looked up so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from agentops.ledger.entries import Draft
from tools.provenance.judging import Resolved
from tools.resolvers.declaration import Path
from tools.resolvers.matching import Candidate

Json = Any  # arguments, and what stands in the ledger about them
Where = tuple[int, int]  # step and call


@dataclass(frozen=True, slots=True)
class Resolution:
    """The arguments of a call as they go out. ``told`` has an item for each that was looked up."""

    arguments: dict[str, Json]
    said: dict[str, Json]
    told: tuple[Mapping[str, Json], ...]
    provenance: tuple[Resolved, ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """What a lookup has listed, when it was asked, and by which permit."""

    candidates: tuple[Candidate, ...]
    at: datetime
    permit: str
    version: UUID
    answered: int  # how many things, before any were left out


@dataclass
class Lookups:
    """``resolved`` by step and call, ``refused`` what may go back to the planner; ``listings`` by tool and path.

    ``trail`` are the lookups that no entry tells of yet.
    """

    resolved: dict[Where, Resolution] = field(default_factory=dict)
    refused: dict[Where, dict[str, Json]] = field(default_factory=dict)
    listings: dict[tuple[UUID, Path], Listing] = field(default_factory=dict)
    trail: list[dict[str, Json]] = field(default_factory=list)

    def take_trail(self) -> dict[str, Json]:
        """Return, as facts of the entry that is written next, what was asked since the last one."""
        taken, self.trail = self.trail, []
        return {"lookups": taken} if taken else {}

    def put_back(self, dropped: Iterable[Draft]) -> None:
        """Forget what was only intended; its questions were asked all the same, and the next entry tells of them."""
        self.resolved.clear()
        self.trail[:0] = [told for draft in dropped for told in draft.facts.get("lookups", ())]
