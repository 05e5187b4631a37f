"""Whether a call is what the user meant: by the plan, then by what it carries, then by where its values come from.

Each rule can only take away. Denials come before questions, so that people see what is left to judge.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tools.amounts import number_of
from tools.formats.scripts import is_single_script, poses_beside_latin
from tools.provenance.declaration import Declaration, Kind
from tools.provenance.egress import find_addresses, is_link
from tools.provenance.labels import EVERY
from tools.provenance.plans import Deviation, Plan, find_deviation
from tools.provenance.shapes import find_others
from tools.provenance.sources import Origin, Sources

Word = Literal["ALLOW", "REQUIRE_APPROVAL", "DENY"]
OffPlan = Literal["DENY", "REQUIRE_APPROVAL"]
Arguments = Mapping[str, Any]  # Any: JSON
TRACED: tuple[Kind, ...] = ("destination", "url", "identifier", "amount")
REACHING: tuple[Kind, ...] = ("destination", "url")


@dataclass(frozen=True, slots=True)
class Resolved:
    """An argument that was looked up: at which path, what was found, and whose the words and the answer were."""

    path: tuple[str, ...]
    text: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Meant:
    """What is known of the run when a call is judged. ``plan`` is None where the agent's version asks for none.

    ``used`` are the calls of the same tool before this one. ``undoes`` is the key of the effect that the call undoes,
    where it does: its values were taken from that call's record by the tool's own declaration, not by a planner.
    """

    sources: Sources
    plan: Plan | None = None
    used: int = 0
    off_plan: OffPlan = "DENY"
    resolved: tuple[Resolved, ...] = ()
    said: Arguments | None = None  # before anything in them was looked up
    undoes: str = ""
    accepted: str = (
        ""  # the run that proposed it: there it was judged, and people have accepted just this call
    )
    # The user's words have to do with the tool, though they do not ask for it as far as is known.
    is_near: bool = False
    # By the user's words alone the call would be as they meant it: only the planner did not declare its tool.
    is_asked_for: bool = False

    def word_for(self, deviation: Deviation) -> OffPlan:
        """Return what follows from a deviation: where words or a declaration may have been wanting, a person is asked.

        How often a planner itself said that it would call, and with what, it said before it had read anything.
        """
        asks = deviation == "off_plan" and (self.is_near or self.is_asked_for)
        return "REQUIRE_APPROVAL" if asks else self.off_plan


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found out about a call: what follows from it, a code, and words for people."""

    word: Word
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Value:
    """A marked value of a call: its path, what it is, and where it comes from."""

    path: str
    kind: Kind
    text: str
    origin: Origin


def judge(
    tool: str,
    effect: str,
    declared: Declaration,
    arguments: Arguments,
    meant: Meant,
) -> list[Finding]:
    """Return what was found, in the order in which it was looked at."""
    if meant.undoes:
        detail = (
            f"it undoes {meant.undoes}: its values are from the record of that call, no planner chose them"
        )
        return [Finding("ALLOW", "from_ledger", detail)]
    if meant.accepted:
        detail = (
            f"run {meant.accepted} proposed it: it was judged by what that had read, and accepted as it is"
        )
        return [Finding("ALLOW", "from_ledger", detail)]
    deviation = _find_deviation(tool, arguments, meant)
    found = []
    if deviation:
        found.append(Finding(meant.word_for(deviation), deviation, _DEVIATIONS[deviation].format(tool=tool)))
        if found[0].word == "DENY":
            return found
    # Which thing a mere question is about does no harm; whom it reaches does.
    kinds = TRACED if effect != "read" else REACHING
    others = _judge_others(declared, arguments, meant) if effect != "read" else ()
    return [*found, *_judge_values(declared, arguments, meant, kinds), *others]


def _find_deviation(tool: str, arguments: Arguments, meant: Meant) -> Deviation:
    """A plan that was made of the user's words may hold what was said, or what that has turned out to be."""
    if meant.plan is None:
        return ""
    deviation = find_deviation(meant.plan, tool, meant.used, arguments)
    if deviation == "other_arguments" and meant.said is not None:
        return find_deviation(meant.plan, tool, meant.used, meant.said)
    return deviation


_DEVIATIONS: Mapping[Deviation, str] = {
    "off_plan": "{tool} is not in the plan that was made from what the user asked for",
    "over_plan": "{tool} was called as often as what the user asked for has it",
    "other_arguments": "{tool} is planned with other arguments",
}


def _judge_values(
    declared: Declaration,
    arguments: Arguments,
    meant: Meant,
    kinds: tuple[Kind, ...],
) -> Iterator[Finding]:
    sources, resolved = meant.sources, meant.resolved
    values = [value for value in trace_values(declared, arguments, sources, resolved) if value.kind in kinds]
    if declared.arguments and (leak := _find_leak(arguments, values, sources)):
        yield leak
        if leak.word == "DENY":
            return
    yield from _judge_content(declared, arguments, sources)
    for value in values:
        yield _judge_value(value, sources)


def trace_values(
    declared: Declaration,
    arguments: Arguments,
    sources: Sources,
    resolved: tuple[Resolved, ...] = (),
) -> Iterator[Value]:
    """Yield each marked value with where it comes from; what a call carries is not traced, only matched."""
    for path, kind in declared.arguments:
        if kind in TRACED:
            for text in texts_at(arguments, path):
                yield Value(".".join(path), kind, text, trace_value(path, kind, text, sources, resolved))


