"""A run's trace laid out for a page: what belongs to one call told once, grouped by step, in three lanes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from agentops.engine import events as e
from runs.admin.origins import Origins
from runs.trace import TraceItem
from tools.provenance.labels import Rules
from tools.provenance.marks import mark_result

# Entries that only lead up to another one: left out as soon as that one is there.
LED_UP_TO = {
    e.CALL_RECEIVED: {e.STEP_DECIDED},
    e.MODEL_REQUESTED: {e.STEP_DECIDED, e.MODEL_FAILED},
    e.SUMMARY_REQUESTED: {e.SUMMARY_WRITTEN, e.SUMMARY_FAILED},
    e.EMBEDDING_REQUESTED: {e.EMBEDDING_MADE, e.EMBEDDING_FAILED},
    e.CALL_ALLOWED: {e.CALL_SUCCEEDED, e.CALL_FAILED, e.CALL_UNKNOWN, e.ATTEMPT_STARTED},
    e.ATTEMPT_STARTED: {e.CALL_SUCCEEDED, e.CALL_FAILED, e.CALL_UNKNOWN, e.ATTEMPT_FAILED},
    e.BUDGET_DRAWN: {e.MODEL_REQUESTED},
}
VERDICTS = (e.APPROVAL_GRANTED, e.APPROVAL_REFUSED, e.CALL_EDITED, e.CALL_ASKED_BACK)
OUTCOMES = (
    e.CALL_SUCCEEDED, e.CALL_FAILED, e.CALL_UNKNOWN, e.CALL_PARKED, e.CALL_REFUSED, e.CALL_GATED, e.RESULT_READ,
    e.MEMORY_RECALLED, e.MEMORY_WRITTEN,
)  # fmt: skip

Place = tuple[int | None, int | None]


@dataclass(frozen=True, slots=True)
class Told:
    """One item of the timeline. What a call was given, and why it was allowed, stands with its outcome."""

    item: TraceItem
    arguments: Any = None  # Any: the JSON that the model proposed
    resolutions: Sequence[Any] = ()  # what of it was looked up
    reasons: Sequence[Any] = ()
    approval: str = ""
    result: Any = None
    marks: Any = None  # whose each value of the result is, in its shape
    origins: Any = None  # where each argument comes from, in their shape
    calls: Sequence[tuple[Any, Any]] = ()  # what a model proposed, each call with its origins
    person: str = ""

    @property
    def title(self) -> str:
        """Return the item's sentence without the number of the step, which stands above it."""
        title = self.item.title.removeprefix(f"Step {self.item.step}: ")
        return title[:1].upper() + title[1:] if title != self.item.title else title

    @property
    def content(self) -> dict[str, Any]:
        """Return the entry's erasable words; empty when there are none, or when they were erased."""
        return self.item.content if isinstance(self.item.content, dict) else {}


@dataclass(slots=True)
class Group:
    """The items of one step, or of what happened between two steps."""

    step: int | None
    at: datetime
    told: list[Told] = field(default_factory=list)
    tokens: int = 0
    usd: Decimal = Decimal(0)
    running_usd: Decimal = Decimal(0)


def lay_out(
    items: Sequence[TraceItem],
    deciders: Mapping[str, str] = MappingProxyType({}),
    spent: Decimal = Decimal(0),
    rules: Mapping[str, Rules] = MappingProxyType({}),
    origins: Origins = MappingProxyType({}),
) -> list[Group]:
    """Return items in groups, each with the cost that had run up by then.

    ``deciders`` names the people who decided about approvals, by the approval's id; ``spent`` is what the
    run had cost before the first item; ``rules`` say of each tool whose its results are, ``origins`` of each call
    where its arguments come from.
    """
    told = _tell_all(_without_preludes(items), _permissions(items), deciders)
    groups = _group(_mark_all(told, rules, origins))
    for group in groups:
        spent += group.usd
        group.running_usd = spent
    return groups


