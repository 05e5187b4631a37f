"""Marks for people: they say what the judging of a call finds, and bound what they look at."""

from __future__ import annotations

from typing import Any

import pytest

from tools.provenance.declaration import read_declaration
from tools.provenance.judging import Meant, Resolved, judge
from tools.provenance.labels import Label, Leaf
from tools.provenance.marks import (
    LONGEST_TRACED,
    MOST_MARKED,
    mark_arguments,
    mark_result,
    sources_of_result,
)
from tools.provenance.sources import Origin, Sources

DECLARED = read_declaration(
    "pay",
    {
        "arguments": {"to": "destination", "amount": "amount", "lines.*.sku": "identifier"},
        "results": {"": ["untrusted"], "contacts.*.iban": ["trusted"]},
    },
)
SOURCES = Sources(
    ["Pay 1,200.50 to ann@x.org"],
    [Leaf("bob@x.org", Label("trusted"), "contacts"), Leaf("eve@y.net for S-9", Label(), "mail")],
)
CODES = {
    "user": "from_user",
    "trusted": "from_trusted",
    "untrusted": "from_untrusted",
    "nowhere": "from_nowhere",
}


@pytest.mark.parametrize(
    ("arguments", "marks"),
    [
        ({"to": "ann@x.org"}, {"to": "user"}),
        ({"to": "bob@x.org"}, {"to": "trusted"}),
        ({"to": "eve@y.net"}, {"to": "untrusted"}),
        ({"to": "mallory@z.net"}, {"to": "nowhere"}),
        ({"amount": "1200.5"}, {"amount": "user"}),
        ({"amount": 7}, {"amount": "nowhere"}),
        ({"lines": [{"sku": "S-9"}]}, {"lines": [{"sku": "untrusted"}]}),
    ],
)
def test_a_mark_is_what_the_finding_says(arguments: dict[str, Any], marks: dict[str, Any]) -> None:
    assert mark_arguments(DECLARED, arguments, SOURCES) == marks
    [source] = [each for each in CODES if f"'{each}'" in str(marks)]
    [finding] = judge("pay", "reversible", DECLARED, arguments, Meant(SOURCES))
    assert finding.code == CODES[source]


def test_what_was_looked_up_comes_from_where_its_words_did() -> None:
    found = (Resolved(("lines", "*", "sku"), "K-1", Origin("user")),)
    arguments = {"lines": [{"sku": "K-1", "note": "K-1"}]}
    assert mark_arguments(DECLARED, arguments, SOURCES, found) == {
        "lines": [{"sku": "user", "note": "nowhere"}]
    }


def test_what_nobody_declared_is_looked_for_as_it_stands() -> None:
    arguments = {"note": "for s-9", "price": 1200.5, "express": True, "more": None, "blank": " "}
    marks = {"note": "untrusted", "price": "user", "express": None, "more": None, "blank": None}
    assert mark_arguments(DECLARED, arguments, SOURCES) == marks


def test_what_is_marked_is_bounded() -> None:
    many = mark_arguments(DECLARED, {"notes": ["x"] * (MOST_MARKED + 5)}, SOURCES)["notes"]
    assert (len(many), many.count("nowhere")) == (MOST_MARKED, MOST_MARKED - 2)
    nested = mark_arguments(DECLARED, {"notes": [[["x"] * 500] * 500] * 500}, SOURCES)
    assert len(str(nested)) < 5_000
    # A code of this length would be looked for at each of its places, in each length.
    assert mark_arguments(DECLARED, {"to": "a1" * LONGEST_TRACED}, SOURCES) == {"to": None}


def test_a_result_bears_its_labels() -> None:
    value = {"contacts": [{"iban": "DE1", "note": "x"}], "text": "y"}
    assert mark_result(value, DECLARED.results) == {
        "contacts": [{"iban": "trusted", "note": "untrusted"}], "text": "untrusted",
    }  # fmt: skip
    assert sources_of_result(value, DECLARED.results) == ["untrusted", "trusted"]


def test_an_answer_made_of_strangers_words_is_theirs() -> None:
    trusted = read_declaration("ask", {"results": {"": ["trusted"]}}).results
    assert sources_of_result({"answer": "x"}, trusted) == ["trusted"]
    assert sources_of_result({"answer": "x"}, trusted, tainted=True) == ["untrusted"]
    assert mark_result({"answer": "x"}, trusted, tainted=True) == {"answer": "untrusted"}


def test_names_that_strangers_write_count_for_the_whole() -> None:
    rules = read_declaration("ask", {"results": {"*.iban": ["trusted"]}}).results
    assert sources_of_result({"Pay me!": {"iban": "DE1"}}, rules) == ["untrusted", "trusted"]
