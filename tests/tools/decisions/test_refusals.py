"""What is refused, each with the place and in plain words: nothing that is half understood decides."""

from __future__ import annotations

import pytest

from tests.tools.decisions.documents import (
    COLUMNS,
    DMN,
    INPUT,
    REQUIRED,
    ROOT,
    RULE,
    TABLE,
    decision,
    document,
    formula,
    requires,
)
from tests.tools.decisions.written import BOOLEAN, NUMBER, STRING, table, variables
from tools.decisions.compiling import compile_table
from tools.decisions.dmn import export_model, import_model
from tools.decisions.dmn.document import MAX_BYTES, parse_xml
from tools.decisions.errors import ContradictoryTable, FeelError, InvalidInputs, InvalidTable
from tools.decisions.feel.parser import parse_expression
from tools.decisions.feel.unary_tests import parse_unary_tests
from tools.decisions.formulas import Formula, compile_formula
from tools.decisions.graphs import DecisionModel, DecisionNode
from tools.decisions.model_compiling import compile_model
from tools.decisions.tables import Aggregation, HitPolicy, Input, Output, Rule, Table, Variable

pytestmark = pytest.mark.dmn

P = HitPolicy


@pytest.mark.parametrize(
    ("cell", "position", "words"),
    [
        ("", 1, "nothing is written"),
        ("   ", 1, "nothing is written"),
        ("<", 2, "a value is expected, nothing is there"),
        ("< <", 3, "a value is expected, `<`"),
        ("1,", 3, "a value is expected"),
        (",1", 1, "a value is expected"),
        ("1 2", 3, "the end is expected, `2`"),
        ("[1..2", 6, r"`\]` or `\)` or `\[` is expected"),
        ("[1.2]", 5, "`..` is expected"),
        ("[1..]", 5, "a value is expected"),
        ("(1..2", 6, "is expected, nothing is there"),
        ("1..2", 2, "the end is expected, `..`"),
        ("not 1", 5, r"`\(` is expected"),
        ("not(1", 6, r"`\)` is expected"),
        ("not()", 5, "a value is expected"),
        ("not(not(1))", 5, "stands around all tests"),
        ("1, not(2)", 4, "stands around all tests"),
        ("-, 1", 2, "a value is expected, `,`"),
        ("> 1 and < 2", 5, "the end is expected, `and`"),
        ("High", 1, "`High` is not a name that is known here; a text needs quotes"),
        ('"High', 1, "without its closing quote"),
        ('"a\nb"', 1, "without its closing quote"),
        ("18x", 1, "a number that goes on with letters"),
        ("0x10", 1, "a number that goes on with letters"),
        ("1" * 35, 1, "at most 34 digits"),
        ("1e9999", 1, "within ±6143"),
        ("x % 2", 3, "`%` means nothing here"),
        ("? > 1", 1, r"`\?` means nothing here"),
        ("{a: 1}", 1, "`{` means nothing here"),
        ("5 in [1..6]", 3, "`in` is full FEEL"),
        ('"\\q"', 1, "is not an escape"),
        ('"\\uD800"', 1, "half of a surrogate pair"),
        ('"\\u0000"', 1, "may not hold NUL"),
        ('"\\UFFFFFF"', 1, "beyond U"),
        ("1\x07", 2, "invisible control character"),
        ('date("2024-02-30")', 6, "a date is written"),
        ('date("yesterday")', 6, "a date is written"),
        ("date(2024)", 6, "takes one text in quotes"),
        ("date()", 6, "takes one text in quotes"),
        ('@"soon"', 2, "a date is written"),
        ('time("10:00:00@Europe/Paris")', 6, "with an offset"),
        ('duration("P")', 10, "a duration is written"),
        ('duration("P1Y1D")', 10, "a duration is written"),
        (", ".join(["1"] * 501), 1_499, "more than 500 tests"),
        ("1" + " " * 4_000, 4_000, "longer than 4000"),
        ("(" * 100 + "1", 65, "more than 64 operations"),
    ],
)
def test_a_cell_that_is_no_unary_test(cell: str, position: int, words: str) -> None:
    with pytest.raises(FeelError, match=words) as refused:
        parse_unary_tests(cell, ["x"])
    assert refused.value.position == position


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "a value is expected, nothing"),
        ("1 +", "a value is expected, nothing"),
        ("1 < 2 < 3", "cannot be chained"),
        ("if true then 1 else 2", "`if` is full FEEL"),
        ("for i in x return i", "`for` is full FEEL"),
        ("some i in x satisfies i", "`some` is full FEEL"),
        ("x between 1 and 2", "`between` is full FEEL"),
        ("function(a) a", "`function` is full FEEL"),
        ("sum(x)", "`sum` is not a name"),
        ('__import__("os")', "`__import__` is not a name"),
        ("x.y", "means nothing here"),
        ("x[1]", "the end is expected"),
        ("[1, 2]", "a value is expected"),
        ("x = 1 = 1", "cannot be chained"),
        ("x := 1", "means nothing here"),
        ("x; 1", "means nothing here"),
        ("1 == 1", "a value is expected"),
        ("true && false", "means nothing here"),
    ],
)
def test_a_text_that_is_no_simple_expression(text: str, words: str) -> None:
    with pytest.raises(FeelError, match=words):
        parse_expression(text, ["x"])


