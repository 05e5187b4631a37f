"""Which of several things a user named: a call that takes another one of the same list is put before a person."""

from __future__ import annotations

from typing import Any

import pytest

from tools.provenance.declaration import read_declaration
from tools.provenance.judging import Meant, judge
from tools.provenance.labels import Label, label_leaves
from tools.provenance.sources import Sources

PEOPLE = [
    {"id": "S-1", "name": "Ann Lee", "town": "Bergen"},
    {"id": "S-2", "name": "Bob Ray", "town": "Bergen"},
]
LEAVE = [{"id": "L-7", "person": "S-1", "why": "Skiing"}, {"id": "L-8", "person": "S-2", "why": "Family"}]
HOTELS = {"h1": {"name": "Hotel Aurora", "price": 90}, "h2": {"name": "Grand Palace", "price": 400}}
DECLARED = read_declaration("settle", {"arguments": {"id": "identifier"}})


def read(said: str, *results: Any) -> Sources:
    sources = Sources([said])
    for result in results:
        sources.read(label_leaves(result, (((), Label("trusted")),), "step 1"))
        sources.read_lists(result)
    return sources


@pytest.mark.parametrize(
    ("said", "results", "taken", "code"),
    [
        ("Write to Ann Lee", [PEOPLE], "S-1", "from_trusted"),
        ("Write to Ann Lee", [PEOPLE], "S-2", "another_named"),
        ("Write to S-1", [PEOPLE], "S-2", "another_named"),
        ("Book the hotel Aurora", [HOTELS], "h1", "from_trusted"),
        ("Book the hotel Aurora", [HOTELS], "h2", "another_named"),
        # By what a thing refers to.
        ("Grant the leave of Ann Lee", [PEOPLE, LEAVE], "L-7", "from_trusted"),
        ("Grant the leave of Ann Lee", [PEOPLE, LEAVE], "L-8", "another_named"),
        # Without a name, by the words: but they count for nothing where there is one.
        ("grant the leave for skiing", [LEAVE], "L-8", "another_named"),
        (
            "Put Bob Ray, not the one who went skiing, on the list of grants",
            [PEOPLE, LEAVE],
            "S-2",
            "from_trusted",
        ),
        # Nobody is named, both are, or as much of one as of the other.
        ("Answer the last one", [PEOPLE], "S-2", "from_trusted"),
        ("Write to Ann and Bob", [PEOPLE], "S-2", "from_trusted"),
        ("Who lives in Bergen? Write to one", [PEOPLE], "S-2", "from_trusted"),
        ("Write to everyone but Ann Lee", [PEOPLE], "S-2", "from_trusted"),
        # There was no other to choose.
        ("Write to Ann Lee", [PEOPLE[1:]], "S-2", "from_trusted"),
    ],
)
def test_another_thing_than_the_one_that_was_named_needs_a_person(
    said: str, results: list[Any], taken: str, code: str
) -> None:
    found = judge("settle", "reversible", DECLARED, {"id": taken}, Meant(read(said, *results)))
    assert [each.code for each in found] == [code]
    assert (found[0].word == "ALLOW") is (code == "from_trusted")


def test_without_comparing_it_would_go_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant."""
    monkeypatch.setattr(Sources, "is_another_named", lambda *_: False)
    found = judge("settle", "reversible", DECLARED, {"id": "S-2"}, Meant(read("Write to Ann Lee", PEOPLE)))
    assert [each.word for each in found] == ["ALLOW"]
