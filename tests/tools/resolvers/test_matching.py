"""Which thing words mean: whole words and days, the same every time, and never a guess."""

from __future__ import annotations

import unicodedata
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.resolvers.dates import read_day, take_span
from tools.resolvers.declaration import Resolver, keeps_resolvers, read_resolvers
from tools.resolvers.matching import Candidate, match, query_of, read_candidates, words_of
from tools.resolvers.places import find_places, put_at

AT = datetime(2026, 3, 11, 9, tzinfo=UTC)  # a Wednesday
KETTLES = [
    Candidate("A-1", "Blue kettle", date(2026, 3, 4)),
    Candidate("A-2", "Red kettle", date(2026, 3, 10)),
    Candidate("A-3", "Blue kettle, large", date(2026, 1, 2)),
    Candidate("A-4", "Ann Lée", date(2026, 1, 3)),
    Candidate(7, "Number seven", None),
]


@pytest.mark.parametrize(
    ("said", "fitting", "how"),
    [
        ("A-1", ["A-1"], "value"),
        (" A-1 ", ["A-1"], "value"),
        ("7", [7], "value"),
        ("blue KETTLE", ["A-1"], "label"),
        ("ann lee", ["A-4"], "label"),
        ("the red one", ["A-2"], "words"),
        ("my large kettles", ["A-3"], "words"),
        ("the blue kettle from last week", ["A-1"], "words"),
        ("yesterday's kettle", ["A-2"], "words"),
        ("the kettle of 2026-01-02", ["A-3"], "words"),
        ("kettle", ["A-1", "A-2", "A-3"], "words"),
        ("the blue kettle from this week", [], ""),
        ("the", [], ""),
        ("", [], ""),
        ("kett", [], ""),
        ("number seven from yesterday", [], ""),
    ],
)
def test_words_fit_whole_or_not_at_all(said: str, fitting: list[str | int], how: str) -> None:
    found = match(said, KETTLES, AT, dated=True)
    assert ([each.value for each in found.fitting], found.how) == (fitting, how)


def test_words_of_time_are_words_where_things_have_no_days() -> None:
    assert match("kettle from last week", [Candidate("A-1", "Kettle from last week")], AT).how == "label"
    assert match("kettle from yesterday", KETTLES, AT).fitting == ()


@pytest.mark.parametrize(
    ("said", "label"), [("काली", "किला"), ("ガラス", "カラス"), ("мои", "мой"), ("กา", "กี่")]
)
def test_marks_that_make_another_word_are_heeded(said: str, label: str) -> None:
    assert match(said, [Candidate("A-1", label)], AT).fitting == ()
    assert match(said, [Candidate("A-1", f"1 {said} 2")], AT).how == "words"
    assert match(unicodedata.normalize("NFD", said), [Candidate("A-1", said)], AT).how == "label"


@pytest.mark.parametrize(
    ("said", "first", "last"),
    [
        ("today", date(2026, 3, 11), date(2026, 3, 11)),
        ("the day before yesterday", date(2026, 3, 9), date(2026, 3, 9)),
        ("3 days ago", date(2026, 3, 8), date(2026, 3, 8)),
        ("2 weeks ago", date(2026, 2, 19), date(2026, 2, 25)),
        ("last week", date(2026, 3, 2), date(2026, 3, 11)),
        ("this week", date(2026, 3, 9), date(2026, 3, 15)),
        ("last month", date(2026, 2, 1), date(2026, 3, 11)),
        ("this month", date(2026, 3, 1), date(2026, 3, 31)),
        ("on 2026-02-28", date(2026, 2, 28), date(2026, 2, 28)),
    ],
)
def test_words_of_time_are_meant_from_when_they_were_said(said: str, first: date, last: date) -> None:
    rest, span = take_span(f"kettle {said}", AT)
    assert span is not None
    assert (rest.split(), span.first, span.last) == (["kettle"], first, last)


