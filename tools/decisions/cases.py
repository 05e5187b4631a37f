"""Test cases that are stored with a definition: inputs, and the outputs that are expected of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tools.decisions.answers import write_answer
from tools.decisions.deciding import Decider
from tools.decisions.errors import ContradictoryTable, InvalidInputs, InvalidTable, Problem

MAX_CASES = 500
PARTS = ("name", "inputs", "expect")


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What became of one case; ``problem`` is empty where it came out as expected."""

    name: str
    inputs: Mapping[str, object]
    expected: object
    found: object
    problem: str = ""


def check_cases(cases: object) -> list[dict[str, object]]:
    """Return cases as they are stored; raises InvalidTable for what is none. Null is expected where nothing decides."""
    if not isinstance(cases, Sequence) or isinstance(cases, str) or len(cases) > MAX_CASES:
        raise InvalidTable([Problem("cases", f"are a list of at most {MAX_CASES}")])
    wrong = [number for number, case in enumerate(cases, 1) if not _is_case(case)]
    if wrong:
        problems = [Problem(f"case {number}", f"has {', '.join(PARTS)}") for number in wrong]
        raise InvalidTable(problems)
    return [dict(case) for case in cases]


def run_cases(decider: Decider, cases: Sequence[Mapping[str, object]]) -> Iterator[CaseResult]:
    """Yield what becomes of each case."""
    for case in cases:
        inputs, expected = case["inputs"], case["expect"]
        assert isinstance(inputs, Mapping)  # noqa: S101  they were checked when they were stored
        try:
            made = decider.decide(inputs)
        except (InvalidInputs, ContradictoryTable) as error:
            yield CaseResult(str(case["name"]), inputs, expected, None, error.detail)
            continue
        found = write_answer(decider, list(made.values())[-1].value)
        problem = "" if _is_same(found, expected) else "came out otherwise"
        yield CaseResult(str(case["name"]), inputs, expected, found, problem)


def _is_same(found: object, expected: object) -> bool:
    """Return whether two answers are the same JSON: true is not 1."""
    if isinstance(found, Mapping) and isinstance(expected, Mapping):
        return found.keys() == expected.keys() and all(
            _is_same(found[name], expected[name]) for name in found
        )
    if isinstance(found, list) and isinstance(expected, list):
        return len(found) == len(expected) and all(map(_is_same, found, expected))
    return isinstance(found, bool) is isinstance(expected, bool) and found == expected


def _is_case(case: object) -> bool:
    return (
        isinstance(case, Mapping)
        and set(case) == set(PARTS)
        and isinstance(case["name"], str)
        and isinstance(case["inputs"], Mapping)
    )
