"""The shared DMN cases: read where they lie, beside this checkout, and never copied into it."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tools.decisions.feel.values import FeelType, find_type
from tools.decisions.tables import Aggregation, HitPolicy, Input, Output, Rule, Table

FOLDER = Path(__file__).parents[3].parent / "shared" / "data" / "dmn"
ABSENT = "shared DMN cases are not beside this checkout"

needs_cases = pytest.mark.skipif(not FOLDER.exists(), reason=ABSENT)


@cache
def models() -> tuple[dict[str, Any], ...]:  # Any: the cases' own JSON
    """Return every model's tables and cases, or nothing where the data is absent."""
    path = FOLDER / "level2_tables.json"
    return tuple(json.loads(path.read_text(), parse_float=Decimal)) if path.exists() else ()


def model_bytes(name: str) -> bytes:
    """Return a model's XML."""
    return (FOLDER / "models" / f"{name}.dmn").read_bytes()


def table_from(described: dict[str, Any]) -> Table:
    """Return a table as the cases describe it."""
    return Table(
        inputs=tuple(
            Input(each["expr"], _kind(each["type"]), each["allowed"] or "") for each in described["inputs"]
        ),
        outputs=tuple(
            Output(each["name"] or "", _kind(each["type"]), each["values"] or "", each["default"] or "")
            for each in described["outputs"]
        ),
        rules=tuple(
            Rule(f"rule-{number}", tuple(each["when"]), tuple(each["then"]))
            for number, each in enumerate(described["rules"], 1)
        ),
        hit_policy=HitPolicy(described["hit"]),
        aggregation=Aggregation(described["agg"]) if described["agg"] else None,
    )


def _kind(name: str | None) -> FeelType:
    return (find_type(name) if name else None) or FeelType.ANY
