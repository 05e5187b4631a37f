"""How JSON that a model or a tool wrote is shown: bounded, and as text whatever it holds."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.template import Context, Template
from django.utils import timezone

from agentops.console.templatetags import console

SCRIPT = "<script>alert(1)</script>"


def show(value: Any, whole: bool = False) -> str:
    page = Template("{% load console %}{% show_value value whole=whole %}")
    return page.render(Context({"value": value, "whole": whole}))


@pytest.mark.parametrize(
    "value",
    [SCRIPT, {SCRIPT: SCRIPT}, [SCRIPT], [{SCRIPT: SCRIPT}], {"a": {"b": SCRIPT}}, {"a": {SCRIPT: "b"}},
     {"a": {"b": {"c": {"d": {"e": SCRIPT}}}}}, [[SCRIPT * 10]]],
)  # fmt: skip
def test_no_value_becomes_markup(value: Any) -> None:
    shown = show(value)
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown


def test_fields_become_rows_and_lists_of_alike_objects_become_tables() -> None:
    shown = show({"order": "#W1", "items": [{"name": "desk", "price": "9"}, {"name": "mat", "price": "3"}]})
    assert shown.count("<thead>") == 1
    assert all(word in shown for word in ("order", "#W1", "desk", "mat"))


@pytest.mark.parametrize(("value", "said"), [(None, "none"), ("", "none"), ([], "none"), ({}, "nothing")])
def test_what_is_empty_says_so(value: Any, said: str) -> None:
    assert said in show(value)


def test_long_values_are_counted_not_shown() -> None:
    shown = show({"rows": list(range(console.MOST_ROWS + 7))})
    assert "and 7 more" in shown


@pytest.mark.parametrize("value", ["x" * 9_000, {"a": {"b": {"c": {"d": {"e": "x" * 9_000}}}}}])
def test_a_text_that_no_page_can_hold_is_cut_and_says_by_how_much(value: Any) -> None:
    shown = show(value)
    assert len(shown) < 6_000
    assert "more characters; the ledger has them all" in shown
    assert "more characters" not in show(value, whole=True)


def test_a_whole_value_leaves_nothing_out() -> None:
    alike = [{"id": "A"}] * console.MOST_ROWS + [{"id": "A", "extra": "hidden-field"}, {"id": "B"}]
    for value in (alike, {"nested": {"deeper": alike}}, ["A"] * console.MOST_ROWS + ["hidden-field", "B"]):
        shown = show(value, whole=True)
        assert ">B<" in shown
        assert "hidden-field" in shown
        assert "more" not in shown


def test_a_whole_value_hides_no_characters() -> None:
    assert "25[U+202E]00" in show({"amount": "25\u202e00"}, whole=True)


def test_what_a_sentence_quotes_is_isolated_and_escaped() -> None:
    shown = console.quotes_apart(f"refund “{SCRIPT}” for <b>")
    assert shown == "refund <bdi>“&lt;script&gt;alert(1)&lt;/script&gt;”</bdi> for &lt;b&gt;"


def test_deep_values_end_as_text() -> None:
    deep: Any = "bottom"
    for _ in range(30):
        deep = {"down": deep, "wide": "w" * 70}
    assert show(deep).count("<table") <= console.MOST_LEVELS


def test_brief_facts_leave_out_the_empty_and_shorten_identifiers() -> None:
    facts: dict[str, Any] = {
        "grant": "01a20386-50e5-721e-8a28-f528808dfbda",
        "caps": [],
        "by": None,
        "count": 0,
    }
    assert console.brief(facts) == [("grant", "…808dfbda"), ("count", "0")]


def test_times_carry_the_moment_for_the_viewers_zone() -> None:
    at = datetime(2026, 11, 22, 14, 30, 5, tzinfo=UTC)
    for shown in (console.exactly(at), console.to_the_second(at), console.ago(at), console.countdown(at)):
        assert f'datetime="{at.isoformat()}"' in shown
    assert "14:30:05 UTC" in console.to_the_second(at)
    assert console.ago(None) == console.countdown(None) == ""


def test_what_might_have_happened_already_is_due() -> None:
    assert console.due(timezone.now() - timedelta(minutes=1)) == "due"
    assert "in 59 s" in console.due(timezone.now() + timedelta(seconds=59.9))


MARKED: list[tuple[Any, Any, list[str]]] = [
    ("a", "user", ["user"]),
    ({"a": 1, "b": "x"}, {"a": "trusted", "b": None}, ["trusted"]),
    ({"a": {"b": "x", "c": "y"}}, {"a": {"b": "user", "c": "nowhere"}}, ["user", "nowhere"]),
    ([{"a": 1, "b": 2}, {"a": 3}], [{"a": "user", "b": "trusted"}, {"a": "untrusted"}],
     ["user", "trusted", "untrusted"]),
    (["x", "y"], ["user", "nowhere"], ["user", "nowhere"]),
    ({"a": {"b": {"c": {"d": {"e": 1, "f": 2}}}}}, {"a": {"b": {"c": {"d": {"e": "user", "f": "untrusted"}}}}},
     ["untrusted", "user"]),
    ({"\u202ea": "x"}, {"\u202ea": "user"}, ["user"]),
    ({"a": "x"}, ["user"], []),
    (["x", "y"], ["user"], ["user"]),
    ("a", SCRIPT, []),
    ({"a": ["x"]}, {"a": "user"}, []),
]  # fmt: skip


@pytest.mark.parametrize(("value", "marks", "shown"), MARKED)
def test_each_value_bears_its_mark_wherever_it_stands(value: Any, marks: Any, shown: list[str]) -> None:
    template = Template("{% load console %}{% show_value value whole=True marks=marks %}")
    page = template.render(Context({"value": value, "marks": marks}))
    assert re.findall(r'class="source source-(\w+)"', page) == shown
    assert "<script" not in page
