"""What a version declares of a type of task: checks of what happened, in a small closed vocabulary. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

Json = Any  # a value of a declaration
Part = Literal["arguments", "answer"]
Source = Literal["words", "principal"]
Item = TypeVar("Item")

MOST_TASKS, MOST_CHECKS, MOST_CONDITIONS, MOST_TEXTS = 20, 20, 10, 10
MOST_TIMES = 1_000
LONGEST_DESCRIPTION, LONGEST_POINTER, LONGEST_TEXT = 500, 200, 200
ENDS = ("completed", "halted", "failed", "cancelled", "expired")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_TOOL = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Undeclarable(ValueError):
    """What was written is none of what can be checked; the words say where and what could stand there."""


@dataclass(frozen=True, slots=True)
class Same:
    """A value of another call, which was answered before: at a pointer of its arguments or of its answer."""

    tool: str
    part: Part
    at: str


@dataclass(frozen=True, slots=True)
class Condition:
    """What has to stand at a pointer of a call's arguments: a constant, a value of another call, or of the request."""

    at: str
    constant: Json = None
    same: Same | None = None
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class Called:
    """So often, no less and no more, a tool was carried out with such arguments, behind an answer of another one."""

    tool: str
    least: int
    most: int | None
    conditions: tuple[Condition, ...] = ()
    after: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """How the run ended."""

    states: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """There is an answer, with these texts, without those, and no longer than that."""

    contains: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    most_characters: int | None = None


Check = Called | Ended | Answered


@dataclass(frozen=True, slots=True)
class TaskType:
    """A type of task by its name, and when it is fulfilled: when all of its checks pass."""

    name: str
    description: str
    checks: tuple[Check, ...]

    @property
    def tools(self) -> frozenset[str]:
        """Return the tools that its checks name."""
        called = [check for check in self.checks if isinstance(check, Called)]
        others = [each.same.tool for check in called for each in check.conditions if each.same]
        return frozenset((*(check.tool for check in called), *(c.after for c in called if c.after), *others))


def read_tasks(written: Json) -> tuple[TaskType, ...]:
    """Return the types of tasks that a version's ``tasks`` declare; raises Undeclarable."""
    tasks = read_each(written, "tasks", MOST_TASKS, _read_task)
    names = [task.name for task in tasks]
    if len(set(names)) < len(names):
        raise Undeclarable("tasks: each name once")
    return tasks


def _read_task(written: Json, where: str) -> TaskType:
    given = read_members(written, where, needed={"name", "fulfilled_when"}, optional={"description"})
    name, description = given["name"], given.get("description", "")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise Undeclarable(f"{where}/name: 1 to 64 of a-z, 0-9, _ and -, a letter or digit first")
    if not isinstance(description, str) or len(description) > LONGEST_DESCRIPTION:
        raise Undeclarable(f"{where}/description: at most {LONGEST_DESCRIPTION} characters")
    checks = read_each(given["fulfilled_when"], f"{where}/fulfilled_when", MOST_CHECKS, read_check)
    if not checks:
        raise Undeclarable(f"{where}/fulfilled_when: at least one check, or it is fulfilled whatever happens")
    return TaskType(name, description, checks)


def read_check(written: Json, where: str) -> Check:
    """Return a check as it is declared; raises Undeclarable, as all of these do."""
    for kind, read in _READERS.items():
        if isinstance(written, Mapping) and kind in written:
            return read(written, where)
    raise Undeclarable(f"{where}: one of {', '.join(_READERS)}")


def _read_called(written: Json, where: str) -> Called:
    given = read_members(written, where, needed={"called"}, optional={"times", "with", "after"})
    least, most = _read_times(given.get("times", {"at_least": 1}), f"{where}/times")
    conditions = read_each(given.get("with", []), f"{where}/with", MOST_CONDITIONS, _read_condition)
    after = read_tool(given["after"], f"{where}/after") if "after" in given else ""
    return Called(read_tool(given["called"], f"{where}/called"), least, most, conditions, after)


def _read_times(written: Json, where: str) -> tuple[int, int | None]:
    if isinstance(written, Mapping):
        given = read_members(written, where, optional={"at_least", "at_most"})
        least, most = given.get("at_least", 0), given.get("at_most")
        if not given or (most is None and least == 0):
            raise Undeclarable(f"{where}: at_least, at_most or both, or it holds whatever happens")
    else:
        least = most = written
    for number in (least, *(() if most is None else (most,))):
        if type(number) is not int or not 0 <= number <= MOST_TIMES:
            raise Undeclarable(f"{where}: whole numbers from 0 to {MOST_TIMES:,}")
    if most is not None and least > most:
        raise Undeclarable(f"{where}: at_least is more than at_most")
    return least, most


