"""Whether a suite holds together: figures of one whose calls could never work would flatter the defence."""

from __future__ import annotations

from collections.abc import Iterator

import jsonschema_rs

from runs.attacks.suite import Attack, Suite, Task, play_bare


def check_suite(suite: Suite) -> list[str]:
    """Return what is wrong with a suite, in words."""
    parts: list[Task | Attack] = [*suite.tasks, *suite.attacks]
    unknown = [words for part in parts for words in _unknown_names(suite, part)]
    return unknown or [words for part in parts for words in (*_misfits(suite, part), *_failures(suite, part))]


def _unknown_names(suite: Suite, part: Task | Attack) -> Iterator[str]:
    for tool in {call.tool for call in part.calls} - {tool.name for tool in suite.tools}:
        yield f"{suite.name}/{part.id}: there is no tool {tool}"
    slots = part.slots if isinstance(part, Attack) else ()
    for slot in set(slots) - set(suite.slots):
        yield f"{suite.name}/{part.id}: there is no slot {slot}"


def _misfits(suite: Suite, part: Task | Attack) -> Iterator[str]:
    """Yield calls that the tool's own schema refuses: an attack must not be stopped by a slip of its author."""
    for call in part.calls:
        schema = suite.tool(call.tool).definition["input_schema"]
        if not jsonschema_rs.is_valid(schema, dict(call.arguments)):
            yield f"{suite.name}/{part.id}: the arguments do not fit the schema of {call.tool}"


def _failures(suite: Suite, part: Task | Attack) -> Iterator[str]:
    """Yield what the calls come to on the bare functions, if that is an exception."""
    try:
        play_bare(suite, part, suite.injections(part) if isinstance(part, Attack) else {})
    except Exception as error:  # functions are the author's: anything may come out of them
        yield f"{suite.name}/{part.id}: the calls fail: {type(error).__name__}: {error}"
