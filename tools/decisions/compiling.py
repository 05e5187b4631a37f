"""A table compiled once, and asked for decisions many times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tools.decisions.building import Builder
from tools.decisions.clauses import Conclusion, Condition, Row, check_output
from tools.decisions.errors import ContradictoryTable, InvalidInputs, InvalidTable, Problem
from tools.decisions.feel.evaluation import Scope
from tools.decisions.feel.literals import write_value
from tools.decisions.feel.values import Value, describe, is_a
from tools.decisions.hit_policies import PRIORITIZED, SINGLE, aggregate, choose_hits
from tools.decisions.inputs import flatten
from tools.decisions.reading import InputReader, compile_reader
from tools.decisions.results import NO_DECISION, Decision, Hit, NoDecision, Outcome
from tools.decisions.results import Row as Result
from tools.decisions.structure import find_shape_problems
from tools.decisions.tables import HitPolicy, Table, Variable, infer_variables


@dataclass(frozen=True, slots=True)
class CompiledTable:
    """A table that decides."""

    table: Table
    reader: InputReader
    conditions: tuple[Condition, ...]
    conclusions: tuple[Conclusion, ...]
    rows: tuple[Row, ...]

    def decide(self, document: Mapping[str, object]) -> Decision:
        """Return the decision for inputs given as JSON; raises InvalidInputs and ContradictoryTable."""
        return self.decide_in(self.reader.read(document))

    def decide_in(self, scope: Scope) -> Decision:
        """Return the decision for values that were read already; raises as `decide` does."""
        inputs = read_conditions(self.conditions, scope)
        hits = self._find_hits(inputs, scope)
        chosen = choose_hits(self.table.hit_policy, hits, [each.priorities for each in self.conclusions])
        value = self._outcome(chosen)
        names = (condition.clause.expression for condition in self.conditions)
        return Decision(
            value=value,
            inputs=tuple(zip(names, inputs, strict=True)),
            hit_policy=self.table.hit_policy,
            aggregation=self.table.aggregation,
            hits=tuple(hits),
            rules=tuple(hit.rule for hit in chosen),
            by_default=not hits and value is not NO_DECISION,
        )

    def _find_hits(self, inputs: Sequence[Value], scope: Scope) -> list[Hit]:
        hits: list[Hit] = []
        for number, row in enumerate(self.rows, 1):
            for at, matches in row.checks:
                if matches(inputs[at], scope) is not True:
                    break
            else:
                hits.append(self._hit(number, row, scope))
                if self.table.hit_policy is HitPolicy.FIRST:
                    break
        return hits

    def _hit(self, number: int, row: Row, scope: Scope) -> Hit:
        outputs = row.constants if row.constants is not None else self._compute(number, row, scope)
        return Hit(number, row.rule.id, outputs, row.rule.annotations)

    def _compute(self, number: int, row: Row, scope: Scope) -> tuple[Value, ...]:
        values = tuple(evaluate(scope) for evaluate in row.results)
        for value, conclusion in zip(values, self.conclusions, strict=True):
            try:
                check_output(value, conclusion)
            except ValueError as error:
                raise ContradictoryTable(f"rule {number} says {write_value(value)}: {error}") from None
        return values

    def _outcome(self, chosen: Sequence[Hit]) -> Outcome:
        if not chosen:
            return self._default()
        if self.table.aggregation:
            return aggregate(self.table.aggregation, [hit.outputs[0] for hit in chosen])
        rows = [self._result(hit.outputs) for hit in chosen]
        return rows[0] if self.table.hit_policy in SINGLE else rows

    def _default(self) -> Outcome:
        """Return the defaults if an output has one; an output without one is null beside them."""
        defaults = [each.default for each in self.conclusions]
        if all(isinstance(value, NoDecision) for value in defaults):
            return NO_DECISION
        row = self._result([None if isinstance(value, NoDecision) else value for value in defaults])
        return row if self.table.hit_policy in SINGLE or self.table.aggregation else [row]

    def _result(self, outputs: Sequence[Value]) -> Result:
        if len(self.conclusions) == 1:
            return outputs[0]
        return {each.clause.name: value for each, value in zip(self.conclusions, outputs, strict=True)}


def compile_table(table: Table, variables: Iterable[Variable] | None = None) -> CompiledTable:
    """Return a table that decides; raises InvalidTable with every problem and its place.

    `variables` are what its expressions may name; without them every input's expression is itself a name.
    """
    known = tuple(infer_variables(table) if variables is None else variables)
    problems = list(find_shape_problems(table))
    if problems:
        raise InvalidTable(problems)
    reader = compile_reader(known)
    builder = Builder({each.name: each.type for each in flatten(known)})
    conditions = [builder.condition(number, clause) for number, clause in enumerate(table.inputs, 1)]
    prioritized = table.hit_policy in PRIORITIZED
    conclusions = [
        builder.conclusion(number, clause, prioritized=prioritized)
        for number, clause in enumerate(table.outputs, 1)
    ]
    rows = [builder.row(number, rule, table, conclusions) for number, rule in enumerate(table.rules, 1)]
    if builder.problems:
        raise InvalidTable(builder.problems)
    return CompiledTable(table, reader, tuple(conditions), tuple(conclusions), tuple(rows))


def read_conditions(conditions: Sequence[Condition], scope: Scope) -> list[Value]:
    """Return the value of every input clause; raises InvalidInputs for each that is not allowed."""
    values = [condition.evaluate(scope) for condition in conditions]
    problems = [
        Problem(condition.clause.expression, words)
        for condition, value in zip(conditions, values, strict=True)
        if (words := _refusal(condition, value, scope))
    ]
    if problems:
        raise InvalidInputs(problems)
    return values


def _refusal(condition: Condition, value: Value, scope: Scope) -> str:
    clause, matches = condition.clause, condition.allowed.matches
    if not is_a(value, clause.type):
        return f"{describe(clause.type)} is expected, not {write_value(value)}"
    if matches and matches(value, scope) is not True:
        return f"{write_value(value)} is none of the allowed values {clause.allowed}"
    return ""
