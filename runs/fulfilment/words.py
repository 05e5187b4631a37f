"""Checks of a type of task in words: what is asked for, without anything that was said or done in a run. Pure."""

from __future__ import annotations

from runs.fulfilment.declared import Answered, Called, Check, Condition, Ended, Same

OF_THE_REQUEST = {"words": "in the user's words", "principal": "naming the user"}


def describe(check: Check) -> str:
    """Return what a check asks for."""
    if isinstance(check, Called):
        return f"{check.tool}{_narrow(check)} {_wanted(check)}"
    if isinstance(check, Ended):
        return f"it ends as {' or '.join(check.states)}"
    return f"it gives an answer{_bound(check)}"


def times(number: int) -> str:
    """Return how often something was done, in words."""
    return {1: "once", 2: "twice"}.get(number, f"{number:,} times")


def _narrow(check: Called) -> str:
    conditions = ", ".join(_say(each) for each in check.conditions)
    after = f", after an answer of {check.after}," if check.after else ""
    return f"{f' with {conditions}' if conditions else ''}{after}"


def _say(condition: Condition) -> str:
    at = condition.at or "arguments"
    if condition.same:
        return f"{at} as {_say_same(condition.same)}"
    if condition.source:
        return f"{at} {OF_THE_REQUEST[condition.source]}"
    return f"{at} {condition.constant!r}"


def _say_same(same: Same) -> str:
    what = "answered" if same.part == "answer" else "was called with"
    return f"{same.tool} {what}{f' at {same.at}' if same.at else ''}"


def _wanted(check: Called) -> str:
    if check.most == 0:
        return "is not carried out"
    if check.least == check.most:
        return f"is carried out exactly {times(check.least)}"
    least = f"at least {times(check.least)}" if check.least else ""
    most = "" if check.most is None else f"at most {times(check.most)}"
    return f"is carried out {' and '.join(filter(None, (least, most)))}"


def _bound(check: Answered) -> str:
    parts = [f"with “{text}”" for text in check.contains]
    parts += [f"without “{text}”" for text in check.lacks]
    if check.most_characters is not None:
        parts.append(f"of at most {check.most_characters:,} characters")
    return "".join(f", {part}" for part in parts).removeprefix(",")
