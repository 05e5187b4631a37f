"""Values in a turn: of tool results, ``{{ result.1.order.id }}``, or of the request, ``{{ request.order }}``.

Plain lookup, no evaluation.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

# result.<which tool message, from 1, or "last"> and then keys or list positions (from 0).
# Or request.<a named group of the script's match.regex>.
EXPRESSION = re.compile(
    r"\{\{\s*(?:result\.([1-9]\d*|last)((?:\.[A-Za-z0-9_-]+)*)|request\.([a-z_]+))\s*\}\}"
)


@dataclass(frozen=True)
class Source:
    """What expressions look things up in: the tool messages' texts, and what the request's match captured."""

    results: list[str]
    captured: dict[str, str]


class TemplateError(ValueError):
    """An expression that is malformed, or that names something the conversation does not hold."""


def check_templates(value: Any) -> None:  # Any: a JSON value
    """Raise TemplateError for any ``{{`` in the texts of a turn that does not open an expression."""
    if isinstance(value, dict):
        # Raw arguments (a string) are sent as they stand and may hold anything.
        for key, each in value.items():
            if not (key == "arguments" and isinstance(each, str)):
                check_templates(each)
    elif isinstance(value, list):
        for each in value:
            check_templates(each)
    elif isinstance(value, str) and "{{" in EXPRESSION.sub("", value):
        raise TemplateError(
            f"{value!r} holds '{{{{' but no expression of the form result.<number|last>.<path> or request.<group>"
        )


def expand(value: Any, source: Source) -> Any:  # Any: a JSON value
    """Return the value with its expressions looked up.

    A string that is one expression and nothing else takes the looked-up value with its JSON type; inside a
    longer text it becomes text. Raises TemplateError when the path leads nowhere.
    """
    if isinstance(value, dict):
        return {key: expand(each, source) for key, each in value.items()}
    if isinstance(value, list):
        return [expand(each, source) for each in value]
    if not isinstance(value, str):
        return value
    whole = EXPRESSION.fullmatch(value)
    if whole is not None:
        return look_up(whole, source)
    return EXPRESSION.sub(lambda found: show(look_up(found, source)), value)


def expand_text(text: str | None, source: Source) -> str | None:
    """Return a text with its expressions looked up; a text stays one even if it is a single expression."""
    return None if text is None else show(expand(text, source))


def show(value: Any) -> str:  # Any: a JSON value
    """Return a value as it reads inside a text."""
    return value if isinstance(value, str) else json.dumps(value)


def look_up(found: re.Match[str], source: Source) -> Any:  # Any: a JSON value
    """Return what an expression names; raises TemplateError."""
    which, path, name = found.groups()
    if name is not None:
        return look_up_capture(found.group(), name, source.captured)
    results = source.results
    number = len(results) if which == "last" else int(which)
    if not 1 <= number <= len(results):
        raise TemplateError(f"{found.group()}: the conversation holds {len(results)} tool results")
    value = parse_result(results[number - 1])
    for step in path.split(".")[1:]:
        try:
            value = value[int(step)] if isinstance(value, list) else value[step]
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise TemplateError(
                f"{found.group()}: nothing at {step!r} in {results[number - 1][:200]}"
            ) from error
    return value


def look_up_capture(expression: str, name: str, captured: dict[str, str]) -> str:
    """Return what a named group of the script's pattern matched; raises TemplateError."""
    if name not in captured:
        raise TemplateError(f"{expression}: the script's match.regex has no group {name!r}")
    return captured[name]


def parse_result(text: str) -> Any:  # Any: a JSON value
    """Return a tool message's JSON value, or its bare text when it is not JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return text
