"""What has to be right about a tool's definition before an agent may see it, each fault with its remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from string import Formatter
from typing import Any

from agentops.engine.breaker import BreakerSettings
from tools.adapters import get_adapter
from tools.execution import adapter_options
from tools.models import Effect, Idempotency
from tools.schemas import check_schema
from tools.services.definition import ToolDefinition
from tools.services.provenance_faults import find_provenance_faults
from tools.services.schema_paths import property_at

LONGEST_TIMEOUT_S = 600.0
MOST_ATTEMPTS = 10
MOST_AT_A_TIME = 10_000
LONGEST_BACKOFF_S = 3600.0
LONGEST_DESCRIPTION = 4_000
NUMERIC = ("string", "number", "integer")

_PLACE = re.compile(r"(?P<first>[A-Za-z_][\w-]*)(?P<rest>(?:\[[\w-]+\])*)")


def find_faults(definition: ToolDefinition) -> list[str]:
    """Return what has to be put right, worded as "where: what"; empty if nothing."""
    return [
        *_find_choice_faults(definition),
        *_find_number_faults(definition),
        *(f"input_schema{p.path}: {p.message}" for p in check_schema(definition.input_schema)),
        *_find_output_faults(definition),
        *_find_breaker_faults(definition),
        *_find_adapter_faults(definition),
        *_find_argument_faults(definition),
    ]


def _find_choice_faults(definition: ToolDefinition) -> Iterator[str]:
    choices = {
        "effect": Effect.values,
        "idempotency": Idempotency.values,
        "on_breaker_open": ["wait", "skip", "halt"],
        "on_unknown": ["wait", "halt"],
    }
    for name, allowed in choices.items():
        if getattr(definition, name) not in allowed:
            yield f"{name}: declare one of {', '.join(allowed)}"
    if not 0 < len(definition.description.strip()) <= LONGEST_DESCRIPTION:
        yield f"description: tell the model what the tool does, in at most {LONGEST_DESCRIPTION} characters"
    can_be_asked = "read_back" in definition.config or definition.adapter == "a2a"  # whose protocol asks
    if definition.idempotency == Idempotency.READ_BACK and not can_be_asked:
        yield "config: add a read_back, or declare another idempotency than read_back"
    if definition.effect == Effect.IRREVERSIBLE and not definition.statement:
        yield "statement: say in plain words what a call does; people approve it"


def _find_number_faults(definition: ToolDefinition) -> Iterator[str]:
    if not 0 < definition.timeout_s <= LONGEST_TIMEOUT_S:
        yield f"timeout_s: set more than 0 and at most {LONGEST_TIMEOUT_S:g} seconds"
    if not 1 <= definition.max_attempts <= MOST_ATTEMPTS:
        yield f"max_attempts: set 1 to {MOST_ATTEMPTS}"
    if not 0 < definition.backoff_base_s <= definition.backoff_cap_s <= LONGEST_BACKOFF_S:
        yield f"backoff_base_s: set 0 < backoff_base_s ≤ backoff_cap_s ≤ {LONGEST_BACKOFF_S:g}"
    if definition.max_concurrency is not None and not 1 <= definition.max_concurrency <= MOST_AT_A_TIME:
        yield f"max_concurrency: set 1 to {MOST_AT_A_TIME}, or leave it out for as many as come"
    if not 0 < definition.dedupe_window_s <= 366 * 86_400:
        yield "dedupe_window_s: set at least a second and at most a year"


def _find_output_faults(definition: ToolDefinition) -> Iterator[str]:
    if definition.output_schema is not None:
        for problem in check_schema(definition.output_schema, object_root=False):
            yield f"output_schema{problem.path}: {problem.message}"


def _find_breaker_faults(definition: ToolDefinition) -> Iterator[str]:
    try:
        settings = BreakerSettings(**definition.breaker)
    except (TypeError, ValueError) as error:
        yield f"breaker: {error}"
        return
    if settings.probe_lease_s <= definition.timeout_s:
        yield "breaker: set probe_lease_s above timeout_s, or a second probe starts beside the first"


def _find_adapter_faults(definition: ToolDefinition) -> Iterator[str]:
    try:
        adapter = get_adapter(definition.adapter, adapter_options())
    except Exception as error:  # to load and to build one runs an installation's code
        yield f"adapter: {str(error) or repr(error)}"
        return
    yield from (f"config: {remedy}" for remedy in adapter.check_config(definition.config))


def _find_argument_faults(definition: ToolDefinition) -> Iterator[str]:
    """Yield names of arguments that the input schema does not declare: they would silently match nothing."""
    schema = definition.input_schema
    for name in definition.dedupe_on:
        if property_at(schema, [name]) is None:
            yield f"dedupe_on: {name!r} is not a declared argument"
    if definition.amount_argument:
        found = property_at(schema, definition.amount_argument.split("."))
        if found is None or found.get("type") not in NUMERIC:
            yield f"amount_argument: {definition.amount_argument!r} is not a declared text or number"
        if not definition.currency:
            yield "currency: say in which currency (or unit) the amount is"
    yield from find_provenance_faults(definition.provenance, schema)
    yield from _find_statement_faults(definition.statement, schema)


def _find_statement_faults(statement: str, schema: dict[str, Any]) -> Iterator[str]:
    try:
        fields = [
            (name, spec, mark) for _, name, spec, mark in Formatter().parse(statement) if name is not None
        ]
    except ValueError as error:
        yield f"statement: {error}"
        return
    for name, spec, mark in fields:
        # Only declared arguments by name: no attributes, no conversions, no format specifications.
        place = _PLACE.fullmatch(name)
        if place is None or spec or mark:
            yield f"statement: {{{name}}} is not a plain {{argument}} or {{argument[part]}}"
        elif property_at(schema, [place["first"], *re.findall(r"\[([\w-]+)\]", place["rest"])]) is None:
            yield f"statement: {{{name}}} is not a declared argument"
