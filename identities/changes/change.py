"""One change of what governs, as the verb that makes it describes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from agentops.errors import PolicyDenied
from identities.models import Team

Fields = dict[str, Any]  # Any: JSON, for it is kept until somebody decides


@dataclass(frozen=True, slots=True)
class Change:
    """What a verb is about to write.

    ``subject`` names what changes, and ``after`` holds columns of the row to be written: the database's guards look
    for both. ``before`` is how it stands, None for nothing; ``undo`` are the arguments that bring it back.
    """

    verb: str
    subject: str
    team: Team | None
    permission: str
    title: str
    arguments: Fields
    before: Fields | None
    after: Fields
    loosening: tuple[str, ...] = ()
    undo: Fields | None = None


class SecondPersonNeeded(PolicyDenied):
    """One person is not enough for this change, which ``do_or_propose`` proposes instead."""

    def __init__(self, change: Change) -> None:
        detail = f"{change.title}: this takes a second person, so it has to be proposed"
        super().__init__("second_person_needed", detail)
        self.change = change


def as_json(fields: Mapping[str, Any]) -> Fields:
    """Return values as JSON keeps them, so that what was proposed can be compared with what is written."""
    return {name: _plain(value) for name, value in fields.items()}


def _plain(value: Any) -> Any:  # Any: a column's
    match value:
        case datetime():
            return value.isoformat()
        case Decimal() | UUID():
            return str(value)
        case float():
            return str(value)  # the ledger takes none
        case list() | tuple():
            return [_plain(item) for item in value]
        case Mapping():
            return as_json(value)
        case _:
            return value
