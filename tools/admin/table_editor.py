"""The editor of a decision table: rows and columns, looked over as somebody types, kept as a draft."""

from __future__ import annotations

import json
from typing import Any

from tools.decisions.feel.values import FeelType
from tools.decisions.tables import Aggregation, HitPolicy
from tools.models import DecisionTableVersion
from tools.tables.draft_form import INPUT, MOST, MOST_FIELDS, OUTPUT, count_fields
from tools.tables.looking_over import LookedOver

TYPES = [kind.value for kind in FeelType]
Json = dict[str, Any]  # Any: JSON, and what templates show
WORDS = {
    "label": "Words for people",
    "expression": "Input",
    "name": "Output",
    "type": "Type",
    "allowed": "Allowed",
    "values": "Values",
    "default": "Otherwise",
}
START: Json = {
    "inputs": [{"label": "", "expression": "amount", "type": "number", "allowed": ">= 0"}],
    "outputs": [{"name": "answer", "type": "string", "values": "", "default": ""}],
    "rules": [{"id": "1", "tests": ["-"], "outputs": ['"ask"'], "annotations": [""]}],
    "hit_policy": "UNIQUE",
    "aggregation": "",
    "annotations": ["Remark"],
}


def may_edit(version: DecisionTableVersion | None) -> bool:
    """Whether the editor can hold a version: a model is imported, and so is a table with more than it shows."""
    if version is None:
        return True
    definition, cases = version.definition, version.cases
    if "inputs" not in definition or count_fields(definition, cases) > MOST_FIELDS:
        return False
    return all(len(cases if name == "cases" else definition[name]) <= most for name, most in MOST.items())


def describe_form(definition: Json, cases: list[Json], seen: LookedOver) -> Json:
    """Return what the editor's template shows: each field with its name, its value and what is wrong with it."""
    return {
        "sizes": {name: len(cases if name == "cases" else definition[name]) for name in MOST},
        "policies": [each.value for each in HitPolicy],
        "aggregations": ["", *(each.value for each in Aggregation)],
        "hit_policy": definition["hit_policy"],
        "aggregation": definition["aggregation"],
        "columns": [
            *_columns(definition["inputs"], "i", "inputs", "input", INPUT, seen),
            *_columns(definition["outputs"], "o", "outputs", "output", OUTPUT, seen),
        ],
        "lines": [_line(rule, number, seen) for number, rule in enumerate(definition["rules"])],
        "tests": [_case(case, number) for number, case in enumerate(cases)],
        "types": TYPES,
        "seen": seen,
    }


def _columns(
    rows: list[Json], letter: str, part: str, word: str, names: tuple[str, ...], seen: LookedOver
) -> list[Json]:
    return [
        {
            "part": part,
            "number": number,
            "word": f"{word} {number + 1}",
            "problem": _problem(seen, f"{word} {number + 1}"),
            "fields": [_field(f"{letter}{number}", name, row) for name in names],
        }
        for number, row in enumerate(rows)
    ]


def _field(prefix: str, name: str, row: Json) -> Json:
    return {
        "name": f"{prefix}.{name}",
        "label": WORDS[name],
        "value": row.get(name, ""),
        "is_type": name == "type",
    }


def _line(rule: Json, number: int, seen: LookedOver) -> Json:
    cells = [
        {
            "name": f"r{number}.{letter}{at}",
            "value": text,
            "label": f"rule {number + 1}, {word} {at + 1}",
            "problem": seen.problems.get(f"rule {number + 1}, {word} {at + 1}", ""),
            "is_output": word == "output",
        }
        for letter, word, texts in (("t", "input", rule["tests"]), ("o", "output", rule["outputs"]))
        for at, text in enumerate(texts)
    ]
    note = (rule["annotations"] or [""])[0]
    return {"number": number, "place": number + 1, "id": rule["id"], "cells": cells, "note": note}


def _case(case: Json, number: int) -> Json:
    # A text is what somebody is still typing: neither inputs nor outputs are one.
    written = {
        part: case[part] if isinstance(case[part], str) else json.dumps(case[part], ensure_ascii=False)
        for part in ("inputs", "expect")
    }
    return {"number": number, "name": case["name"], **written}


def _problem(seen: LookedOver, place: str) -> str:
    found = [words for at, words in seen.problems.items() if at == place or at.startswith(f"{place}, ")]
    return "; ".join(found)
