"""What is exported says the same when it is imported again."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tools.decisions.documents import INPUT, TABLE, decision, document
from tests.tools.decisions.generated import VALUES
from tests.tools.decisions.generated import tables as some_tables
from tools.decisions.dmn import export_model, import_model
from tools.decisions.feel.values import FeelType
from tools.decisions.formulas import Formula
from tools.decisions.graphs import DecisionModel, DecisionNode
from tools.decisions.model_compiling import compile_model
from tools.decisions.tables import Input, Output, Rule, Table, Variable, infer_variables

pytestmark = pytest.mark.dmn


@settings(max_examples=30)
@given(some_tables())
def test_a_table_survives_export_and_import(written: Table) -> None:
    inputs = infer_variables(written)
    model = DecisionModel("m", inputs, (DecisionNode("d", written, tuple(each.name for each in inputs)),))

    again = import_model(export_model(model))

    assert again == model
    assert compile_model(again)


def fields(deep: bool) -> st.SearchStrategy[Variable]:
    kind = st.sampled_from(list(VALUES))
    names = st.sampled_from(["a", "b c", "d/e", "f'g"])
    leaf = st.builds(lambda name, of, at: Variable(name, of, VALUES[of][at]), names, kind, st.integers(0, 1))
    if not deep:
        return leaf
    inner = st.lists(fields(False), min_size=1, max_size=3, unique_by=lambda each: each.name)
    return st.one_of(leaf, st.builds(lambda name, of: Variable(name, fields=tuple(of)), names, inner))


@settings(max_examples=30)
@given(st.lists(fields(True), min_size=1, max_size=4, unique_by=lambda each: each.name))
def test_structures_and_requirements_survive_export_and_import(inputs: list[Variable]) -> None:
    first = DecisionNode("first", Formula("1 + 1", FeelType.NUMBER), (inputs[0].name,))
    second = DecisionNode("the second", Formula("first"), ("first", inputs[-1].name))
    model = DecisionModel("m", tuple(inputs), (second, first))

    again = import_model(export_model(model))

    assert again == model
    assert list(compile_model(again).plans["the second"].order) == ["first", "the second"]


def test_ids_that_rules_have_are_not_given_to_inputs() -> None:
    written = Table((Input("x"),), (Output(),), tuple(Rule(f"_{n}", (str(n),), ("1",)) for n in range(3)))
    model = DecisionModel("m", (Variable("x"),), (DecisionNode("d", written, ("x",)),))

    assert import_model(export_model(model)) == model


def test_rules_without_ids_get_one_of_their_own() -> None:
    tables = (decision(TABLE.replace(' id="r"', ""), name=name) for name in "de")

    model = import_model(document(INPUT, *tables))

    assert compile_model(model).decide("e", {"x": 1})["e"].rules == ("e, rule 1",)
