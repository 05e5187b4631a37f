"""Checks arguments and results against JSON Schema (2020-12 unless the schema says otherwise) and I-JSON.

A schema is compiled once. Compiled schemas never fetch: a `$ref` to the network or to a file is refused.
I-JSON (RFC 7493) because everything here is digested (RFC 8785) and stored as jsonb: finite numbers, integers
within ±(2^53 - 1), whole Unicode strings without NUL.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import jsonschema_rs

from agentops.plain_json import dump_plain
from tools.cache import BoundedCache
from tools.calls import ToolSpec
from tools.formats import STRICT, WORDS, find_hidden
from tools.schema_circles import find_circle

ARGUMENTS_LIMIT_BYTES = 256 * 1024
OUTPUT_LIMIT_BYTES = 1024 * 1024
SCHEMA_LIMIT_BYTES = 64 * 1024
DEPTH_LIMIT = 32
INTEGER_LIMIT = 2**53 - 1
PROBLEM_LIMIT = 10
MESSAGE_LIMIT = 200

# OpenAPI's annotations of numbers and encodings, which say nothing that could be checked here. Any other
# unknown format is refused at registration: a misspelt one would silently check nothing.
ANNOTATIONS = {
    name: lambda _: True for name in ("int32", "int64", "float", "double", "byte", "binary", "password")
}
# Formats of our own mean something in arguments only: what a tool answers is the tool's to say.
_OF_RESULTS = {**ANNOTATIONS, **dict.fromkeys(("name", "identifier", "path", "amount"), lambda _: True)}
_OF_ARGUMENTS = {**ANNOTATIONS, **STRICT}
NO_WORDS: Mapping[str, str] = {}

Formats = Mapping[str, Callable[[str], bool]]

_TEXT = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
# A number beyond 2^53 has sixteen digits at least. To look for them as zeros takes a tenth of what a pattern takes.
_DIGITS_AS_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER = b"0" * 16
_SURROGATE = re.compile(rb"\xed[\xa0-\xbf]")
_PLAIN_NAME = re.compile(r"[\w.$@:-]{1,64}")

_validators: BoundedCache[tuple[str, str], jsonschema_rs.Validator] = BoundedCache(limit=512)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where (a JSON pointer, empty for the whole), what, and by which rule.

    Messages repeat no values: they go to the model and into the trace.
    """

    path: str
    message: str
    rule: str


def validate_arguments(spec: ToolSpec, arguments: object) -> list[Problem]:
    """Return what is wrong with a call's arguments; empty if nothing is."""
    if not isinstance(arguments, dict):
        return [Problem("", "the arguments must be one JSON object", "type")]
    problems = check_limits(arguments, ARGUMENTS_LIMIT_BYTES) or _check_hidden(arguments)
    return problems or _check(_compiled(spec.digest, "input", spec.input_schema), arguments, WORDS)


def validate_output(spec: ToolSpec, value: object, limit_bytes: int = OUTPUT_LIMIT_BYTES) -> list[Problem]:
    """Return what is wrong with a tool's result; without an output schema only the limits count."""
    problems = check_limits(value, limit_bytes)
    if problems or spec.output_schema is None:
        return problems
    return _check(_compiled(spec.digest, "output", spec.output_schema), value, NO_WORDS)


def check_schema(schema: object, *, object_root: bool = True) -> list[Problem]:
    """Return why a schema cannot be registered; empty if it can. Results need no object at the root."""
    if not isinstance(schema, dict):
        return [Problem("", "a schema must be a JSON object", "type")]
    problems = check_limits(schema, SCHEMA_LIMIT_BYTES)
    if problems:
        return problems
    if object_root and schema.get("type") != "object":
        return [Problem("/type", 'arguments are an object: the schema needs "type": "object"', "type")]
    try:
        _compile(schema)
    except ValueError as error:
        path = _pointer(getattr(error, "instance_path", []))
        message = getattr(error, "message", None) or str(error)
        return [Problem(path, message[:MESSAGE_LIMIT], "schema")]
    if circle := find_circle(schema):
        return [
            Problem(circle[1:MESSAGE_LIMIT], "says only what it itself says: everything would pass", "circle")
        ]
    return []


def check_limits(value: object, limit_bytes: int) -> list[Problem]:
    """Return where a value breaks the limits of size, depth and I-JSON.

    Serialising it (in C) shows that nearly every value is fine; only a suspect one is walked through.
    """
    try:
        text = dump_plain(value) or _TEXT.encode(value).encode(errors="surrogatepass")
    except RecursionError:
        return [Problem("", f"nested deeper than {DEPTH_LIMIT} levels", "depth")]
    except (TypeError, ValueError):
        return _walk(value) or [Problem("", "not a JSON value", "json")]
    if len(text) > limit_bytes:
        return [Problem("", f"larger than {limit_bytes // 1024} KiB as JSON", "size")]
    return _walk(value) if _is_suspect(text) else []


def _check_hidden(arguments: object) -> list[Problem]:
    found = islice(find_hidden(arguments), PROBLEM_LIMIT)
    return [
        Problem(_pointer(path), f"holds {code}, which nobody sees: leave it out", "hidden")
        for path, code in found
    ]


def _is_suspect(text: bytes) -> bool:
    """Whether a JSON text may hold what I-JSON does not allow."""
    return (
        text.count(b"{") + text.count(b"[") > DEPTH_LIMIT
        or b"\\u0000" in text
        or _LONG_NUMBER in text.translate(_DIGITS_AS_ZEROS)
        or (not text.isascii() and _SURROGATE.search(text) is not None)
    )


