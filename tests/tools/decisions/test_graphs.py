"""Decisions that need each other."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.tools.decisions.documents import REQUIRED, decision, document, formula, requires
from tests.tools.decisions.written import NUMBER, STRING, table, variables
from tools.decisions.dmn import import_model
from tools.decisions.errors import InvalidInputs
from tools.decisions.formulas import Formula
from tools.decisions.graphs import DecisionModel, DecisionNode
from tools.decisions.model_compiling import compile_model
from tools.decisions.results import NO_DECISION
from tools.decisions.tables import Input, Output, Rule, Table

pytestmark = pytest.mark.dmn

RISK = table(("< 10", '"low"'), ("[10..50]", '"high"'), result=STRING)
TERMS = Table(
    inputs=(Input("risk class", STRING), Input("x", NUMBER)),
    outputs=(Output("rate", NUMBER), Output("word", STRING)),
    rules=(
        Rule("t1", ('"low"', "-"), ("0.01", '"yes"')),
        Rule("t2", ('"high"', "-"), ("0.05", '"perhaps"')),
        Rule("t3", ("null", "-"), ("0", '"no"')),
    ),
)
MODEL = DecisionModel(
    "credit",
    variables(x=NUMBER, y=NUMBER),
    (
        DecisionNode("fee", Formula("terms.rate * x", NUMBER), ("terms", "x")),
        DecisionNode("terms", TERMS, ("risk class", "x")),
        DecisionNode("risk class", RISK, ("x",)),
        DecisionNode("other", Formula("y + 1"), ("y",)),
    ),
)


def test_what_is_required_is_decided_first_and_traced() -> None:
    made = compile_model(MODEL).decide("fee", {"x": 20})

    assert list(made) == ["risk class", "terms", "fee"]
    assert made["terms"].value == {"rate": Decimal("0.05"), "word": "perhaps"}
    assert (made["fee"].value, dict(made["fee"].inputs)["terms.rate"]) == (Decimal("1.00"), Decimal("0.05"))
    assert made["fee"].trace()["value"] == "1.00"


def test_a_decision_that_was_not_made_is_null_to_others_and_stays_no_decision_itself() -> None:
    made = compile_model(MODEL).decide("terms", {"x": 99})

    assert made["risk class"].value is NO_DECISION
    assert made["terms"].value == {"rate": Decimal(0), "word": "no"}


def test_only_what_a_decision_requires_has_to_be_given() -> None:
    assert compile_model(MODEL).decide("other", {"y": 1, "x": "not read"})["other"].value == Decimal(2)


def test_a_structure_and_a_restricted_type_are_imported() -> None:
    loan = (
        '<itemDefinition name="tLoan">'
        '<itemComponent name="sum"><typeRef>number</typeRef></itemComponent>'
        '<itemComponent name="kind"><typeRef>tKind</typeRef></itemComponent></itemDefinition>'
        '<itemDefinition name="tKind"><typeRef>string</typeRef>'
        '<allowedValues><text>"car", "home"</text></allowedValues></itemDefinition>'
        '<inputData id="i" name="loan"><variable name="loan" typeRef="tLoan"/></inputData>'
    )
    model = compile_model(import_model(document(loan, decision(formula("loan.sum * 2"), REQUIRED))))

    assert model.decide("d", {"loan": {"sum": 2, "kind": "car"}})["d"].value == Decimal(4)
    with pytest.raises(
        InvalidInputs, match=r'loan\.kind: "boat" is none of the allowed values "car", "home"'
    ):
        model.decide("d", {"loan": {"sum": 2, "kind": "boat"}})


@pytest.mark.parametrize("year", ["20191111", "20211108", "20230324"])
def test_the_three_versions_are_read(year: str) -> None:
    root = f'<definitions xmlns="https://www.omg.org/spec/DMN/{year}/MODEL/" name="m" namespace="urn:m">'
    raw = document(decision(formula("1"), ""), decision(formula("d + 1"), requires("d"), name="e"), root=root)

    assert compile_model(import_model(raw)).decide("e", {})["e"].value == Decimal(2)
