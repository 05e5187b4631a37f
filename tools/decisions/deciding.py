"""A definition compiled once: what it asks for, what it answers, and the deciding itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tools.decisions.compiling import CompiledTable, compile_table
from tools.decisions.coverage import check_coverage
from tools.decisions.definitions import Definition
from tools.decisions.errors import InvalidTable, Problem
from tools.decisions.hit_policies import SINGLE
from tools.decisions.model_compiling import CompiledModel, compile_model, result_of
from tools.decisions.results import Decision
from tools.decisions.tables import Table, Variable

UNNAMED = "result"  # what a single output is called that has no name


@dataclass(frozen=True, slots=True)
class Decider:
    """Something that decides.

    ``variables`` are asked for, ``outputs`` are answered: once, or as a list. ``tables`` are those that it consults.
    """

    variables: tuple[Variable, ...]
    outputs: tuple[Variable, ...]
    is_list: bool
    tables: tuple[tuple[str, CompiledTable], ...]
    model: CompiledModel | None = None
    decides: str = ""

    def decide(self, inputs: Mapping[str, object]) -> dict[str, Decision]:
        """Return each decision that was made, the one that counts last; raises InvalidInputs, ContradictoryTable."""
        if self.model is not None:
            return self.model.decide(self.decides, inputs)
        ((name, table),) = self.tables
        return {name: table.decide(inputs)}


def compile_definition(definition: Definition) -> Decider:
    """Return what decides by a definition; raises InvalidTable with every problem and its place."""
    if isinstance(definition, Table):
        table = compile_table(definition)
        outputs = tuple(Variable(each.name or UNNAMED, each.type) for each in definition.outputs)
        return Decider(table.reader.variables, outputs, _makes_lists(definition), (("", table),))
    model, decides = compile_model(definition.model), definition.decides
    if decides not in model.plans:
        raise InvalidTable([Problem("definition", f"{decides!r} is no decision of the model")])
    plan = model.plans[decides]
    consulted = tuple(
        (name, made) for name in plan.order if isinstance(made := model.decisions[name], CompiledTable)
    )
    return Decider(plan.reader.variables, *_results(model, decides), consulted, model, decides)


def find_doubts(decider: Decider) -> Iterator[str]:
    """Yield, in words, what no rule decides, what several rules decide otherwise, and what cannot be told."""
    for name, table in decider.tables:
        where, found = f"{name}: " if name else "", check_coverage(table)
        if found.not_checked:
            yield f"{where}whether rules are missing or overlap cannot be told: {found.not_checked}"
        if not found.has_default:
            yield from (f"{where}no rule covers {region}" for region in found.gaps)
        for overlap in found.overlaps:
            if overlap.matters:
                yield f"{where}rules {overlap.first} and {overlap.second} both claim {overlap.region}"


def _makes_lists(table: Table) -> bool:
    return not table.aggregation and table.hit_policy not in SINGLE


def _results(model: CompiledModel, decides: str) -> tuple[tuple[Variable, ...], bool]:
    node = next(each for each in model.model.decisions if each.name == decides)
    if isinstance(node.logic, Table):
        outputs = tuple(Variable(each.name or UNNAMED, each.type) for each in node.logic.outputs)
        return outputs, _makes_lists(node.logic)
    result = result_of(node)
    return (Variable(UNNAMED, result.type),) if result else (), False
