"""A case of an evaluation set: what is asked, how tools answer, and by which checks it passes. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from agentops.pointers import follow
from runs.fulfilment.declared import (
    Check,
    Ended,
    TaskType,
    Undeclarable,
    choose,
    read_check,
    read_each,
    read_members,
    read_pointer,
    read_text,
    read_tool,
)
from runs.fulfilment.evaluating import is_same

Json = Any  # a value of a declaration, of a call or of an answer
People = Literal["approve", "deny"]

MOST_CASES, MOST_CHECKS, MOST_OUTCOMES, MOST_CONDITIONS = 100, 20, 200, 10
MOST_TIMES = 1_000
LONGEST_NAME, LONGEST_SUBJECT, LONGEST_TASK = 64, 200, 64
LONGEST_CASE = 1_000_000  # characters, as JSON
PEOPLE = ("approve", "deny")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A constant at a pointer of a call's arguments."""

    at: str
    constant: Json


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call of a tool is answered: with ``answer``, or as an error of this code.

    ``arguments``: it answers calls with exactly these; ``conditions``: with these among them; neither: any call.
    ``times``: so often, and from then on the next that fits; None: from its first on, always.
    """

    tool: str
    arguments: Json = None
    conditions: tuple[Wanted, ...] = ()
    answer: Json = None
    error: str = ""
    detail: str = ""
    times: int | None = None
    people: People | None = None

    def fits(self, tool: str, arguments: Json) -> bool:
        """Return whether it is for such a call; numbers are the same however they are written."""
        if tool != self.tool or not isinstance(arguments, Mapping):
            return False
        if self.arguments is not None and not _is_alike(self.arguments, arguments):
            return False
        return all(_stands(each, arguments) for each in self.conditions)


@dataclass(frozen=True, slots=True)
class Case:
    """One case; ``people``: what they would say where one has to be asked, unless an outcome says otherwise."""

    name: str
    message: str
    outcomes: tuple[Outcome, ...] = ()
    checks: tuple[Check, ...] = ()
    task: str = ""
    subject: str = ""
    people: People = "approve"

    @property
    def says_how_it_ends(self) -> bool:
        """Return whether a check says as what its run may end; else it has to be completed."""
        return any(isinstance(check, Ended) for check in self.checks)

    @property
    def tools(self) -> frozenset[str]:
        """Return the tools that its outcomes and checks name."""
        return TaskType(self.name, "", self.checks).tools | {each.tool for each in self.outcomes}


def read_cases(written: Json, where: str = "cases") -> tuple[Case, ...]:
    """Return cases as they are written; raises Undeclarable."""
    cases = read_each(written, where, MOST_CASES, read_case)
    names = [case.name for case in cases]
    if len(set(names)) < len(names):
        raise Undeclarable(f"{where}: each name once")
    return cases


_OF_CASE = frozenset(("checks", "outcomes", "task", "subject", "people"))


def read_case(written: Json, where: str) -> Case:
    """Return a case as it is written; raises Undeclarable."""
    given = read_members(written, where, needed={"name", "message"}, optional=_OF_CASE)
    _check_size(written, where)
    checks = read_each(given.get("checks", []), f"{where}/checks", MOST_CHECKS, read_check)
    task = _read_line(given.get("task", ""), f"{where}/task", LONGEST_TASK, least=0)
    if not checks and not task:
        raise Undeclarable(f"{where}/checks: at least one check or a task, or it passes whatever happens")
    return Case(
        _read_line(given["name"], f"{where}/name", LONGEST_NAME),
        _read_message(given["message"], f"{where}/message"),
        read_each(given.get("outcomes", []), f"{where}/outcomes", MOST_OUTCOMES, _read_outcome),
        checks, task, _read_line(given.get("subject", ""), f"{where}/subject", LONGEST_SUBJECT, least=0),
        choose(given.get("people", "approve"), PEOPLE, f"{where}/people"),
    )  # fmt: skip


_OF_OUTCOME = frozenset(("arguments", "with", "answer", "error", "detail", "times", "people"))


def _read_outcome(written: Json, where: str) -> Outcome:
    given = read_members(written, where, needed={"call"}, optional=_OF_OUTCOME)
    if ("answer" in given) == ("error" in given):
        raise Undeclarable(f"{where}: either an answer or an error")
    if "arguments" in given and not isinstance(given["arguments"], Mapping):
        raise Undeclarable(f"{where}/arguments: an object")
    people = given.get("people")
    return Outcome(
        read_tool(given["call"], f"{where}/call"), given.get("arguments"),
        read_each(given.get("with", []), f"{where}/with", MOST_CONDITIONS, _read_wanted),
        given.get("answer"), read_tool(given["error"], f"{where}/error") if "error" in given else "",
        read_text(given["detail"], f"{where}/detail") if "detail" in given else "",
        _read_times(given.get("times"), f"{where}/times"),
        None if people is None else choose(people, PEOPLE, f"{where}/people"),
    )  # fmt: skip


def _read_wanted(written: Json, where: str) -> Wanted:
    given = read_members(written, where, needed={"at", "is"})
    if isinstance(given["is"], list | Mapping):
        raise Undeclarable(f"{where}/is: a text, a number, true, false or null")
    return Wanted(read_pointer(given["at"], f"{where}/at"), given["is"])


def _read_times(written: Json, where: str) -> int | None:
    if written is not None and (type(written) is not int or not 1 <= written <= MOST_TIMES):
        raise Undeclarable(f"{where}: a whole number from 1 to {MOST_TIMES:,}")
    return written


def _read_line(written: Json, where: str, most: int, *, least: int = 1) -> str:
    fits = isinstance(written, str) and least <= len(written.strip()) and len(written) <= most
    if not fits or (written and not written.isprintable()):
        raise Undeclarable(f"{where}: a line of {least} to {most} characters")
    return str(written)


def _read_message(written: Json, where: str) -> str:
    if not isinstance(written, str) or not written.strip():
        raise Undeclarable(f"{where}: what is asked, in the user's words")
    return written


def _check_size(written: Json, where: str) -> None:
    if len(json.dumps(written)) > LONGEST_CASE:
        raise Undeclarable(f"{where}: at most {LONGEST_CASE:,} characters as JSON")


def _stands(wanted: Wanted, arguments: Json) -> bool:
    try:
        return _is_alike(wanted.constant, follow(arguments, wanted.at))
    except LookupError:
        return False


def _is_alike(one: Json, other: Json) -> bool:
    """Return whether two values are the same at every place."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_is_alike(one[key], other[key]) for key in one)
    if _is_list(one) and _is_list(other):
        return len(one) == len(other) and all(_is_alike(a, b) for a, b in zip(one, other, strict=True))
    return is_same(one, other)


def _is_list(value: Json) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
