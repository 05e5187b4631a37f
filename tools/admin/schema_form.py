"""A form for a tool's arguments, made of its input schema; what a field cannot hold is written as JSON.

The form only helps to write arguments: whether they are valid says the schema itself, as it does for every call. It is
bounded in fields, options and depth, so that a schema that refers to itself or lists the world is still a page.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from django import forms

from agentops.strict_json import MAX_DEPTH, MalformedJSON, decode_json
from tools.admin.words import describe_schema

Json = Any  # a schema, or a value of it

DEEPEST = 3
MOST_FIELDS = 60
MOST_OPTIONS = 100
MOST_REFERENCES = 16
LONG_TEXT = 200
NOT_GIVEN = ""
INPUT_TYPES = {"date": "date", "time": "time", "email": "email", "uri": "url"}

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Slot:
    """One argument that has a field of its own; ``kind`` says how its text becomes a value."""

    path: Path
    kind: str  # text, integer, number, choice, json
    rule: Mapping[str, Json]
    required: bool

    @property
    def name(self) -> str:
        """Return the field's name: names of arguments may be anything."""
        return f"arg_{sha256(json.dumps(self.path).encode()).hexdigest()[:12]}"


class ArgumentsForm(forms.Form):
    """The arguments of one version of a tool."""

    raw = forms.CharField(
        required=False, strip=False, label="All arguments as JSON", widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Takes the place of the fields above, where something does not fit into them.",
    )  # fmt: skip

    def __init__(self, *args: Any, schema: Mapping[str, Json], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.slots = list(find_slots(schema))
        rules = {field.name: field.rules for field in describe_schema(schema)}
        for slot in self.slots:
            self.fields[slot.name] = _field(slot, rules.get(".".join(slot.path), ""))
        self.order_fields([*(slot.name for slot in self.slots), "raw"])

    def clean(self) -> dict[str, Json]:
        """Add ``arguments``: what was filled in, as the values that a model would have proposed."""
        values: dict[str, Json] = super().clean() or {}
        raw = values.get("raw", "")
        if raw.strip():
            values["arguments"] = self._parse("raw", raw)
            return values
        arguments: dict[str, Json] = {}
        for slot in self.slots:
            text = values.get(slot.name, NOT_GIVEN)
            if text != NOT_GIVEN:
                _put(arguments, slot.path, self._value(slot, text))
        values["arguments"] = arguments
        return values

    def _value(self, slot: Slot, text: str) -> Json:
        if slot.kind == "text":
            return text
        if slot.kind == "choice":
            return _options(slot.rule)[int(text)]
        return self._parse(slot.name, text)

    def _parse(self, name: str, text: str) -> Json:
        """Read JSON; a number is just that. Text that is none goes on as text: the schema will say what is wrong."""
        try:
            return decode_json(text, max_depth=MAX_DEPTH)
        except MalformedJSON as error:
            if name == "raw":
                self.add_error("raw", f"This is no JSON that means one thing: {error}.")
            return text


def fill_form(schema: Mapping[str, Json], arguments: Mapping[str, Json]) -> dict[str, str]:
    """Return the form's values that come to these arguments; as JSON, where the fields cannot hold all of them."""
    made: dict[str, Json] = {}
    texts: dict[str, str] = {}
    for slot in find_slots(schema):
        is_given, value = _get(arguments, slot.path)
        text = _write(slot, value) if is_given else NOT_GIVEN
        if is_given and text != NOT_GIVEN:
            texts[slot.name] = text
            _put(made, slot.path, value)
    return texts if made == arguments else {"raw": json.dumps(arguments, indent=2, ensure_ascii=False)}


def _get(arguments: Json, path: Path) -> tuple[bool, Json]:
    for name in path:
        if not isinstance(arguments, Mapping) or name not in arguments:
            return False, None
        arguments = arguments[name]
    return True, arguments


def _write(slot: Slot, value: Json) -> str:
    """Return the text that a field turns into this value; nothing where none does."""
    if slot.kind == "text":
        return value if isinstance(value, str) else NOT_GIVEN
    if slot.kind == "choice":
        found = [
            str(n) for n, option in enumerate(_options(slot.rule)) if json.dumps(option) == json.dumps(value)
        ]
        return found[0] if found else NOT_GIVEN
    return json.dumps(value, ensure_ascii=False)


def find_slots(schema: Mapping[str, Json]) -> Iterator[Slot]:
    """Yield the arguments that get a field, at most 60 of them."""
    found = _walk(schema, schema, (), required=True)
    yield from (slot for slot, _ in zip(found, range(MOST_FIELDS), strict=False))


def _walk(
    root: Mapping[str, Json], schema: Mapping[str, Json], path: Path, *, required: bool
) -> Iterator[Slot]:
    properties, needed = schema.get("properties"), schema.get("required") or ()
    for name, told in properties.items() if isinstance(properties, Mapping) else ():
        rule = _follow(root, told)
        here, is_needed = (*path, name), required and name in needed
        if _is_group(rule) and len(here) < DEEPEST:
            yield from _walk(root, rule, here, required=is_needed)
        else:
            yield Slot(here, _kind(rule), rule, is_needed)


def _follow(root: Mapping[str, Json], rule: Json) -> Mapping[str, Json]:
    """Return what a reference within the schema leads to; one that leads nowhere, or in a circle, says nothing."""
    for _ in range(MOST_REFERENCES):
        if not isinstance(rule, Mapping):
            return {}
        reference = rule.get("$ref")
        if not isinstance(reference, str):
            return rule
        rule = _at(root, reference)
    return {}


def _at(root: Mapping[str, Json], reference: str) -> Json:
    found: Json = root
    for part in reference.removeprefix("#").strip("/").split("/") if reference.startswith("#") else ("",):
        name = part.replace("~1", "/").replace("~0", "~")
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _is_group(rule: Mapping[str, Json]) -> bool:
    properties = rule.get("properties")
    return rule.get("type") == "object" and isinstance(properties, Mapping) and bool(properties)


def _kind(rule: Mapping[str, Json]) -> str:
    if _options(rule):
        return "choice"
    kinds = {"string": "text", "integer": "integer", "number": "number"}
    kind = rule.get("type")
    return kinds.get(kind, "json") if isinstance(kind, str) else "json"


def _options(rule: Mapping[str, Json]) -> list[Json]:
    """Return the values that there are, if they are few."""
    if "const" in rule:
        return [rule["const"]]
    options = rule.get("enum")
    if isinstance(options, list) and 0 < len(options) <= MOST_OPTIONS:
        return options
    return [True, False] if rule.get("type") == "boolean" else []


def _field(slot: Slot, rules: str) -> forms.Field:
    told = str(slot.rule.get("description", ""))[:300].rstrip(". ")
    help_text = " ".join(filter(None, (f"{told}." if told else "", _rules(slot, rules))))
    label = ".".join(slot.path)[:120] + ("" if slot.required else " (optional)")
    if slot.kind == "choice":
        choices = [(str(n), _as_text(option)) for n, option in enumerate(_options(slot.rule))]
        given = [(NOT_GIVEN, "not given"), *choices]
        return forms.ChoiceField(choices=given, required=False, label=label, help_text=help_text)
    return forms.CharField(
        required=False, strip=False, label=label, help_text=help_text, widget=_widget(slot)
    )  # whether it is required is the schema's to say


def _rules(slot: Slot, rules: str) -> str:
    written = "As JSON." if slot.kind == "json" else ""
    return " ".join(filter(None, (f"{rules[:1].upper()}{rules[1:200]}." if rules else "", written)))


def _widget(slot: Slot) -> forms.Widget:
    if slot.kind == "json":
        return forms.Textarea(attrs={"rows": 2})
    if slot.kind in ("integer", "number"):
        return forms.TextInput(attrs={"inputmode": "numeric" if slot.kind == "integer" else "decimal"})
    longest = slot.rule.get("maxLength")
    if isinstance(longest, int) and longest > LONG_TEXT:
        return forms.Textarea(attrs={"rows": 3})
    told = slot.rule.get("format")
    return forms.TextInput(attrs={"type": INPUT_TYPES.get(told, "text") if isinstance(told, str) else "text"})


def _as_text(option: Json) -> str:
    if isinstance(option, bool):
        return "yes" if option else "no"
    return (option if isinstance(option, str) else json.dumps(option, ensure_ascii=False))[:120]


def _put(arguments: dict[str, Json], path: Path, value: Json) -> None:
    for name in path[:-1]:
        arguments = arguments.setdefault(name, {})
    arguments[path[-1]] = value