def _read_condition(written: Json, where: str) -> Condition:
    given = read_members(written, where, needed={"at"}, optional={"is", "same_as", "from"})
    if len(given) != 2:
        raise Undeclarable(f"{where}: at, and one of is, same_as and from")
    at = read_pointer(given["at"], f"{where}/at")
    if "same_as" in given:
        return Condition(at, same=_read_same(given["same_as"], f"{where}/same_as"))
    if "from" in given:
        return Condition(at, source=choose(given["from"], ("words", "principal"), f"{where}/from"))
    if isinstance(given["is"], list | Mapping):
        raise Undeclarable(f"{where}/is: a text, a number, true, false or null")
    return Condition(at, constant=given["is"])


def _read_same(written: Json, where: str) -> Same:
    given = read_members(written, where, needed={"call", "at"}, optional={"in"})
    part = choose(given.get("in", "answer"), ("arguments", "answer"), f"{where}/in")
    return Same(read_tool(given["call"], f"{where}/call"), part, read_pointer(given["at"], f"{where}/at"))


def _read_ended(written: Json, where: str) -> Ended:
    given = read_members(written, where, needed={"ended"})
    states = read_each(given["ended"], f"{where}/ended", len(ENDS), lambda each, at: choose(each, ENDS, at))
    if not states:
        raise Undeclarable(f"{where}/ended: one or more of {', '.join(ENDS)}")
    return Ended(states)


def _read_answered(written: Json, where: str) -> Answered:
    told = read_members(written, where, needed={"answer"})["answer"]
    given = read_members(told, f"{where}/answer", optional={"contains", "lacks", "most_characters"})
    contains, lacks = (
        read_each(given.get(name, []), f"{where}/answer/{name}", MOST_TEXTS, read_text)
        for name in ("contains", "lacks")
    )
    most = given.get("most_characters")
    if most is not None and (type(most) is not int or most < 1):
        raise Undeclarable(f"{where}/answer/most_characters: a whole number from 1 on")
    return Answered(contains, lacks, most)


_READERS: dict[str, Callable[[Json, str], Check]] = {
    "called": _read_called,
    "ended": _read_ended,
    "answer": _read_answered,
}


def read_tool(written: Json, where: str) -> str:
    """Return the name of a tool."""
    if not isinstance(written, str) or not _TOOL.fullmatch(written):
        raise Undeclarable(f"{where}: the name of a tool")
    return written


def read_pointer(written: Json, where: str) -> str:
    """Return a JSON pointer."""
    is_one = isinstance(written, str) and len(written) <= LONGEST_POINTER and written[:1] in ("", "/")
    if not is_one:
        raise Undeclarable(f"{where}: a JSON pointer like /order_id")
    return str(written)


def read_text(written: Json, where: str) -> str:
    """Return a text that says something, and not much."""
    if not isinstance(written, str) or not written.strip() or len(written) > LONGEST_TEXT:
        raise Undeclarable(f"{where}: a text of 1 to {LONGEST_TEXT} characters")
    return written


def choose(written: Json, among: Sequence[str], where: str) -> Any:  # Any: one of the words
    """Return one of the words that can stand there."""
    if written not in among:
        raise Undeclarable(f"{where}: one of {', '.join(among)}")
    return written


def read_each(written: Json, where: str, most: int, read: Callable[[Json, str], Item]) -> tuple[Item, ...]:
    """Return the items of a list of at most so many."""
    if not isinstance(written, list | tuple) or len(written) > most:
        raise Undeclarable(f"{where}: a list of at most {most}")
    return tuple(read(each, f"{where}/{place}") for place, each in enumerate(written))


def read_members(
    written: Json, where: str, *, needed: Set[str] = frozenset(), optional: Set[str] = frozenset()
) -> Mapping[str, Json]:
    """Return the members of an object that has these, and no others."""
    names = set(written) if isinstance(written, Mapping) else None
    if names is None or not needed <= names <= needed | optional:
        listed = ", ".join((*sorted(needed), *(f"{name} (or not)" for name in sorted(optional))))
        raise Undeclarable(f"{where}: an object of {listed}")
    return dict(written)