TWO = (Output("a"), Output("b"))


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (table(), "table: has 0 rules"),
        (Table((), (Output(),), (Rule("r", (), ("1",)),)), "table: has 0 inputs"),
        (Table((Input("x"),), (), (Rule("r", ("-",), ()),)), "table: has 0 outputs"),
        (
            Table((Input("x"),), (Output(),), (Rule("r", ("-", "-"), ("1",)),)),
            "rule 1: has 2 cells for 1 inputs",
        ),
        (Table((Input("x"),), TWO, (Rule("r", ("-",), ("1",)),)), "rule 1: has 1 cells for 2 outputs"),
        (Table((Input("x"),), (Output(),), (Rule("r", ("-",), ("1",), ("why",)),)), "more annotations"),
        (
            Table((Input("x"),), (Output(),), (Rule("r", ("1",), ("1",)), Rule("r", ("2",), ("1",)))),
            "the id 'r'",
        ),
        (Table((Input("x"),), (Output("a"), Output("a")), (Rule("r", ("-",), ("1", "1")),)), "the name 'a'"),
        (Table((Input("x"),), (Output("a"), Output()), (Rule("r", ("-",), ("1", "1")),)), "need a name each"),
        (table(("-", "1"), policy=P.UNIQUE, aggregation=Aggregation.SUM), "goes with COLLECT only"),
        (
            Table((Input("x"),), TWO, (Rule("r", ("-",), ("1", "1")),), P.COLLECT, Aggregation.MAX),
            "takes a single output",
        ),
        (table(("-", "1"), policy=P.PRIORITY), "needs the values of an output"),
        (
            table(("-", "1"), policy=P.OUTPUT_ORDER, values="[1..2]"),
            "output 1, values: priority needs a list",
        ),
        (table(("-", "3"), values="1, 2"), "rule 1, output 1: is none of the values 1, 2"),
        (table(("-", '"a"'), result=NUMBER), "a string stands where a number is expected"),
        (table(("-", "1"), default="y"), "output 1, default: `y` is not a name"),
        (table(("-", "1"), default="x"), "output 1, default: `x` is not a name"),
        (table(("-", "1"), values="x"), "output 1, values: `x` is not a name"),
        (table(("-", "1"), values="1", default="2"), "output 1, default: is none of the values"),
        (table(('"a"', "1")), "rule 1, input 1: a string stands where a number is expected"),
        (table(("true", "1")), "a boolean stands where a number is expected"),
        (table(("< true", "1"), kind=BOOLEAN), "not less or more than anything"),
        (table(("< null", "1")), "not less or more|stands where"),
        (table(("[5..1]", "1")), "nothing lies in this interval"),
        (table(("(1..1)", "1")), "nothing lies in this interval"),
        (table(('["a"..1]', "1"), kind=STRING), "a number stands where a string is expected"),
        (table(("y", "1")), "rule 1, input 1: `y` is not a name"),
        (table(("-", "y")), "rule 1, output 1: `y` is not a name"),
        (table(("-", "1"), allowed='"a"'), "input 1, allowed values: a string stands"),
        (table(*[("-", "1")] * 2_001), "has 2001 rules"),
    ],
)
def test_a_table_that_cannot_be_used(bad: Table, words: str) -> None:
    with pytest.raises(InvalidTable, match=words):
        compile_table(bad)


def test_every_problem_of_a_table_is_told_at_once() -> None:
    with pytest.raises(InvalidTable) as refused:
        compile_table(table(("<", "1"), ("-", "+"), allowed="x y"))

    assert [each.place for each in refused.value.problems] == [
        "input 1, allowed values",
        "rule 1, input 1",
        "rule 2, output 1",
    ]


