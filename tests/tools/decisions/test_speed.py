"""How fast a table of twenty rows decides: printed, not asserted."""

from __future__ import annotations

import time

import pytest

from tests.tools.decisions.written import refund_table
from tools.decisions.compiling import compile_table

pytestmark = pytest.mark.dmn

DECISIONS = 2_000


def test_a_table_of_twenty_rows_decides(capsys: pytest.CaptureFixture[str]) -> None:
    compiled = compile_table(refund_table())
    documents = [
        {"amount": number % 50, "category": "books", "is member": True} for number in range(DECISIONS)
    ]

    began = time.process_time()
    decided = [compiled.decide(document) for document in documents]
    taken = time.process_time() - began

    with capsys.disabled():
        print(f"\ndecisions per second of one core, 20 rows: {DECISIONS / taken:,.0f}")
    assert {len(decision.hits) for decision in decided} == {1}
