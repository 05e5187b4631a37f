"""Scripts: who they are for, and the turns they play. Parsed once, checked whole, never changed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from agentops.demo.planner.schema import FAULTS, SCRIPT
from agentops.demo.planner.template import check_templates
from agentops.demo.toolserver import compile_schema, violation

VALIDATOR = compile_schema(SCRIPT)
SCRIPT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
SHIPPED = Path(__file__).with_name("scripts")


class ScriptError(ValueError):
    """A script document that cannot be played; the text says where and why."""


@dataclass(frozen=True)
class ToolCall:
    """A proposed call; a string is sent exactly as it stands, for arguments that are not JSON."""

    name: str
    arguments: dict[str, Any] | str  # Any: JSON values


@dataclass(frozen=True)
class Usage:
    """Token counts to report; what is None is estimated from the length of the texts."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached: int = 0
    reasoning: int | None = None


@dataclass(frozen=True)
class Fault:
    """What goes wrong: `kind` is a key of the schema's FAULTS, `value` what stands there.

    It goes wrong `times` times per conversation and then the turn is played; always when None.
    """

    kind: str
    value: int | str | bool
    retry_after: float | None = None
    times: int | None = None


@dataclass(frozen=True)
class Turn:
    """One answer of the model, or one fault instead of it."""

    content: str | None = None
    thought: str | None = None
    refusal: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage()
    finish_reason: str | None = None
    delay_s: float = 0
    fault: Fault | None = None
    last_tool_error: bool | None = None
    last_tool_contains: str | None = None

    @property
    def is_conditional(self) -> bool:
        """Whether this turn is an alternative for some conversations only."""
        return self.last_tool_error is not None or self.last_tool_contains is not None


@dataclass(frozen=True)
class Script:
    """A named conversation: for each assistant message the alternatives, of which the first holding counts.

    `request` is the user's message that the script was written for, if it says so.
    """

    name: str
    turns: tuple[tuple[Turn, ...], ...]
    contains: str | None = None
    regex: re.Pattern[str] | None = None
    model: str | None = None
    request: str | None = None

    def matches(self, model: str, first_user_text: str) -> bool:
        """Say whether this script plays a conversation with that model and that first user message."""
        if self.model is not None:
            return self.model == model
        if self.regex is not None:
            return self.regex.search(first_user_text) is not None
        return self.contains is not None and self.contains in first_user_text

    def capture(self, first_user_text: str) -> dict[str, str]:
        """Return what the named groups of the script's pattern match in the first user message."""
        found = self.regex.search(first_user_text) if self.regex is not None else None
        return found.groupdict("") if found else {}


def parse_script(name: str, document: object) -> Script:
    """Return the script in a parsed YAML or JSON document; raises ScriptError naming the wrong place."""
    if not SCRIPT_NAME.fullmatch(name):
        raise ScriptError(f"{name!r} is not a script name (letters, digits, '_', '.', '-', at most 100)")
    error = next(VALIDATOR.iter_errors(document), None)
    if error is not None or not isinstance(document, dict):
        raise ScriptError(f"{name}: {violation(error) if error else 'not an object'}")
    turns = tuple(
        parse_alternatives(f"{name}: turns.{number}", each if isinstance(each, list) else [each])
        for number, each in enumerate(document["turns"])
    )
    match = document["match"]
    return Script(
        name,
        turns,
        contains=match.get("contains"),
        regex=compile_regex(name, match.get("regex")),
        model=match.get("model"),
        request=document.get("request"),
    )


def compile_regex(name: str, pattern: str | None) -> re.Pattern[str] | None:
    """Return the compiled pattern; raises ScriptError."""
    try:
        return None if pattern is None else re.compile(pattern)
    except re.error as error:
        raise ScriptError(f"{name}: match.regex: {error}") from error


def parse_alternatives(place: str, documents: list[dict[str, Any]]) -> tuple[Turn, ...]:  # Any: JSON values
    """Return the alternatives of one turn; the last one, and only it, must hold without a condition."""
    turns = tuple(parse_turn(place, each) for each in documents)
    if [turn.is_conditional for turn in turns] != [True] * (len(turns) - 1) + [False]:
        raise ScriptError(
            f"{place}: every alternative but the last needs a `when`, and the last must have none"
        )
    return turns


def parse_turn(place: str, document: dict[str, Any]) -> Turn:  # Any: JSON values
    """Return one turn; raises ScriptError for two faults at once or a template that is none."""
    try:
        check_templates(document)
    except ValueError as error:
        raise ScriptError(f"{place}: {error}") from error
    when = document.get("when", {})
    return Turn(
        content=document.get("content"),
        thought=document.get("thought"),
        refusal=document.get("refusal"),
        tool_calls=tuple(ToolCall(**each) for each in document.get("tool_calls", ())),
        usage=Usage(**document.get("usage", {})),
        finish_reason=document.get("finish_reason"),
        delay_s=document.get("delay_s", 0),
        fault=parse_fault(place, document),
        last_tool_error=when.get("last_tool_error"),
        last_tool_contains=when.get("last_tool_contains"),
    )


def parse_fault(place: str, document: dict[str, Any]) -> Fault | None:  # Any: JSON values
    """Return the turn's fault, if it has one."""
    kinds = [kind for kind in FAULTS if kind in document]
    if len(kinds) > 1:
        raise ScriptError(f"{place}: one fault per turn, not {' and '.join(kinds)}")
    if not kinds:
        if "times" in document:
            raise ScriptError(f"{place}: `times` counts a fault, and there is none")
        return None
    return Fault(kinds[0], document[kinds[0]], document.get("retry_after"), document.get("times"))


def load_scripts(folder: Path) -> dict[str, Script]:
    """Return the scripts of every .yaml, .yml and .json file in a folder by file stem.

    Raises ScriptError for a folder that is none, a file that is no script, and two files of one stem.
    """
    if not folder.is_dir():
        raise ScriptError(f"{folder} is not a folder")
    scripts: dict[str, Script] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix not in {".yaml", ".yml", ".json"}:
            continue
        if path.stem in scripts:
            raise ScriptError(f"{path.name}: there is another script named {path.stem}")
        scripts[path.stem] = parse_script(path.stem, read_document(path))
    return scripts


def read_document(path: Path) -> object:
    """Return a YAML file's document (JSON is YAML); raises ScriptError."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ScriptError(f"{path.name}: {error}") from error
