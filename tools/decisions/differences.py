"""What differs between two definitions, in words for whoever has to sign the later one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from tools.decisions.definitions import Definition, ModelDecision
from tools.decisions.formulas import Formula
from tools.decisions.tables import Rule, Table

MAX_LINES = 200


def describe_differences(before: Definition | None, after: Definition) -> list[str]:
    """Return a line for each difference, at most MAX_LINES; nothing before is all new."""
    if before is None:
        return ["new"]
    lines = list(islice(_compare(before, after), MAX_LINES + 1))
    return lines if len(lines) <= MAX_LINES else [*lines[:MAX_LINES], "and more"]


def _compare(before: Definition, after: Definition) -> Iterator[str]:
    if isinstance(before, Table) and isinstance(after, Table):
        yield from _compare_tables(before, after)
    elif isinstance(before, ModelDecision) and isinstance(after, ModelDecision):
        yield from _compare_models(before, after)
    else:
        yield "a table has become a model, or a model a table"


def _compare_models(before: ModelDecision, after: ModelDecision) -> Iterator[str]:
    if before.decides != after.decides:
        yield f"decides: {before.decides} → {after.decides}"
    if before.model.inputs != after.model.inputs:
        yield "the inputs of the model"
    earlier = {each.name: each for each in before.model.decisions}
    later = {each.name: each for each in after.model.decisions}
    yield from (f"{name}: gone" for name in earlier if name not in later)
    for name, node in later.items():
        old = earlier.get(name)
        if old is None:
            yield f"{name}: new"
        elif isinstance(old.logic, Table) and isinstance(node.logic, Table):
            yield from (f"{name}, {line}" for line in _compare_tables(old.logic, node.logic))
        elif old.logic != node.logic:
            yield f"{name}: {_say(old.logic)} → {_say(node.logic)}"
        if old is not None and old.requires != node.requires:
            yield f"{name} requires: {', '.join(old.requires)} → {', '.join(node.requires)}"


def _say(logic: Table | Formula) -> str:
    return logic.text if isinstance(logic, Formula) else "a table"


def _compare_tables(before: Table, after: Table) -> Iterator[str]:
    if (before.hit_policy, before.aggregation) != (after.hit_policy, after.aggregation):
        yield f"hit policy: {_policy(before)} → {_policy(after)}"
    for word, old, new in (("input", before.inputs, after.inputs), ("output", before.outputs, after.outputs)):
        if old != new:
            yield f"{word}s: {'; '.join(map(_columns, old))} → {'; '.join(map(_columns, new))}"
    yield from _compare_rules(before, after)


def _compare_rules(before: Table, after: Table) -> Iterator[str]:
    earlier = {rule.id: rule for rule in before.rules}
    later = {rule.id: rule for rule in after.rules}
    yield from (
        f"rule {rule.id}: gone, it said {_row(rule)}" for rule in before.rules if rule.id not in later
    )
    for rule in after.rules:
        old = earlier.get(rule.id)
        if old is None:
            yield f"rule {rule.id}: new, {_row(rule)}"
        elif old != rule:
            yield f"rule {rule.id}: {_row(old)} → {_row(rule)}"
    kept = [rule.id for rule in before.rules if rule.id in later]
    if kept != [rule.id for rule in after.rules if rule.id in earlier]:
        yield "the rules stand in another order"


def _policy(table: Table) -> str:
    return table.hit_policy.value + (f" {table.aggregation.value}" if table.aggregation else "")


def _row(rule: Rule) -> str:
    return f"{_cells(rule.tests)} ⇒ {_cells(rule.outputs)}"


def _cells(texts: Sequence[str]) -> str:
    return " | ".join(texts)


def _columns(clause: object) -> str:
    names = ("expression", "name", "type", "allowed", "values", "default")
    parts = [getattr(clause, name, "") for name in names]
    return " ".join(str(getattr(part, "value", part)) for part in parts if part)
