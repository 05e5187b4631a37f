"""What may be told. Every floor adds its kinds when it is loaded, with the sentence that people read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Facts = Mapping[str, Any]  # Any: JSON


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of notice: what it is called, what it says, and which page of the console tells more."""

    name: str
    label: str
    tell: Callable[[Facts], str]
    page: str = ""  # the name of an address that takes the subject's id; empty: the console's first page
    by_mail: bool = False
    permission: str = (
        ""  # told by mail to the people of the team who hold it; empty: to those whom its request concerns
    )
    for_applications_only: bool = False


_known: dict[str, Kind] = {}


def register_kind(kind: Kind) -> None:
    """Let something be told."""
    _known[kind.name] = kind


def find_kind(name: str) -> Kind:
    """Return a kind; raises KeyError for one that nobody has registered."""
    return _known[name]


def list_kinds() -> tuple[Kind, ...]:
    """Return all kinds, in the order of their names."""
    return tuple(kind for _, kind in sorted(_known.items()))