@pytest.mark.parametrize(
    "name", ["", "1x", "true", "not", "for", "a  b", " a", "a ", "a\nb", "a.b", 'a"b', "a(b", "x" * 101]
)
def test_a_variable_needs_a_name(name: str) -> None:
    with pytest.raises(InvalidTable, match="is no name"):
        compile_table(table(("-", "1")), [Variable("x", NUMBER), Variable(name)])


def test_a_computed_output_outside_its_values_is_no_decision() -> None:
    compiled = compile_table(table(("-", "x * 2"), values="[0..10]"))

    assert compiled.decide({"x": 5}).value == 10
    with pytest.raises(ContradictoryTable, match="rule 1 says 12: is none of the values"):
        compiled.decide({"x": 6})


def ref(number: int) -> str:
    return f"&a{number};"


LAUGHS = "".join(f'<!ENTITY a{n} "{10 * ref(n - 1)}">' for n in range(1, 10))
BOMB = f'<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a0 "aaaaaaaaaa">{LAUGHS}]>'
EXTERNAL = '<!DOCTYPE b [<!ENTITY e SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "not well-formed"),
        (b"{}", "not well-formed"),
        (b"<definitions>", "not well-formed"),
        (b"\xff\xfe<\x00", "not UTF-8"),
        (b"<definitions/>", "no DMN 1.3, 1.4, 1.5"),
        (f'<model xmlns="{DMN}"/>'.encode(), "its root is"),
        (
            document(INPUT, root='<definitions xmlns="http://www.omg.org/spec/DMN/20151101/dmn.xsd">'),
            "no DMN 1.3",
        ),
        (f"{BOMB}{ROOT}&a9;</definitions>".encode(), "has a DTD"),
        (f"{EXTERNAL}{ROOT}&e;</definitions>".encode(), "has a DTD"),
        (f'<!DOCTYPE d SYSTEM "http://127.0.0.1/d.dtd">{ROOT}</definitions>'.encode(), "has a DTD"),
        (document("&nbsp;"), "not well-formed"),
        (document(f"<description>{'a' * MAX_BYTES}</description>"), "larger than"),
        (document("<extensionElements>" * 40 + "</extensionElements>" * 40), "nests more than 32"),
        (document("<a>" * 400 + "</a>" * 400), "not well-formed|nests more"),
        (document(INPUT, decision(), '<inputData id="i" name="y"/>'), "the id 'i' twice"),
        (
            document(INPUT, '<inputData id="j" name="x"/>', decision()),
            "another input or decision has this name",
        ),
        (document('<inputData id="i"/>', decision()), "has no name"),
        (document('<import name="o"/>', INPUT, decision()), "import 'o': is not supported here"),
        (
            document('<businessKnowledgeModel name="b"/>', INPUT, decision()),
            "businessKnowledgeModel 'b': is not",
        ),
        (document('<decisionService name="s"/>', INPUT, decision()), "decisionService 's': is not"),
        (document(INPUT, decision("")), "decision 'd': needs one decision table"),
        (document(INPUT, decision(TABLE + formula("1"))), "needs one decision table"),
        (document(INPUT, decision("<context/>")), "context: is not supported here"),
        (document(INPUT, decision("<invocation/>")), "invocation: is not supported here"),
        (document(INPUT, decision("<relation/>")), "relation: is not supported here"),
        (
            document(INPUT, decision(TABLE, "<knowledgeRequirement/>")),
            "knowledgeRequirement: is not supported",
        ),
        (document(INPUT, decision(TABLE, REQUIRED.replace("#i", "#z"))), "refers to '#z'"),
        (document(INPUT, decision(TABLE, REQUIRED.replace("#i", "other.dmn#i"))), "refers to 'other.dmn#i'"),
        (
            document(INPUT, decision(TABLE.replace("<decisionTable>", '<decisionTable hitPolicy="BEST">'))),
            "no hitPol",
        ),
        (
            document(INPUT, decision(TABLE.replace("<decisionTable>", '<decisionTable aggregation="AVG">'))),
            "no aggregation",
        ),
        (document(INPUT, decision(TABLE.replace('"number"', '"feel.Money"'))), "no type that is known"),
        (
            document(INPUT, decision(TABLE.replace("<text>x</text>", "<text>x<b/></text>"))),
            "b: is|x<b/>|elements",
        ),
        (
            document(
                INPUT,
                decision(
                    f"<decisionTable>{COLUMNS.replace('<output/>', '<output><foo/></output>')}</decisionTable>"
                ),
            ),
            "foo: is not",
        ),
        (
            document(INPUT, decision(formula("x").replace("<text>", "<importedValues/><text>"))),
            "importedValues: is not",
        ),
        (
            document(
                INPUT,
                decision('<literalExpression expressionLanguage="python"><text>1</text></literalExpression>'),
            ),
            "language 'python'",
        ),
        (
            document(root=ROOT.replace("name=", 'expressionLanguage="javascript" name=')),
            "language 'javascript'",
        ),
        (
            document(
                '<itemDefinition name="t"><typeRef>t</typeRef></itemDefinition>', INPUT.replace("number", "t")
            ),
            "refers to itself",
        ),
        (
            document('<itemDefinition name="t"/><itemDefinition name="t"/>', INPUT),
            "another type has this name",
        ),
        (
            document(
                '<itemDefinition name="t" isCollection="true"><typeRef>string</typeRef></itemDefinition>',
                INPUT.replace("number", "t"),
            ),
            "a list is no value",
        ),
        (
            document(
                '<itemDefinition name="t"><functionItem/></itemDefinition>', INPUT.replace("number", "t")
            ),
            "functionItem: is",
        ),
        (
            document(
                '<itemDefinition name="t"><typeConstraint/></itemDefinition>', INPUT.replace("number", "t")
            ),
            "typeConstraint: says nothing",
        ),
    ],
)
def test_a_document_that_is_not_imported(raw: bytes, words: str) -> None:
    with pytest.raises(InvalidTable, match=words):
        import_model(raw)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (document(INPUT), "between 1 and 100 decisions"),
        (document(decision(formula("1"), requires("d"))), "require each other: d → d"),
        (
            document(
                *(decision(formula("1"), requires(other), name=name) for name, other in ("ab", "bc", "ca"))
            ),
            "require each other",
        ),
        (document(INPUT, decision(TABLE, "")), "d, input 1: `x` is not a name"),
        (document(INPUT, decision(TABLE.replace(RULE, RULE * 2))), "the id 'r' twice"),
        (document(INPUT, decision(TABLE.replace("<text>-</text>", ""))), "nothing is written"),
        (document(INPUT, decision(formula("x", "string"))), "d, formula: a number stands where a string"),
        (
            document(
                INPUT,
                decision(TABLE.replace("<decisionTable>", '<decisionTable hitPolicy="COLLECT">')),
                decision(formula("1"), requires("d"), name="e"),
            ),
            "requires 'd', which is a list",
        ),
    ],
)
def test_a_document_that_does_not_decide(raw: bytes, words: str) -> None:
    with pytest.raises(InvalidTable, match=words):
        compile_model(import_model(raw))


