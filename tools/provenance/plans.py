"""A run's plan: which tools may be called, and how often, fixed by the user's words before anything else is read."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from tools.provenance.texts import is_in, plain
from tools.provenance.wording import Wording

# What a text speaks of when it asks for the same thing more than once.
_SEVERAL = frozenset({
    "all", "each", "every", "everyone", "everybody", "everything", "both", "any", "anything", "several", "many", "list",
    "them", "they", "these", "those", "following", "daily", "weekly",
})  # fmt: skip
_THING = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+|https?://\S+|\d[\d.,]*|(?<![.!?]\s)(?<!^)\b[A-Z][\w.-]+")
_PLURAL = re.compile(
    r"\b(the|my|our|your|these|those|some|other|few|old|two|three|four|five)\s+([\w-]+\s+){0,2}?\w{2,}[^\Ws]s\b"
)
MOST = 20  # calls of one tool with effects, whatever is asked for


@dataclass(frozen=True, slots=True)
class Planned:
    """One tool of a plan. ``at_most`` is None without a limit; ``arguments`` what its calls must carry, by name.

    With an ``at_most`` of 0 it is no more than declared: nobody knows that the user asked for it.
    """

    at_most: int | None = None
    arguments: Mapping[str, str] = field(default_factory=dict)


Plan = Mapping[str, Planned]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A tool that a plan may hold: what it can do, and how users ask for it."""

    name: str
    effect: str
    wording: Wording


def derive(request: str, candidates: Iterable[Candidate]) -> dict[str, Planned]:
    """Return the widest plan that a user's words allow: all that only reads, and the effects that they ask for."""
    plan = {}
    for each in candidates:
        if each.effect == "read":
            plan[each.name] = Planned()
        elif each.wording.is_asked_for(request):
            plan[each.name] = Planned(_how_often(request))
    return plan


def derive_all(texts: Iterable[str], candidates: Collection[Candidate]) -> dict[str, Planned]:
    """Return the widest plan that several texts of a user allow; each asks by itself."""
    plan: dict[str, Planned] = {}
    for text in texts:
        plan = join(plan, derive(text, candidates))
    return plan


def _how_often(request: str) -> int:
    """Return how many calls a request can mean at most: one for each thing that it names."""
    if means_several(request):
        return MOST
    return min(MOST, max(1, len(set(names_in(request)))))


def names_in(request: str) -> list[str]:
    """Return what a request names: addresses, numbers, and words with a capital that no sentence begins with."""
    return _THING.findall(request)


def means_several(request: str) -> bool:
    """Return whether a request speaks of several things without naming each."""
    words = set(plain(request).replace(",", " ").replace(".", " ").split())
    return bool(words & _SEVERAL) or _PLURAL.search(plain(request)) is not None


def admit(proposed: Plan, widest: Plan, near: Collection[str] = ()) -> dict[str, Planned]:
    """Return what a planner proposed of what the user's words allow: it can narrow a plan, never widen it.

    ``near``: tools that the words have to do with. Those stay declared, so that people are asked about their calls.
    """
    known = {name: _narrower(planned, widest[name]) for name, planned in proposed.items() if name in widest}
    return known | {name: Planned(0) for name in proposed if name in near and name not in widest}


def _narrower(proposed: Planned, widest: Planned) -> Planned:
    limits = [limit for limit in (proposed.at_most, widest.at_most) if limit is not None]
    return Planned(min(limits, default=None), proposed.arguments)


def join(plan: Plan, more: Plan) -> dict[str, Planned]:
    """Return a plan with what the user asked for later; nothing of it is taken away."""
    return {**plan, **{name: _wider(plan.get(name), planned) for name, planned in more.items()}}


def _wider(before: Planned | None, more: Planned) -> Planned:
    if before is None:
        return more
    if before.at_most is None or more.at_most is None:
        return Planned(None, {})
    return Planned(before.at_most + more.at_most, {})


Deviation = Literal["off_plan", "over_plan", "other_arguments", ""]


def find_deviation(plan: Plan, tool: str, used: int, arguments: Mapping[str, object]) -> Deviation:
    """Return how a call deviates from the plan, or an empty string; ``used`` are the calls of the tool before it."""
    planned = plan.get(tool)
    if planned is None or planned.at_most == 0:
        return "off_plan"
    if planned.at_most is not None and used >= planned.at_most:
        return "over_plan"
    fits = all(_fits(wanted, arguments.get(name)) for name, wanted in planned.arguments.items())
    return "" if fits else "other_arguments"


def _fits(wanted: str, value: object) -> bool:
    """A template's value has to be in the argument as whole words; an open one (``*``) fits anything."""
    texts = value if isinstance(value, list) else [value]
    return wanted == "*" or any(is_in(plain(wanted), plain(str(text))) for text in texts)
