"""How a call's changes are shown is declared with its tool, checked when it is defined, and read with suspicion."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentops.errors import ValidationFailed
from tests.cast import Cast
from tests.factories import ToolFactory, ToolVersionFactory
from tests.tools.test_undo_declared import CHARGE
from tools.models import Tool
from tools.previews.declaration import read_preview
from tools.previews.reading import compare, fill_in, read_answer
from tools.previews.values import Unreadable, check, point, take
from tools.previews.wording import tell
from tools.services import add_version
from tools.services.linting import examine_version

ORDER: dict[str, Any] = {
    "type": "object",
    "properties": {
        "status": {"type": "string"},
        "paid": {"type": "string"},
        "gift": {"type": "boolean"},
        "version": {"type": "integer"},
        "lines": {"type": "array", "items": {"type": "object", "properties": {"sku": {"type": "string"}}}},
    },
}
STATUS = {"label": "Order", "type": "status", "before": "/status", "after": "charged"}
PAID = {"label": "Paid", "type": "money", "before": "/paid", "after": "$arguments.amount", "currency": "USD"}
PREVIEW: dict[str, Any] = {
    "tool": "look_up",
    "arguments": {"order_id": "$arguments.order_id"},
    "pin": "/version",
    "changes": [STATUS, PAID],
}
TAKES = {"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]}


def but(**changes: Any) -> dict[str, Any]:
    return {**PREVIEW, **changes}


def changed(**changes: Any) -> dict[str, Any]:
    return but(changes=[{**PAID, **changes}])


@pytest.fixture
def tool(cast: Cast) -> Tool:
    team = cast.agent.team
    for name, fields in (("look_up", {"effect": "read", "output_schema": ORDER}), ("pay_back", {}),
                         ("free", {"effect": "read", "adapter": "python"}),
                         ("gone", {"effect": "read", "tool__state": "retired"})):  # fmt: skip
        ToolVersionFactory.create(tool__team=team, tool__name=name, **{"input_schema": TAKES, **fields})
    ToolVersionFactory.create(tool__name="elsewhere", effect="read", input_schema=TAKES)
    return ToolFactory.create(team=team, name="charge")


@pytest.mark.parametrize(
    "preview",
    [
        PREVIEW,
        but(pin="etag"),
        but(pin="shown"),
        but(tool="free", changes=[{**STATUS, "before": "/what/ever"}]),
        changed(before={"plus": ["/paid", "$arguments.amount"], "minus": ["/paid"]}),
        changed(before=None, after="12.50"),
        but(changes=[{"label": "SKU", "type": "text", "before": "/lines/0/sku", "after": "x"}]),
        but(changes=[{"label": "Gift", "type": "boolean", "before": "/gift", "after": True}]),
    ],
)
def test_what_shows_a_call_is_kept_with_its_version(cast: Cast, tool: Tool, preview: dict[str, Any]) -> None:
    version = add_version(actor=cast.alice, tool=tool, definition=replace(CHARGE, preview=preview))
    version.refresh_from_db()
    assert version.preview == preview
    assert version.digest != CHARGE.digest(tool.id, tool.name)
    assert "no_preview" not in {finding.code for finding in examine_version(version)}


@pytest.mark.parametrize(
    ("preview", "words"),
    [
        ({}, "give tool and changes"),
        (but(more=1), "give tool and changes"),
        (but(tool="no_such_tool"), "preview/tool"),
        (but(tool="charge"), "preview/tool"),
        (but(tool="pay_back"), "that only reads"),
        (but(tool="gone"), "preview/tool"),
        (but(tool="elsewhere"), "preview/tool"),
        (but(arguments={}), "cannot do without 'order_id'"),
        (but(arguments={"order_id": "1", "colour": "red"}), "takes no 'colour'"),
        (but(arguments={"order_id": "$arguments.nothing"}), "not a declared argument"),
        (but(pin="version"), "preview/pin"),
        (but(pin="/nothing"), "no /nothing"),
        (but(pin="/gift"), "/gift is boolean"),
        (but(tool="free", pin="etag"), "only an HTTP tool"),
        (but(changes=[]), "1 to 20"),
        (but(changes=[STATUS] * 21), "1 to 20"),
        (but(changes=[STATUS, STATUS]), "name each thing once"),
        (but(changes=["words"]), "preview/changes/0: give"),
        (changed(label="x" * 61), "changes/0/label"),
        (changed(label="a\u202eb"), "changes/0/label"),
        (changed(type="colour"), "changes/0/type"),
        (changed(before="/nothing"), "no /nothing"),
        (changed(before="/gift"), "is boolean"),
        (changed(after="$arguments.nothing"), "not a declared argument"),
        (changed(after="$result.paid"), "write $arguments.name"),
        (changed(after="a lot"), "is no number"),
        (changed(after={"plus": []}), "changes/0/after"),
        (changed(after={"plus": ["5"]}), "changes/0/after"),
        (changed(after={"times": ["/paid"]}), "changes/0/after"),
        (changed(currency=""), "changes/0/currency"),
        (changed(currency="/nothing"), "no /nothing"),
        (
            but(changes=[{name: value for name, value in PAID.items() if name != "currency"}]),
            "in which currency",
        ),
        (but(changes=[{**STATUS, "currency": "USD"}]), "only money has one"),
        (but(changes=[{**STATUS, "after": {"plus": ["/status"]}}]), "changes/0/after"),
    ],
)
def test_what_could_not_be_shown_is_refused(
    cast: Cast, tool: Tool, preview: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValidationFailed) as refused:
        add_version(actor=cast.alice, tool=tool, definition=replace(CHARGE, preview=preview))
    assert words in refused.value.detail


def test_a_read_changes_nothing_that_could_be_shown(cast: Cast, tool: Tool) -> None:
    with pytest.raises(ValidationFailed, match="a read changes nothing"):
        add_version(actor=cast.alice, tool=tool, definition=replace(CHARGE, effect="read", preview=PREVIEW))


# --- reading an answer --------------------------------------------------------------------------------------

CALL = {"order_id": "A-1", "amount": "5.5", "lines": [{"sku": "a"}, {"sku": "b"}]}
ANSWER = {"status": "open", "paid": 20, "gift": True, "version": 7, "a/b": {"~": ["x", "y"]}}


def seen(preview: dict[str, Any], answer: Any = None, etag: str = "") -> Any:
    declared = read_preview(preview, "EUR")
    assert declared is not None
    return read_answer(declared, CALL, ANSWER if answer is None else answer, etag)


def test_values_are_shown_as_what_they_are() -> None:
    [row, money] = seen(PREVIEW).rows
    assert (row["before"], row["after"]) == ("open", "charged")
    assert money == {"label": "Paid", "type": "money", "before": "20.00", "after": "5.50", "currency": "USD"}


@pytest.mark.parametrize(
    ("source", "kind", "value"),
    [
        ({"plus": ["/paid", "$arguments.amount"]}, "money", "25.50"),
        ({"plus": ["$arguments.amount"], "minus": ["/paid"]}, "money", "-14.50"),
        ("/a~1b/~0/1", "text", "y"),
        ("/a~1b/~0", "text", "x, y"),
        ("$arguments.lines.*.sku", "text", "a, b"),
        ("/gift", "boolean", True),
        ("2026-03-04", "date", "2026-03-04"),
        ("2026-03-04T10:00:00Z", "date", "2026-03-04T10:00:00+00:00"),
        ("/version", "number", "7"),
        (None, "money", None),
    ],
)
def test_a_value_is_taken_from_where_it_stands(source: Any, kind: Any, value: Any) -> None:
    assert take(source, CALL, ANSWER, kind) == value


@pytest.mark.parametrize(("one", "other"), [("5", 5.0), ("5.00", "5"), ("-0", 0), ("1e2", 100)])
def test_a_number_is_written_in_one_way(one: Any, other: Any) -> None:
    assert check(one, "money", "it") == check(other, "money", "it")
    assert check(one, "number", "it") == check(other, "number", "it")


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("1e13", "money"), ("0.00001", "money"), ("NaN", "money"), (True, "money"), ([], "money"), ("", "number"),
        (1, "boolean"), ("yes", "boolean"), ("tomorrow", "date"), (5, "date"), ("x" * 81, "status"), (5, "status"),
        ("x" * 501, "text"), (True, "text"), ({}, "text"), ([{}], "text"), (["x"] * 51, "text"),
        (["x" * 300] * 3, "text"),
        ("a\u202eb", "text"), ("a\u200bb", "status"), ("a\x00b", "text"), (" ", "text"), ("\u2028", "text"),
    ],
)  # fmt: skip
def test_what_is_not_what_was_declared_is_refused_without_quoting_it(value: Any, kind: Any) -> None:
    with pytest.raises(Unreadable) as refused:
        check(value, kind, "/it of its answer")
    assert "/it" in str(refused.value)
    assert "x" * 10 not in str(refused.value)


@pytest.mark.parametrize(
    "pointer", ["/b", "/a/2", "/a/-", "/a/01", "/a/x", "/a/0/0", "/a/99999999999999999999", "/"]
)
def test_a_pointer_that_leads_nowhere_is_refused(pointer: str) -> None:
    with pytest.raises(Unreadable, match="has no"):
        point({"a": ["x", "y"]}, pointer)


def test_what_the_call_leaves_out_changes_nothing() -> None:
    noted = {"label": "Note", "type": "text", "before": "/status", "after": "$arguments.note"}
    assert [row["label"] for row in seen(but(changes=[noted, STATUS])).rows] == ["Order"]
    declared = read_preview(but(arguments={"order_id": "$arguments.order_id", "note": "$arguments.note"}), "")
    assert declared is not None
    assert fill_in(declared, CALL) == {"order_id": "A-1"}


def test_a_currency_may_stand_in_the_answer() -> None:
    there = changed(currency="/currency")
    assert seen(there, {**ANSWER, "currency": "GBP"}).rows[0]["currency"] == "GBP"
    for odd in ("", "a\u202e", "POUNDS STERLING", 7, None):
        with pytest.raises(Unreadable):
            seen(there, {**ANSWER, "currency": odd})


@pytest.mark.parametrize(
    ("pin", "differs", "same"),
    [
        ("/version", {**ANSWER, "version": 8}, {**ANSWER, "more": 1}),
        ("answer", {**ANSWER, "more": 1}, dict(reversed(ANSWER.items()))),
        ("shown", {**ANSWER, "status": "late"}, {**ANSWER, "version": 8}),
    ],
)
def test_the_pin_names_the_state(pin: str, differs: Any, same: Any) -> None:
    state = seen(but(pin=pin)).state
    assert seen(but(pin=pin), same).state == state
    assert seen(but(pin=pin), differs).state != state


def test_what_is_shown_is_bound_whatever_the_pin_says() -> None:
    """A server that forgets to move its version does not get another change past people."""
    assert seen(PREVIEW, {**ANSWER, "status": "late"}).state != seen(PREVIEW).state
    assert seen(PREVIEW, {**ANSWER, "status": "late"}).state["pin"] == seen(PREVIEW).state["pin"]


def test_an_etag_is_the_pin_where_the_tool_says_so() -> None:
    one, other = (seen(but(pin="etag"), etag=tag).state for tag in ('"a"', '"b"'))
    assert one != other
    with pytest.raises(Unreadable, match="no ETag"):
        seen(but(pin="etag"))


@pytest.mark.parametrize("version", [None, True, [], {}, "", "x" * 501])
def test_a_version_that_is_none_is_refused(version: Any) -> None:
    with pytest.raises(Unreadable, match="is no version"):
        seen(PREVIEW, {**ANSWER, "version": version})


def test_an_answer_that_is_no_exact_json_is_refused() -> None:
    with pytest.raises(Unreadable, match="no exact JSON"):
        seen(but(pin="answer"), {**ANSWER, "more": 2**60})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["status", "paid", "version", "gift"]), json_values))
def test_any_answer_is_read_or_refused(answer: dict[str, Any]) -> None:
    for pin in ("/version", "answer", "shown"):
        try:
            found = seen(but(pin=pin), answer or {"x": 1})
        except Unreadable:
            continue
        assert all(isinstance(value, str) and len(value) == 64 for value in found.state.values())
        assert tell({"changes": list(found.rows)}) is not None


def test_a_difference_names_what_was_shown_then_and_what_is_now() -> None:
    then, now = seen(PREVIEW).rows, seen(PREVIEW, {**ANSWER, "paid": 21}).rows
    [only] = compare(then, now)
    assert (only["label"], only["then"]["before"], only["now"]["before"]) == ("Paid", "20.00", "21.00")
    assert compare(then, then) == []
    assert [row["then"] for row in compare(then[:1], then)] == [None]


def test_words_for_people() -> None:
    rows = [
        {"label": "a", "type": "money", "before": "1234.5678", "after": None, "currency": "USD"},
        {"label": "b", "type": "boolean", "before": False, "after": True},
        {"label": "c", "type": "number", "before": "1000", "after": "1000"},
    ]
    told = tell(
        {"changes": rows, "since": {"times": 2, "changes": [{"label": "d", "then": None, "now": rows[1]}]}}
    )
    assert told is not None
    assert [(row.before, row.after, row.stands_out, row.stays) for row in told.rows] == [
        ("1,234.5678 USD", "nothing", True, False), ("no", "yes", False, False), ("1,000", "1,000", False, True),
    ]  # fmt: skip
    assert told.since is not None
    assert [(each.then, each.now) for each in told.since] == [("", "no → yes")]
    assert tell(None) is None