def _compiled(digest: str, side: str, schema: dict[str, Any]) -> jsonschema_rs.Validator:
    formats = _OF_ARGUMENTS if side == "input" else _OF_RESULTS
    return _validators.get_or_build((digest, side), lambda: _compile(schema, formats))


def _compile(schema: dict[str, Any], formats: Formats = _OF_ARGUMENTS) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(
        schema,
        validate_formats=True,
        formats=dict(formats),
        ignore_unknown_formats=False,
        retriever=_refuse_reference,
        # No look-around and no back-references, hence linear time whatever the model sends.
        pattern_options=jsonschema_rs.RegexOptions(),
    )


def _refuse_reference(uri: str) -> Any:  # Any: the library's protocol; this never returns
    raise ValueError(f"{uri[:100]} is outside the schema: put it under $defs")


def _check(validator: jsonschema_rs.Validator, value: Any, words: Mapping[str, str]) -> list[Problem]:
    """Return each broken rule; ``words`` say what a format wants. Any: an arbitrary JSON value."""
    try:
        if validator.is_valid(value):
            return []
        errors = list(islice(validator.iter_errors(value), PROBLEM_LIMIT))
    except ValueError:  # names that are not text, and the like
        return [Problem("", "not a JSON value", "json")]
    return [Problem(_pointer(e.instance_path), _describe(e.kind, words), e.kind.name) for e in errors]


def _describe(kind: jsonschema_rs.ValidationErrorKind, words: Mapping[str, str]) -> str:
    """Word a broken rule from the schema's side, without the value that broke it."""
    message = f"breaks the rule {kind.name}"
    match kind:
        case kind.Type(types):
            message = f"must be of type {' or '.join(types)}"
        case kind.Required(name):
            message = f"{_name(name)} is missing"
        case kind.AdditionalProperties(names) | kind.UnevaluatedProperties(names):
            message = f"not expected here: {', '.join(map(_name, names[:PROBLEM_LIMIT]))}"
        case kind.Enum(options):
            message = f"must be one of {json.dumps(options, ensure_ascii=False)}"
        case kind.Constant(option):
            message = f"must be {json.dumps(option, ensure_ascii=False)}"
        case kind.Format(name):
            message = f"must be {words.get(name) or f'a valid {name}'}"
        case kind.Pattern(pattern):
            message = f"must match {pattern}"
        case kind.Minimum(limit):
            message = f"must be at least {limit}"
        case kind.Maximum(limit):
            message = f"must be at most {limit}"
        case kind.ExclusiveMinimum(limit):
            message = f"must be more than {limit}"
        case kind.ExclusiveMaximum(limit):
            message = f"must be less than {limit}"
        case kind.MultipleOf(step):
            message = f"must be a multiple of {step}"
        case kind.MinLength(limit):
            message = f"must have at least {limit} characters"
        case kind.MaxLength(limit):
            message = f"must have at most {limit} characters"
        case kind.MinItems(limit):
            message = f"must have at least {limit} items"
        case kind.MaxItems(limit):
            message = f"must have at most {limit} items"
        case kind.UniqueItems():
            message = "must not repeat an item"
        case kind.AnyOf() | kind.OneOfNotValid():
            message = "matches none of the allowed forms"
        case kind.OneOfMultipleValid():
            message = "matches more than one of the allowed forms"
    return message if len(message) <= MESSAGE_LIMIT else message[: MESSAGE_LIMIT - 1] + "…"


def _walk(value: object) -> list[Problem]:
    return list(islice(_faults(value), PROBLEM_LIMIT))


def _faults(root: object) -> Iterator[Problem]:
    """Yield what is not I-JSON; without recursion, so that depth cannot exhaust the stack."""
    todo: list[tuple[list[str | int], object]] = [([], root)]
    while todo:
        path, value = todo.pop()
        message, rule = _fault(value)
        if len(path) >= DEPTH_LIMIT and isinstance(value, dict | list):
            yield Problem(_pointer(path), f"nested deeper than {DEPTH_LIMIT} levels", "depth")
        elif message:
            yield Problem(_pointer(path), message, rule)
        elif isinstance(value, dict):
            for key, item in value.items():
                message, rule = _fault(key) if isinstance(key, str) else ("names must be text", "json")
                if message:
                    yield Problem(_pointer(path), f"in a name: {message}", rule)
                todo.append(([*path, str(key)], item))
        elif isinstance(value, list):
            todo.extend(([*path, index], item) for index, item in enumerate(value))


def _fault(value: object) -> tuple[str, str]:
    """Return what is wrong with one node and by which rule; two empty strings if nothing is."""
    match value:
        case bool() | None | dict() | list():
            return "", ""
        case str():
            if "\0" in value:
                return "must not contain NUL", "nul"
            if any("\ud800" <= char <= "\udfff" for char in value):
                return "must not contain half a surrogate pair", "unicode"
            return "", ""
        case int():
            outside = abs(value) > INTEGER_LIMIT
            return ("must be within ±(2^53 - 1); send it as text", "integer") if outside else ("", "")
        case float():
            return ("", "") if math.isfinite(value) else ("must be a finite number", "number")
    return "not a JSON value", "json"


def _pointer(path: list[str | int]) -> str:
    return "".join(f"/{part if isinstance(part, int) else _name(part)}" for part in path[:DEPTH_LIMIT])


def _name(name: str) -> str:
    """Return a property's name if it is a plain one; a stranger's sentence does not get into a message."""
    return name if _PLAIN_NAME.fullmatch(name) else "?"