@pytest.mark.parametrize("said", ["2026-02-31", "99999 days ago", "lastweek", "yesterdays-list", "kettle"])
def test_what_is_no_day_is_no_day(said: str) -> None:
    assert take_span(said, AT) == (said, None)


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("2026-03-04T23:30:00-05:00", date(2026, 3, 5)),
        ("2026-03-04", date(2026, 3, 4)),
        (0, date(1970, 1, 1)),
        (True, None),
        (1e300, None),
        ("soon", None),
        (None, None),
    ],
)
def test_days_of_things_are_those_of_utc(value: object, day: date | None) -> None:
    assert read_day(value) == day


@given(st.text(max_size=60), st.lists(st.text(max_size=20), max_size=5))
def test_any_text_is_matched_without_fail_and_in_any_order(said: str, labels: list[str]) -> None:
    things = [Candidate(str(number), label, None) for number, label in enumerate(labels)]
    one, other = match(said, things, AT, dated=True), match(said, things[::-1], AT, dated=True)
    assert {each.value for each in one.fitting} == {each.value for each in other.fitting}
    assert query_of(said, AT) is not None


def test_the_tool_is_asked_for_the_words_that_name_something() -> None:
    assert query_of("the blue kettle from last week", AT) == "blue kettle"
    assert query_of("last week", AT) == "last week"
    assert query_of("the one from last week", AT, dated=True) == ""
    assert words_of("The Blues of A-1") == {"blue", "1"}


READ = Resolver(
    ("order_id",), "find", ("id",), ("data", "orders"), labels=(("name",), ("by", "name")), date=("at",)
)


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ({"data": {"orders": [{"id": "A", "name": "x", "by": {"name": "y"}, "at": "2026-01-01"}]}},
         [Candidate("A", "x y", date(2026, 1, 1))]),
        ({"data": {"orders": [{"id": True}, {"id": None}, {"id": " "}, {"id": 4}, {"id": 4}, "x"]}}, [Candidate(4)]),
        ({"data": {"orders": [{"id": "A", "name": "a\n\u202eb" + "c" * 400}]}},
         [Candidate("A", "a b" + "c" * 117)]),
        ({"data": {"orders": {"id": "A"}}}, None),
        ({"data": {"orders": [{"id": n} for n in range(1_001)]}}, None),
        ([], None),
        (None, None),
    ],
)  # fmt: skip
def test_an_answer_is_read_as_it_was_declared(answer: object, found: object) -> None:
    assert read_candidates(answer, READ) == found


def test_an_answer_may_be_the_list_or_the_one_thing_itself() -> None:
    bare = Resolver(("who",), "find", ("id",))
    assert read_candidates([{"id": "A"}], bare) == read_candidates({"id": "A"}, bare) == [Candidate("A")]


def test_arguments_are_found_and_put_in_place_in_lists_too() -> None:
    given = {"lines": [{"item": "a"}, {"item": None}, {"n": 1}, {"item": "b"}], "note": "x"}
    places = list(find_places(given, ("lines", "*", "item")))
    assert places == [(("lines", 0, "item"), "a"), (("lines", 3, "item"), "b")]
    put = put_at(given, ("lines", 3, "item"), "B")
    assert (put["lines"][3], given["lines"][3], put["note"]) == ({"item": "B"}, {"item": "b"}, "x")


WAS = {"a": {"tool": "find", "value": "id", "fresh_s": 60}}


@pytest.mark.parametrize(
    ("after", "kept"),
    [
        (WAS, True),
        ({**WAS, "b": {"tool": "find", "value": "id"}}, True),
        ({"a": {**WAS["a"], "fresh_s": 30}}, True),
        ({"a": {**WAS["a"], "fresh_s": 61}}, False),
        ({"a": {"tool": "find", "value": "id"}}, False),
        ({"a": {**WAS["a"], "tool": "other"}}, False),
        ({}, False),
    ],
)
def test_to_look_up_less_or_from_older_lists_loosens(after: dict[str, dict[str, object]], kept: bool) -> None:
    assert keeps_resolvers(WAS, after) is kept


def test_what_needs_another_argument_is_looked_up_after_it() -> None:
    raw = {
        "a": {"tool": "items", "value": "id", "arguments": {"order": "$arguments.order"}},
        "order": {"tool": "orders", "value": "id"},
    }
    assert [each.name for each in read_resolvers(raw)] == ["order", "a"]
