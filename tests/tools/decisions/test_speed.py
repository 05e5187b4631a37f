"""How fast a table of twenty rows decides: the speed is printed, the work is asserted.

Ten thousand decisions a second leave 100 µs for each. A call of a function, of Python or its library, takes some 0.1 µs
with what it does, on any machine that people work on: so a decision has to come with a few hundred of them, whatever
else this machine does meanwhile.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.tools.decisions.written import refund_table
from tools.decisions.compiling import compile_table

pytestmark = pytest.mark.dmn

DECISIONS = 2_000
MOST_CALLS = 300
INPUTS = {"amount": 49, "category": "books", "is member": True}


def count_calls(ask: Callable[[], object]) -> int:
    """Return how many functions are called, of Python and of its library."""
    calls = 0

    def note(_frame: object, happening: str, _argument: object) -> None:
        nonlocal calls
        calls += happening in ("call", "c_call")

    ask()  # what is compiled once is not counted
    sys.setprofile(note)
    ask()
    sys.setprofile(None)
    return calls


def test_a_table_of_twenty_rows_decides(capsys: pytest.CaptureFixture[str]) -> None:
    compiled = compile_table(refund_table())
    documents = [
        {"amount": number % 50, "category": "books", "is member": True} for number in range(DECISIONS)
    ]

    began = time.process_time()
    decided = [compiled.decide(document) for document in documents]
    taken = time.process_time() - began

    calls = count_calls(lambda: compiled.decide(INPUTS))
    with capsys.disabled():
        print(f"\ndecisions per second of one core, 20 rows: {DECISIONS / taken:,.0f}; {calls} calls each")
    assert {len(decision.hits) for decision in decided} == {1}
    assert calls <= MOST_CALLS


def test_what_is_compiled_each_time_takes_more() -> None:
    """Mutant: a table that is read anew for each decision."""
    assert count_calls(lambda: compile_table(refund_table()).decide(INPUTS)) > 10 * MOST_CALLS


def test_twice_the_rows_take_twice_the_work_at_most() -> None:
    half = replace(refund_table(), rules=refund_table().rules[10:])
    few, many = compile_table(half), compile_table(refund_table())
    assert count_calls(lambda: many.decide(INPUTS)) <= 2 * count_calls(lambda: few.decide(INPUTS))
