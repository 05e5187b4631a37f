"""The variables of a decision: their names checked once, and the values that callers give for them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tools.decisions.building import Builder
from tools.decisions.errors import InvalidInputs, InvalidTable, Problem
from tools.decisions.feel.lexer import FULL_FEEL, KEYWORDS
from tools.decisions.feel.literals import write_value
from tools.decisions.feel.matching import Matcher
from tools.decisions.feel.values import Value
from tools.decisions.inputs import flatten, read_inputs
from tools.decisions.tables import Variable

MAX_VARIABLES = 200
# DMN 1.5, 10.3.1.2, rules 27 to 30: a letter first, then also digits, single spaces and these signs.
_NAME = re.compile(r"[^\W\d](?:[\w'/*+-]| (?! )){0,99}(?<! )")


@dataclass(frozen=True, slots=True)
class InputReader:
    """Reads JSON as the values of variables, and refuses what they do not allow."""

    variables: tuple[Variable, ...]
    allowed: tuple[tuple[Variable, Matcher], ...]

    def read(self, document: Mapping[str, object]) -> dict[str, Value]:
        """Return the values by qualified name; raises InvalidInputs with every problem."""
        values = read_inputs(self.variables, document)
        problems = [
            Problem(
                each.name, f"{write_value(values[each.name])} is none of the allowed values {each.allowed}"
            )
            for each, matches in self.allowed
            if matches(values[each.name], values) is not True
        ]
        if problems:
            raise InvalidInputs(problems)
        return values


def compile_reader(variables: Sequence[Variable]) -> InputReader:
    """Return the reader of these variables; raises InvalidTable for a bad name or bad allowed values."""
    leaves = list(flatten(variables))
    problems = list(_name_problems(variables))
    builder = Builder({})
    cells = [
        (leaf, builder.cell(f"{leaf.name}, allowed values", leaf.allowed or "-", leaf.type))
        for leaf in leaves
    ]
    problems += builder.problems
    if len(leaves) > MAX_VARIABLES:
        problems.append(Problem("variables", f"more than {MAX_VARIABLES}"))
    if problems:
        raise InvalidTable(problems)
    return InputReader(tuple(variables), tuple((leaf, cell.matches) for leaf, cell in cells if cell.matches))


def _name_problems(variables: Sequence[Variable]) -> Iterator[Problem]:
    counts = Counter(each.name for each in variables)
    yield from (Problem(name, "is there twice") for name, count in counts.items() if count > 1)
    for each in variables:
        if not _NAME.fullmatch(each.name) or each.name in KEYWORDS + FULL_FEEL:
            yield Problem(
                each.name or "a variable", "is no name: a letter, then letters, digits, spaces, and ' / * + -"
            )
        yield from _name_problems(each.fields)
