"""Holding what happened in a run against what its type of task asks for: pure, and explained check by check.

The sentences quote the declaration and count what happened; nothing that was said or done in the run stands in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from agentops.pointers import follow
from runs.fulfilment.declared import Answered, Called, Check, Condition, Ended, TaskType
from runs.fulfilment.words import describe, times

Json = Any  # a value of a call, an answer or a declaration
RULES = 1  # raised whenever the same record could be judged otherwise than before


@dataclass(frozen=True, slots=True)
class Made:
    """A call that was carried out: between which entries of the stream, with what, and what was answered."""

    tool: str
    decided: int
    answered: int
    arguments: Json
    answer: Json


@dataclass(frozen=True, slots=True)
class Happened:
    """What is known of a run that has ended. ``words`` are its user's, ``principal`` is their subject."""

    state: str
    answer: str
    words: Sequence[str]
    principal: str
    calls: Sequence[Made]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One check, in words, and whether it passed."""

    passed: bool
    said: str


def judge(task: TaskType, happened: Happened) -> tuple[Verdict, ...]:
    """Return a verdict for each check of a type of task."""
    return tuple(_judge(check, happened) for check in task.checks)


def _judge(check: Check, happened: Happened) -> Verdict:
    if isinstance(check, Called):
        return _judge_called(check, happened)
    if isinstance(check, Ended):
        return _tell(check, happened.state in check.states, f"it ended as {happened.state}")
    return _judge_answer(check, happened.answer)


def _tell(check: Check, passed: bool, found: str) -> Verdict:
    return Verdict(passed, f"{describe(check)}; {found}")


# --- calls --------------------------------------------------------------------------------------------------------


def _judge_called(check: Called, happened: Happened) -> Verdict:
    number = sum(_fits(call, check, happened) for call in happened.calls)
    passed = check.least <= number and (check.most is None or number <= check.most)
    return _tell(check, passed, f"it was carried out {times(number)}" if number else "it was not")


def _fits(call: Made, check: Called, happened: Happened) -> bool:
    if call.tool != check.tool:
        return False
    earlier = [each for each in happened.calls if each.answered < call.decided]
    if check.after and all(each.tool != check.after for each in earlier):
        return False
    alone = [each for each in check.conditions if each.same is None]
    return all(_holds(each, call, happened) for each in alone) and _is_as_others(call, check, earlier)


def _holds(condition: Condition, call: Made, happened: Happened) -> bool:
    value = _at(call.arguments, condition.at)
    if condition.source == "principal":
        return is_same(value, happened.principal)
    if condition.source == "words":
        return any(_names(text, value) for text in happened.words)
    return is_same(value, condition.constant)


def _is_as_others(call: Made, check: Called, earlier: Iterable[Made]) -> bool:
    """Return whether for each other tool one of its calls has all the values: no order of one, sum of another."""
    wanted: dict[str, list[Condition]] = {}
    for condition in check.conditions:
        if condition.same:
            wanted.setdefault(condition.same.tool, []).append(condition)
    known = list(earlier)
    return all(
        any(each.tool == tool and all(_is_as(call, one, each) for one in conditions) for each in known)
        for tool, conditions in wanted.items()
    )


def _is_as(call: Made, condition: Condition, other: Made) -> bool:
    same = condition.same
    if same is None:
        return False
    there = other.answer if same.part == "answer" else other.arguments
    return is_same(_at(call.arguments, condition.at), _at(there, same.at))


class _Nothing:
    """What stands where nothing does: the same as no value, itself included."""


_NOTHING = _Nothing()


def _at(value: Json, pointer: str) -> Json:
    try:
        return follow(value, pointer)
    except LookupError:
        return _NOTHING


def is_same(one: Json, other: Json) -> bool:
    """Return whether two values are the same: 50 is 50.00 and "50.00", and the texts "50" and "50.0" are two."""
    if isinstance(one, _Nothing) or isinstance(other, _Nothing):
        return False
    if _is_number(one) or _is_number(other):
        first, second = _decimal(one), _decimal(other)
        return first is not None and first == second
    return type(one) is type(other) and bool(one == other)


def _is_number(value: Json) -> bool:
    return type(value) in (int, float)


def _decimal(value: Json) -> Decimal | None:
    if not _is_number(value) and not isinstance(value, str):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _names(text: str, value: Json) -> bool:
    """Return whether a text has a value as a word of its own; upper and lower case are one."""
    if not isinstance(value, str) and not _is_number(value):
        return False
    word = str(value).strip()
    found = re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE)
    return bool(word) and found is not None


# --- the answer ---------------------------------------------------------------------------------------------------


def _judge_answer(check: Answered, answer: str) -> Verdict:
    if not answer.strip():
        return _tell(check, False, "it gave none")
    faults = list(_find_faults(check, answer))
    return _tell(check, not faults, "; ".join(faults) or "it did")


def _find_faults(check: Answered, answer: str) -> Iterable[str]:
    said = answer.casefold()
    yield from (f"it does not say “{text}”" for text in check.contains if text.casefold() not in said)
    yield from (f"it says “{text}”" for text in check.lacks if text.casefold() in said)
    if check.most_characters is not None and len(answer) > check.most_characters:
        yield "it is longer"
