"""The rules. Each names the place, why a model goes wrong there, and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from tools.lint.findings import Finding, Severity
from tools.lint.parameters import Parameter, Schema, is_leaf, list_parameters
from tools.lint.words import (
    CHOOSES_A_VERB,
    DRY_RUN,
    IDENTIFIER,
    MARKED_FORMATS,
    MOMENT,
    TWO_VERBS,
    UNIQUE_KEY,
    VERBS,
    find_choices,
    telling_format,
    verbs_of,
)
from tools.services.definition import ToolDefinition

MOST_PARAMETERS = 10
MOST_PLACES = 200
HOLDING = frozenset({"enum", "const", "pattern", "format"})  # that say what a text may be


def examine(name: str, definition: ToolDefinition, *, has_preview: bool = False) -> list[Finding]:
    """Return everything that invites mistakes, errors first. ``has_preview``: another tool shows what calls come to."""
    parameters = list(list_parameters(definition.input_schema))
    found = [finding for rule in RULES for finding in rule(name, definition, parameters)]
    found += [] if has_preview else _find_blind(definition, parameters)
    return sorted(found, key=lambda finding: finding.severity)


def _find_mega(_: str, definition: ToolDefinition, parameters: list[Parameter]) -> Iterator[Finding]:
    leaves = [each for each in parameters if is_leaf(each.schema)]
    count = len(leaves) if len(parameters) <= MOST_PLACES else len(parameters)  # of what refers to itself
    if count > MOST_PARAMETERS:
        problem = f"it takes {count} parameters: the model fills in some of them by guessing"
        yield Finding(
            "mega_tool", "error", "", problem, "split it by groups of fields, each with a tool of its own"
        )


def _find_verbs(name: str, _: ToolDefinition, parameters: list[Parameter]) -> Iterator[Finding]:
    remedy = "make a tool of each verb, with an effect class, a grant and caps of its own"
    for parameter in parameters:
        if verbs := verbs_of(parameter):
            problem = f"one tool does {', '.join(verbs[:6])}: whoever may do one of them may do all"
            # Words like read and edit may name a right that is given, not what the tool does.
            severity: Severity = "error" if CHOOSES_A_VERB.match(parameter.name) else "warning"
            yield Finding("several_verbs", severity, parameter.where, problem, remedy)
    if TWO_VERBS.search(name) and len([part for part in name.split("_") if part in VERBS]) >= 2:
        yield Finding("several_verbs", "error", "", "its name holds several verbs", remedy)


def _find_free_objects(_: str, definition: ToolDefinition, parameters: list[Parameter]) -> Iterator[Finding]:
    for parameter in parameters:
        node = parameter.schema
        kinds = node.get("type")
        if "object" not in (kinds if isinstance(kinds, list) else [kinds]) or node.get("properties"):
            continue
        told = {node.get(name) is not None for name in ("patternProperties",)} | {
            isinstance(node.get("additionalProperties"), dict)
        }
        yield Finding(
            "free_object",
            "warning"
            if True in told
            else _severity(definition),  # a map: its values are checked, its names free
            parameter.where,
            "any object fits: nothing of it is checked, bound or shown by name",
            "declare its properties, with additionalProperties: false",
        )


def _find_open_ends(_: str, definition: ToolDefinition, parameters: list[Parameter]) -> Iterator[Finding]:
    root: Schema = definition.input_schema
    nodes = [("", root), *((each.where, each.schema) for each in parameters if each.schema.get("properties"))]
    for where, node in nodes:
        if (
            node.get("additionalProperties", True) is not False
            and node.get("unevaluatedProperties") is not False
        ):
            problem = "what it does not know is let through: a misspelt parameter is none, and nobody notices"
            yield Finding("open_object", "warning", where, problem, "say additionalProperties: false")


def _find_free_identifiers(
    _: str, definition: ToolDefinition, parameters: list[Parameter]
) -> Iterator[Finding]:
    looked_up = _places_of(definition.resolvers)
    for parameter in parameters:
        node = _item_of(parameter.schema)
        if parameter.where in looked_up:
            continue
        if node.get("type") != "string" or not IDENTIFIER.search(parameter.name.lower()):
            continue
        if not HOLDING & node.keys():
            problem = "any text fits an identifier: the model can make one up that looks right"
            remedy = "have it looked up (resolvers), or give it a pattern, or format: identifier"
            yield Finding("free_identifier", "warning", parameter.where, problem, remedy)


def _find_missing_formats(
    _: str, definition: ToolDefinition, parameters: list[Parameter]
) -> Iterator[Finding]:
    """Yield recipients and addresses that any text fits: what looks like one would pass for it."""
    looked_up = _places_of(definition.resolvers)
    marked = {where: kind for path, kind in _marks_of(definition) for where in _places_of([path])}
    for parameter in parameters:
        node = _item_of(parameter.schema)
        if node.get("type") != "string" or HOLDING & node.keys() or parameter.where in looked_up:
            continue
        if IDENTIFIER.search(parameter.name.lower()):  # another rule asks for the same
            continue
        wanted = telling_format(parameter.name) or MARKED_FORMATS.get(marked.get(parameter.where, ""), "")
        if wanted:
            problem = (
                "any text fits it: letters that only look the same, or another kind of address, would pass"
            )
            remedy = f"give it a format: {wanted}; or a pattern"
            yield Finding("no_format", "warning", parameter.where, problem, remedy)


def _marks_of(definition: ToolDefinition) -> list[tuple[str, str]]:
    marks = definition.provenance.get("arguments")
    return [(str(path), str(kind)) for path, kind in marks.items()] if isinstance(marks, dict) else []


def _places_of(paths: Iterable[str]) -> set[str]:
    """Return where paths of a definition lead to, as parameters are named."""
    return {"/" + path.removesuffix(".*").replace(".", "/") for path in paths}


def _find_invented(_: str, definition: ToolDefinition, parameters: list[Parameter]) -> Iterator[Finding]:
    for parameter in parameters:
        name = parameter.name.lower()
        if UNIQUE_KEY.search(name):
            problem = "the model would have to invent a key, and invents another one when it tries again"
            remedy = (
                "leave it out: every call carries an Idempotency-Key that stays the same over its attempts"
            )
            severity = _severity(definition)
            yield Finding("invented_key", severity, parameter.where, problem, remedy)
        elif MOMENT.search(name):
            problem = "the model knows no clock: it would have to invent this moment"
            yield Finding(
                "invented_moment", "warning", parameter.where, problem, "let the server take the time"
            )


def _find_open_strings(_: str, __: ToolDefinition, parameters: list[Parameter]) -> Iterator[Finding]:
    for parameter in parameters:
        node = _item_of(parameter.schema)
        if node.get("type") != "string" or {"enum", "const", "pattern"} & node.keys():
            continue
        choices = find_choices(parameter.words)
        if len(choices) >= 2:
            problem = "its description knows the values, its schema takes any text"
            remedy = f"enum: [{', '.join(choices)}]"
            yield Finding("open_string", "warning", parameter.where, problem, remedy)


def _find_missing_words(_: str, __: ToolDefinition, parameters: list[Parameter]) -> Iterator[Finding]:
    for parameter in parameters:
        if not parameter.words.strip() and not _item_of(parameter.schema).get("description"):
            problem = "nothing says what it means: the model goes by its name"
            yield Finding("no_description", "warning", parameter.where, problem, "describe it in a sentence")


def _find_missing_output(_: str, definition: ToolDefinition, __: list[Parameter]) -> Iterator[Finding]:
    if definition.output_schema is None:
        problem = "whatever it answers goes to the model: nothing says what is right"
        yield Finding("no_output_schema", "warning", "", problem, "declare an output_schema")


def _find_blind(definition: ToolDefinition, parameters: list[Parameter]) -> Iterator[Finding]:
    """Yield that nobody sees beforehand what cannot be undone: an error if not even the arguments are shown."""
    if definition.effect != "irreversible" or any(DRY_RUN.match(each.name) for each in parameters):
        return
    needed = {each.name for each in parameters if each.required and each.where == f"/{each.name}"}
    shown = set(re.findall(r"\{(\w[\w-]*)", definition.statement))
    problem = "it is irreversible, and nothing shows beforehand what a call will come to"
    remedy = "add a tool preview_… that only reads, or a parameter dry_run"
    if needed and not needed & shown:
        problem += "; its statement does not even name an argument, so people approve what they do not see"
        remedy = f"name {', '.join(sorted(needed)[:4])} in the statement; {remedy}"
        yield Finding("no_preview", "error", "", problem, remedy)
    else:
        yield Finding("no_preview", "warning", "", problem, remedy)


def _severity(definition: ToolDefinition) -> Severity:
    """Return how bad it is where it depends on whether anything is changed."""
    return "warning" if definition.effect == "read" else "error"


def _item_of(schema: Schema) -> Schema:
    items = schema.get("items")
    return items if isinstance(items, dict) else schema


RULES: tuple[Callable[[str, ToolDefinition, list[Parameter]], Iterator[Finding]], ...] = (
    _find_mega,
    _find_verbs,
    _find_free_objects,
    _find_invented,
    _find_free_identifiers,
    _find_missing_formats,
    _find_open_strings,
    _find_open_ends,
    _find_missing_output,
    _find_missing_words,
)
