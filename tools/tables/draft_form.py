"""A table as a form sends it: its cells by row and column, and one thing to do to its rows, columns or cases.

Names are ``i0.expression`` for inputs, ``o0.name`` for outputs, ``r0.t1`` and ``r0.o0`` for cells, ``c0.inputs`` for
test cases; ``inputs``, ``outputs``, ``rules`` and ``cases`` say how many there are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

Json = dict[str, Any]  # Any: a definition, checked by whoever reads it
Data = Mapping[str, str]

MOST = {
    "inputs": 20,
    "outputs": 10,
    "rules": 60,
    "cases": 40,
}  # what one form can hold; larger ones are imported
MOST_FIELDS = 900  # a form with a thousand is not read
INPUT, OUTPUT = ("label", "expression", "type", "allowed"), ("name", "type", "values", "default")


def read_draft(data: Data) -> tuple[Json, list[Json]]:
    """Return the definition and the cases of a form."""
    size = {name: _count(data, name) for name in MOST}
    definition = {
        "inputs": [_fields(data, f"i{n}", INPUT) for n in range(size["inputs"])],
        "outputs": [_fields(data, f"o{n}", OUTPUT) for n in range(size["outputs"])],
        "rules": [_read_rule(data, n, size) for n in range(size["rules"])],
        "hit_policy": data.get("hit_policy", "UNIQUE"),
        "aggregation": data.get("aggregation", "") if data.get("hit_policy") == "COLLECT" else "",
        "annotations": ["Remark"],
    }
    return definition, [_read_case(data, n) for n in range(size["cases"])]


def change_draft(definition: Json, cases: list[Json], act: str) -> None:
    """Add, remove or move what a button names, such as ``rules:up:3``; what it does not know changes nothing."""
    part, verb, number = [*act.split(":"), "", ""][:3]
    rows = cases if part == "cases" else definition.get(part) if part in MOST else None
    if not isinstance(rows, list):
        return
    at = int(number) if number.isdecimal() and int(number) < len(rows) else None
    if verb == "add":
        _add(definition, cases, part)
    elif verb == "remove" and at is not None:
        _remove(definition, part, rows, at)
    elif verb in ("up", "down") and at is not None:
        other = at - 1 if verb == "up" else at + 1
        if 0 <= other < len(rows):
            rows[at], rows[other] = rows[other], rows[at]


def count_fields(definition: Json, cases: list[Json]) -> int:
    """Return how many fields a form of this has."""
    columns = len(definition["inputs"]) + len(definition["outputs"])
    return 4 * columns + len(definition["rules"]) * (columns + 2) + 3 * len(cases) + 20


def _add(definition: Json, cases: list[Json], part: str) -> None:
    """Add one, unless the form would be too large for that."""
    rows: list[Json] = cases if part == "cases" else definition[part]
    _ADD[part](definition, rows)
    if len(rows) > MOST[part] or count_fields(definition, cases) > MOST_FIELDS:
        _remove(definition, part, rows, len(rows) - 1)


def _fields(data: Data, prefix: str, names: tuple[str, ...]) -> Json:
    return {name: data.get(f"{prefix}.{name}", "").strip() for name in names}


def _count(data: Data, name: str) -> int:
    text = data.get(name, "0")
    return min(int(text), MOST[name]) if text.isdecimal() and len(text) < 4 else 0


def _read_rule(data: Data, number: int, size: Mapping[str, int]) -> Json:
    cells = {
        name: [data.get(f"r{number}.{letter}{n}", "").strip() for n in range(size[many])]
        for name, letter, many in (("tests", "t", "inputs"), ("outputs", "o", "outputs"))
    }
    return {
        "id": data.get(f"r{number}.id", "").strip() or str(number + 1),
        **cells,
        "annotations": [data.get(f"r{number}.note", "").strip()],
    }


def _read_case(data: Data, number: int) -> Json:
    name = data.get(f"c{number}.name", "").strip() or f"case {number + 1}"
    parts = {part: _read_json(data.get(f"c{number}.{part}", "")) for part in ("inputs", "expect")}
    return {"name": name, **parts}


def _read_json(text: str) -> Any:  # Any: JSON
    """Return what a text says, and itself where that is not JSON yet: somebody is still typing."""
    try:
        return json.loads(text or "null")
    except ValueError:
        return text


def _add_rule(definition: Json, rules: list[Json]) -> None:
    taken = {rule["id"] for rule in rules}
    fresh = next(str(n) for n in range(1, len(rules) + 2) if str(n) not in taken)
    tests, outputs = ["-"] * len(definition["inputs"]), [""] * len(definition["outputs"])
    rules.append({"id": fresh, "tests": tests, "outputs": outputs, "annotations": [""]})


def _add_input(definition: Json, inputs: list[Json]) -> None:
    inputs.append(dict.fromkeys(INPUT, "") | {"type": "number"})
    for rule in definition["rules"]:
        rule["tests"].append("-")


def _add_output(definition: Json, outputs: list[Json]) -> None:
    outputs.append(dict.fromkeys(OUTPUT, "") | {"type": "string"})
    for rule in definition["rules"]:
        rule["outputs"].append("")


def _add_case(definition: Json, cases: list[Json]) -> None:
    inputs = {each["expression"]: None for each in definition["inputs"]}
    cases.append({"name": f"case {len(cases) + 1}", "inputs": inputs, "expect": None})


_ADD: Mapping[str, Callable[[Json, list[Json]], None]] = {
    "rules": _add_rule,
    "inputs": _add_input,
    "outputs": _add_output,
    "cases": _add_case,
}


def _remove(definition: Json, part: str, rows: list[Json], at: int) -> None:
    del rows[at]
    cells = {"inputs": "tests", "outputs": "outputs"}.get(part)
    for rule in definition["rules"] if cells else ():
        del rule[cells][at]
