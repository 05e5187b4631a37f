"""Models and cases that others made: from the tables as described, and through the XML and back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tools.decisions.shared_cases import model_bytes, models, needs_cases, table_from
from tools.decisions.compiling import compile_table
from tools.decisions.dmn import export_model, import_model
from tools.decisions.model_compiling import compile_model

pytestmark = [pytest.mark.dmn, needs_cases]

CASES = [(model, case) for model in models() for case in model["cases"]]
CASE_IDS = [f"{model['dir']}-{case['id']}" for model, case in CASES]


def test_there_are_cases() -> None:
    assert sum(len(case["expect"]) for _, case in CASES) >= 34


@pytest.mark.parametrize(("model", "case"), CASES, ids=CASE_IDS)
def test_a_described_table_decides_as_expected(model: dict[str, Any], case: dict[str, Any]) -> None:
    for expected in case["expect"]:
        table = compile_table(table_from(model["tables"][expected["decision"]]))
        assert table.decide(case["inputs"]).value == expected["value"]


@pytest.mark.parametrize(("model", "case"), CASES, ids=CASE_IDS)
def test_an_imported_model_decides_as_expected(model: dict[str, Any], case: dict[str, Any]) -> None:
    imported = import_model(model_bytes(model["dir"]))
    again = import_model(export_model(imported))

    assert again == imported
    for expected in case["expect"]:
        made = compile_model(again).decide(expected["decision"], case["inputs"])
        assert made[expected["decision"]].value == expected["value"]
