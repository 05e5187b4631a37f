"""The shape of a table: what has to hold before a single cell is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from tools.decisions.errors import Problem
from tools.decisions.hit_policies import PRIORITIZED
from tools.decisions.tables import HitPolicy, Table

MAX_RULES = 2_000
MAX_COLUMNS = 60


def find_shape_problems(table: Table) -> Iterator[Problem]:
    """Yield what is wrong with the number of rows and cells, with names, and with the hit policy."""
    yield from _sizes(table)
    yield from _rows(table)
    yield from _names(table)
    yield from _policy(table)


def _sizes(table: Table) -> Iterator[Problem]:
    for word, size, most in (
        ("input", len(table.inputs), MAX_COLUMNS),
        ("output", len(table.outputs), MAX_COLUMNS),
        ("rule", len(table.rules), MAX_RULES),
    ):
        if not 0 < size <= most:
            yield Problem("table", f"has {size} {word}s; between 1 and {most} are needed")


def _rows(table: Table) -> Iterator[Problem]:
    for number, rule in enumerate(table.rules, 1):
        for word, cells, columns in (
            ("input", rule.tests, table.inputs),
            ("output", rule.outputs, table.outputs),
        ):
            if len(cells) != len(columns):
                yield Problem(f"rule {number}", f"has {len(cells)} cells for {len(columns)} {word}s")
        if len(rule.annotations) > len(table.annotations):
            yield Problem(f"rule {number}", "has more annotations than the table has columns for them")


def _names(table: Table) -> Iterator[Problem]:
    for twice in _repeated(rule.id for rule in table.rules):
        yield Problem("table", f"two rules have the id {twice!r}")
    for twice in _repeated(output.name for output in table.outputs):
        yield Problem("table", f"two outputs have the name {twice!r}")
    if len(table.outputs) > 1 and any(not output.name for output in table.outputs):
        yield Problem("table", "several outputs need a name each")


def _policy(table: Table) -> Iterator[Problem]:
    if table.aggregation and table.hit_policy is not HitPolicy.COLLECT:
        yield Problem("table", f"{table.aggregation.value} goes with COLLECT only")
    if table.aggregation and len(table.outputs) > 1:
        yield Problem("table", f"{table.aggregation.value} takes a single output")
    if table.hit_policy in PRIORITIZED and not any(output.values for output in table.outputs):
        yield Problem("table", f"{table.hit_policy.value} needs the values of an output, first come first")


def _repeated(names: Iterable[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)