def test_names_that_a_model_does_not_have_are_refused() -> None:
    model = compile_model(import_model(document(INPUT, decision())))

    with pytest.raises(InvalidInputs, match="e: is no decision"):
        model.decide("e", {"x": 1})
    with pytest.raises(InvalidInputs, match="y: is no input"):
        model.decide("d", {"x": 1, "y": 2})


def test_a_requirement_that_is_not_there_is_refused() -> None:
    with pytest.raises(InvalidTable, match="requires 'z'"):
        compile_model(DecisionModel("m", variables(x=NUMBER), (DecisionNode("d", Formula("1"), ("z",)),)))


def test_rules_of_different_tables_need_different_ids() -> None:
    nodes = tuple(DecisionNode(name, table(("-", "1")), ("x",)) for name in "ab")

    with pytest.raises(InvalidTable, match="two rules have the id 'r1'"):
        compile_model(DecisionModel("m", variables(x=NUMBER), nodes))


def test_a_text_that_xml_cannot_hold_is_not_exported() -> None:
    with pytest.raises(InvalidTable, match="a character that XML cannot write"):
        export_model(DecisionModel("m\x01", variables(x=NUMBER), (DecisionNode("d", Formula("1")),)))


def test_what_an_expression_yields_has_to_be_of_its_type() -> None:
    unknown = [Variable("x")]
    compiled = compile_table(table(("-", "1")), unknown)

    assert compiled.decide({"x": 1}).value == 1
    with pytest.raises(InvalidInputs, match='x: a number is expected, not "a"'):
        compiled.decide({"x": "a"})
    with pytest.raises(ContradictoryTable, match="a string came out where a number is expected"):
        compile_formula(Formula("x", NUMBER), unknown).decide_in({"x": "a"})


def test_behind_the_look_for_a_dtd_the_parser_expands_nothing_either() -> None:
    assert parse_xml(b'<!DOCTYPE a [<!ENTITY e "expanded">]><a>&e;</a>').text is None
