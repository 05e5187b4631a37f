"""Documents as editors of others write them: what they leave out, and where they say the same in other words."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.rewriting import rewrite
from tests.tools.decisions.documents import INPUT, TABLE, decision, document
from tools.decisions.dmn import export_model, import_model, importing
from tools.decisions.errors import InvalidInputs, InvalidTable
from tools.decisions.model_compiling import compile_model

pytestmark = pytest.mark.dmn

# A table with its drawing, no input that is declared, an empty cell, and names that are not those of the outputs.
DRAWN = b"""<?xml version="1.0" encoding="UTF-8"?>
<dmn:definitions xmlns:dmn="https://www.omg.org/spec/DMN/20191111/MODEL/" name="Menu" namespace="http://menu.example"
  xmlns:dmndi="https://www.omg.org/spec/DMN/20191111/DMNDI/" xmlns:dc="http://www.omg.org/spec/DMN/20180521/DC/"
  xmlns:tool="http://tool.example/1.0" exporter="Some Editor" exporterVersion="5.2" id="menu">
  <dmn:decision id="dish" name="Dish" tool:historyTimeToLive="30">
    <dmn:decisionTable id="table" hitPolicy="FIRST">
      <dmn:input id="in_1" label="What time of the year?" tool:width="150">
        <dmn:inputExpression id="expression_1" typeRef="string"><dmn:text>season</dmn:text></dmn:inputExpression>
      </dmn:input>
      <dmn:input id="in_2" label="How many?">
        <dmn:inputExpression id="expression_2" typeRef="number"><dmn:text>guest count</dmn:text></dmn:inputExpression>
      </dmn:input>
      <dmn:output id="out_1" label="Dish" name="dish" typeRef="string"/>
      <dmn:rule id="rule_1"><dmn:description>cold</dmn:description>
        <dmn:inputEntry id="entry_1"><dmn:text>"Winter","Autumn"</dmn:text></dmn:inputEntry>
        <dmn:inputEntry id="entry_2"><dmn:text>&lt;= 8</dmn:text></dmn:inputEntry>
        <dmn:outputEntry id="exit_1"><dmn:text>"Stew"</dmn:text></dmn:outputEntry>
      </dmn:rule>
      <dmn:rule id="rule_2">
        <dmn:inputEntry id="entry_3"><dmn:text></dmn:text></dmn:inputEntry>
        <dmn:inputEntry id="entry_4"><dmn:text></dmn:text></dmn:inputEntry>
        <dmn:outputEntry id="exit_2"><dmn:text>"Salad"</dmn:text></dmn:outputEntry>
      </dmn:rule>
    </dmn:decisionTable>
  </dmn:decision>
  <dmndi:DMNDI><dmndi:DMNDiagram><dmndi:DMNShape dmnElementRef="dish"><dc:Bounds height="80" width="180" x="1" y="1"/>
  </dmndi:DMNShape></dmndi:DMNDiagram></dmndi:DMNDI>
</dmn:definitions>"""


def decide(raw: bytes, name: str, **inputs: Any) -> Any:
    model = import_model(raw)
    assert import_model(export_model(model)) == model
    return compile_model(model).decide(name, inputs)[name].value


@pytest.mark.parametrize(
    ("season", "guests", "dish"),
    [("Winter", 8, "Stew"), ("Winter", 9, "Salad"), ("May", 1, "Salad"), (None, None, "Salad")],
)
def test_a_table_that_declares_no_inputs_takes_what_its_columns_name(
    season: str | None, guests: int | None, dish: str
) -> None:
    assert decide(DRAWN, "Dish", **{"season": season, "guest count": guests}) == dish


def test_an_empty_cell_is_exported_as_what_it_means() -> None:
    assert b"<text>-</text>" in export_model(import_model(DRAWN))


def test_only_names_are_taken_for_inputs_and_only_of_a_table_that_stands_alone() -> None:
    for before, after in (
        ("<dmn:text>season<", "<dmn:text>season + 1<"),
        ("<dmn:text>season<", "<dmn:text>a.b<"),
    ):
        with pytest.raises(InvalidTable, match=r"not a name|means nothing"):
            compile_model(import_model(DRAWN.replace(before.encode(), after.encode())))
    with pytest.raises(InvalidTable, match="`x` is not a name"):
        compile_model(import_model(document(INPUT, decision(requires=""))))
    with pytest.raises(InvalidTable, match="`x` is not a name"):
        compile_model(
            import_model(
                document(decision(requires=""), decision(requires="", name="e").replace('"r"', '"s"'))
            )
        )


def test_without_the_look_a_declared_input_would_be_taken_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    rewrite(monkeypatch, importing, "_stand_alone", 'root.children("inputData") or ', "")

    assert compile_model(import_model(document(INPUT, decision(requires=""))))


def test_a_cell_without_a_text_is_none() -> None:
    with pytest.raises(InvalidTable, match="nothing is written"):
        compile_model(import_model(document(INPUT, decision(TABLE.replace("<text>-</text>", "")))))


def test_a_reference_may_name_its_own_document_and_no_other() -> None:
    there = document(INPUT, decision()).replace(b'href="#i"', b'href="urn:m#i"')
    assert decide(there, "d", x=1) == Decimal(1)
    for strange in (b'href="urn:other#i"', b'href="i"', b'href="urn:m#none"'):
        with pytest.raises(InvalidTable, match="no input or decision of this document"):
            import_model(there.replace(b'href="urn:m#i"', strange))


ITEM = '<itemDefinition name="tier"><typeRef>string</typeRef>{}</itemDefinition>'
LIST = '<{0}><text>"gold", "tin"</text></{0}>'
TIER = '<inputData id="i" name="x"><variable name="x" typeRef="tier"/></inputData>'
ANY = TABLE.replace(' typeRef="number"', "")


@pytest.mark.parametrize("tag", ["allowedValues", "typeConstraint"])
def test_a_type_is_restricted_in_the_words_of_1_4_and_of_1_5(tag: str) -> None:
    told = document(ITEM.format(LIST.format(tag)), TIER, decision(ANY))
    assert decide(told, "d", x="tin") == Decimal(1)
    with pytest.raises(InvalidInputs, match="none of the allowed values"):
        decide(told, "d", x="lead")


def test_a_type_is_restricted_once() -> None:
    both = LIST.format("allowedValues") + LIST.format("typeConstraint")
    with pytest.raises(InvalidTable, match="restricted already"):
        import_model(document(ITEM.format(both), TIER, decision(ANY)))
