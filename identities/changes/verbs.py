"""The verbs that change what governs, by name: apps above register theirs, so that a proposal can call them up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agentops.errors import NotFound
from identities.changes.change import Fields
from identities.models import User


@dataclass(frozen=True, slots=True)
class Verb:
    """``carry_out`` calls the service as an actor, with the arguments that a proposal kept.

    The actor is the maker, or the second person where that one's signature is the act.
    """

    name: str
    label: str
    carry_out: Callable[[User, Fields], object]
    second_acts: bool = False


_verbs: dict[str, Verb] = {}


def register_verb(verb: Verb) -> None:
    """Let proposals name this verb; a second one of the same name replaces the first."""
    _verbs[verb.name] = verb


def find_verb(name: str) -> Verb:
    """Return a verb; raises NotFound for one that nobody registered."""
    if name not in _verbs:
        raise NotFound("unknown_verb", f"there is no governed change {name!r}")
    return _verbs[name]


def known_verbs() -> list[Verb]:
    """Return all verbs by name."""
    return [_verbs[name] for name in sorted(_verbs)]
