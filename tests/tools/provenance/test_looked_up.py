"""A value that was looked up comes from where its words did: that value, at its own place, and no other."""

from __future__ import annotations

import pytest

from tests.rewriting import rewrite
from tools.provenance import judging
from tools.provenance.judging import Resolved, is_below, trace_value
from tools.provenance.sources import NOWHERE, USER, Sources

NOTHING_SAID = Sources([""], ())
SKU = ("lines", "*", "sku")
FOUND = (Resolved(("lines", "0", "sku"), "K-1", USER), Resolved(("to",), "GB11", USER))


@pytest.mark.parametrize(
    ("path", "text", "origin"),
    [
        (("to",), "GB11", USER),
        (("to",), "FR99", NOWHERE),  # another value at that place
        (("note",), "GB11", NOWHERE),  # that value at another place
        (("to", "name"), "GB11", NOWHERE),  # a place below it was not looked up
    ],
)
def test_only_what_was_found_at_its_place_is_the_users(
    path: tuple[str, ...], text: str, origin: object
) -> None:
    assert trace_value(path, "identifier", text, NOTHING_SAID, FOUND) == origin


def test_which_item_of_a_list_it_is_does_not_count() -> None:
    every = (Resolved(("lines", "*", "sku"), "K-1", USER),)
    assert trace_value(SKU, "identifier", "K-1", NOTHING_SAID, every) == USER
    assert trace_value(("lines", "*", "name"), "identifier", "K-1", NOTHING_SAID, every) == NOWHERE


def test_below_is_the_place_itself_and_what_leads_on_from_it() -> None:
    assert is_below(("a", "b"), ("a",))
    assert is_below(("a",), ("a",))
    assert not is_below(("a",), ("a", "b"))
    assert not is_below(("b", "a"), ("a",))


@pytest.mark.parametrize(
    ("old", "path", "text"),
    [("each.text == text and ", ("to",), "FR99"), (" and is_below(each.path, path)", ("note",), "GB11")],
)
def test_without_either_a_value_lends_its_origin_to_others(
    old: str, path: tuple[str, ...], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewrite(monkeypatch, judging, "trace_value", old, "")
    assert judging.trace_value(path, "identifier", text, NOTHING_SAID, FOUND) == USER