def trace_value(
    path: tuple[str, ...], kind: Kind, text: str, sources: Sources, resolved: tuple[Resolved, ...] = ()
) -> Origin:
    """Return where a value comes from; one that was looked up comes from where the words for it did."""
    found = (each.origin for each in resolved if each.text == text and is_below(each.path, path))
    return next(found, None) or _trace(kind, text, sources)


def is_below(path: tuple[str, ...], marked: tuple[str, ...]) -> bool:
    """Return whether a path is a marked one or leads on from it; which item of a list it is does not count."""
    names, above = ([part for part in each if part != EVERY] for each in (path, marked))
    return names[: len(above)] == above


def _trace(kind: Kind, text: str, sources: Sources) -> Origin:
    amount = number_of(text) if kind == "amount" else None
    return sources.trace(text) if amount is None else sources.trace_amount(amount)


def texts_at(value: Any, path: tuple[str, ...]) -> Iterator[str]:  # Any: JSON
    """Yield the texts and numbers that a path leads to, and all those below it."""
    if isinstance(value, list):
        rest = path[1:] if path[:1] == (EVERY,) else path
        for item in value:
            yield from texts_at(item, rest)
    elif isinstance(value, dict):
        inner = value.values() if not path or path[0] == EVERY else [value.get(path[0])]
        for item in inner:
            yield from texts_at(item, path[1:])
    elif not path and value is not None and not isinstance(value, bool) and str(value).strip():
        yield str(value)


def _judge_value(value: Value, sources: Sources) -> Finding:
    origin, named = value.origin, f"{value.path} ({value.kind})"
    if origin.source == "user":
        return Finding("ALLOW", "from_user", f"{named} is in the user's own words")
    if origin.source == "trusted" and value.kind != "amount" and _is_confusable(value.text):
        detail = f"{named} has letters of several scripts, so that it may look like another: {origin.where}"
        return Finding("REQUIRE_APPROVAL", "confusable", detail)
    if origin.source == "trusted" and sources.is_another_named(value.text):
        detail = (
            f"{named} is from trusted data, of another thing than the one that the user named: {origin.where}"
        )
        return Finding("REQUIRE_APPROVAL", "another_named", detail)
    if origin.source == "trusted":
        return Finding("ALLOW", "from_trusted", f"{named} is from trusted data: {origin.where}")
    if origin.source == "untrusted":
        detail = f"{named} is from text that a stranger may have written: {origin.where}"
        return Finding("REQUIRE_APPROVAL", "from_untrusted", detail)
    # A sum may have been worked out. A name or an address that stands nowhere was made up.
    word: Word = "REQUIRE_APPROVAL" if value.kind == "amount" else "DENY"
    return Finding(word, "from_nowhere", f"nothing that the run was told or has read holds {named}")


def _is_confusable(text: str) -> bool:
    """Return whether people who have not written a text take it for another: by a word of several scripts, or by one
    that poses as Latin beside Latin ones. A name that is wholly in its own script is that name.
    """
    mixes = not all(is_single_script(word) for word in text.split())
    return mixes or poses_beside_latin(text)


def _judge_content(declared: Declaration, arguments: Arguments, sources: Sources) -> Iterator[Finding]:
    """A text may be in the planner's own words; the addresses and account numbers in it have to come from somewhere."""
    for path, kind in declared.arguments:
        texts = texts_at(arguments, path) if kind == "content" else ()
        strange = [each for text in texts for each in find_addresses(text) if not _is_known(each, sources)]
        if strange:
            detail = f"{'.'.join(path)} holds an address that neither the user nor trusted data names"
            yield Finding("REQUIRE_APPROVAL", "strange_address", detail)


def _judge_others(declared: Declaration, arguments: Arguments, meant: Meant) -> Iterator[Finding]:
    """What no tool marks is looked at where the user gave a value of the same form: they said another day."""
    judged = [*(path for path, _ in declared.arguments), *(each.path for each in meant.resolved)]

    def is_judged(path: tuple[str, ...]) -> bool:
        return any(is_below(path, each) for each in judged)

    for path in find_others(arguments, is_judged, meant.sources.is_other_than_said):
        detail = (
            f"{'.'.join(path)} is another value of the form that the user gave, and no trusted data holds it"
        )
        yield Finding("REQUIRE_APPROVAL", "other_than_said", detail)


def _is_known(address: str, sources: Sources) -> bool:
    return sources.trace(address).source in ("user", "trusted")


def _find_leak(
    arguments: Arguments,
    values: list[Value],
    sources: Sources,
) -> Finding | None:
    """Return what follows where the call carries something sensitive to somebody whom the user did not name."""
    reached = [value for value in values if value.kind in REACHING]
    strange = [value for value in reached if value.origin.source != "user"]
    # A link that was read as it stands says nothing more than that; one that was made up may say anything.
    verbatim = {value.text for value in reached if value.origin.source != "nowhere" and is_link(value.text)}
    carried = [text for text in texts_at(arguments, ()) if text not in verbatim]
    if (reached and not strange) or not sources.carried(carried):
        return None
    unknown = next((value for value in strange if value.origin.source != "trusted"), None)
    if unknown is not None:
        detail = f"it would carry something sensitive to {unknown.path}, which neither the user nor trusted data names"
        return Finding("DENY", "leaks_sensitive", detail)
    whither = f"to {strange[0].path}, whom the user did not name" if strange else "along"
    return Finding("REQUIRE_APPROVAL", "carries_sensitive", f"it carries something sensitive {whither}")
