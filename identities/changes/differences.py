"""What a proposal changes, field by field."""

from __future__ import annotations

from typing import Any, NamedTuple

from identities.models import ChangeProposal

NOTHING: tuple[Any, ...] = (None, "", [], {})


class Line(NamedTuple):
    """One field that will be another; ``before`` is None where there was nothing."""

    field: str
    before: Any  # Any: JSON
    after: Any
    loosens: bool


def find_differences(proposal: ChangeProposal) -> list[Line]:
    """Return the fields that change, in the order in which the verb describes them; what ends has no fields after."""
    before = proposal.before or {}
    return [
        Line(name, before.get(name), value, name in proposal.loosening)
        for name, value in (proposal.after or dict.fromkeys(before)).items()
        if before.get(name) != value and not (before.get(name) in NOTHING and value in NOTHING)
    ]