def _tell_all(
    items: Iterable[TraceItem], allowed: dict[Place, TraceItem], deciders: Mapping[str, str]
) -> Iterator[Told]:
    """Yield items told, each call with the arguments that it had by then: a person may edit what a model proposed."""
    proposed: dict[Place, Any] = {}
    for item in items:
        for call in _calls_in(item):
            proposed[item.step, call.get("call")] = call.get("arguments") or call.get("raw")
        yield _tell(item, proposed, allowed, deciders)


def _mark_all(told: Iterable[Told], rules: Mapping[str, Rules], origins: Origins) -> Iterator[Told]:
    """Yield what was told with marks: of what was answered whose it is, of what was given where it comes from."""
    tools: dict[Place, str] = {}
    marks: dict[Place, Any] = {}
    for each in told:
        item, calls = each.item, _calls_in(each.item)
        for call in calls:
            place = (item.step, call.get("call"))
            tools[place], marks[place] = (
                str(call.get("tool") or ""),
                origins.get((item.seq, call.get("call") or 0)),
            )
        here = (item.step, item.call)
        yield replace(
            each,
            marks=_mark(each, rules.get(tools.get(here, ""))),
            origins=marks.get(here) if each.arguments is not None else None,
            calls=[(call, marks[item.step, call.get("call")]) for call in calls],
        )


def _calls_in(item: TraceItem) -> Sequence[Any]:
    """Return the calls that an entry holds: those of a step that was decided, or the one that a person edited."""
    if item.kind not in (e.STEP_DECIDED, e.CALL_EDITED) or not isinstance(item.content, dict):
        return ()
    return item.content.get("calls") or ()


def _mark(told: Told, rules: Rules | None) -> Any:  # Any: sources in the shape of the result
    """Return whose each value of a result is; nothing where there is none, or where it is not known by which tool."""
    if told.result is None or rules is None:
        return None
    return mark_result(told.result, rules, tainted=bool(told.item.facts.get("tainted")))


def _permissions(items: Iterable[TraceItem]) -> dict[Place, TraceItem]:
    return {(item.step, item.call): item for item in items if item.kind in (e.CALL_ALLOWED, e.CALL_GATED)}


def _without_preludes(items: Sequence[TraceItem]) -> list[TraceItem]:
    kept: list[TraceItem] = []
    followed: set[tuple[str, Place]] = set()
    for item in reversed(items):
        ends = LED_UP_TO.get(item.kind)
        place = (item.step, item.call)
        if item.kind in e.OF_ESCROW:
            continue
        if ends is None or not any((kind, place) in followed for kind in ends):
            kept.append(item)
        followed.add((item.kind, place))
    return kept[::-1]


def _tell(
    item: TraceItem,
    proposed: dict[Place, Any],
    allowed: dict[Place, TraceItem],
    deciders: Mapping[str, str],
) -> Told:
    place = (item.step, item.call)
    if item.kind in VERDICTS:
        approval = str(item.facts.get("approval") or "")
        edited = proposed.get(place) if item.kind == e.CALL_EDITED else None
        return Told(item, approval=approval, person=deciders.get(approval, ""), arguments=edited)
    if item.kind not in OUTCOMES:
        return Told(item)
    permission = allowed.get(place)
    facts = permission.facts if permission else item.facts
    content = item.content if isinstance(item.content, dict) else {}
    return Told(
        item,
        arguments=proposed.get(place),
        resolutions=_resolutions(permission),
        reasons=facts.get("reasons") or (),
        approval=str(facts.get("approval") or ""),
        result=content.get("value"),
    )


def _resolutions(permission: TraceItem | None) -> Sequence[Any]:
    content = permission.content if permission else None
    found = content.get("resolutions") if isinstance(content, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else ()


def _group(told: Iterable[Told]) -> list[Group]:
    groups: list[Group] = []
    for each in told:
        item = each.item
        if not groups or (item.step is not None and item.step != groups[-1].step):
            groups.append(Group(item.step, item.at))
        groups[-1].told.append(each)
        groups[-1].tokens += item.tokens
        groups[-1].usd += item.usd
    return groups
