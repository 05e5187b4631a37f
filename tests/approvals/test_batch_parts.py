"""The pure parts of a batch: templates, what is unusual, samples."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.batches.outliers import find_far_amounts, find_oddities, find_targets
from approvals.batches.sampling import count_needed, draw
from approvals.batches.templates import find_choices, find_leaves, find_template, shape_of
from approvals.models import SamplingRule

NO_CHOICES: frozenset[str] = frozenset()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


# --- templates ----------------------------------------------------------------------------------------------


def test_leaves_are_named_by_their_path() -> None:
    arguments = {"to": {"name": "Ann", "lines": ["a", 2]}, "gone": None, "all": {}, "yes": True}
    assert find_leaves(arguments) == {
        "to.name": "Ann", "to.lines.0": "a", "to.lines.1": "2", "gone": "nothing", "all": "nothing", "yes": "true",
    }  # fmt: skip


@given(JSON)
def test_whatever_is_asked_has_a_shape(value: Any) -> None:
    assert shape_of(value, NO_CHOICES) == shape_of(value, NO_CHOICES)
    assert len(find_leaves(value)) <= 200


def test_a_call_of_a_megabyte_has_a_bounded_shape() -> None:
    assert len(find_leaves({"lines": list(range(100_000))})) == 200


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ({"to": "a"}, {"to": "b"}, True),
        ({"to": ["a"]}, {"to": ["b", "c"]}, True),
        ({"to": "a"}, {"to": "a", "cc": "b"}, False),
        ({"to": "a"}, {"to": {"name": "a"}}, False),
        ({"kind": "mail"}, {"kind": "letter"}, False),
    ],
)
def test_of_one_template_is_what_has_the_same_names_and_choices(one: Any, other: Any, alike: bool) -> None:
    choices = find_choices({"properties": {"kind": {"enum": ["mail", "letter"]}, "to": {"type": "string"}}})
    assert (shape_of(one, choices) == shape_of(other, choices)) is alike


def test_choices_are_found_at_any_depth() -> None:
    inner = {"type": "object", "properties": {"fast": {"type": "boolean"}, "note": {"type": "string"}}}
    assert find_choices({"properties": {"how": inner, "odd": True}}) == {"how.fast"}


def test_a_template_tells_what_is_the_same_from_what_varies() -> None:
    found = find_template(
        [{"to": "a", "text": "Hello"}, {"to": "b", "text": "Hello"}, {"to": "b", "text": "Hello", "x": "1"}]
    )
    assert (found.constant, found.varying) == ({"text": "Hello"}, {"to": 2, "x": 1})


# --- what is unusual ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amounts", "far"),
    [
        ([20, 21, 19, 20, 900], [4]),
        ([20, 20, 20, 20, 20], []),
        ([20, 20, 20, 20, 25], [4]),
        ([20, 20, 20, 20, 21], []),
        ([10, 900], []),  # of so few none is usual
        ([10, 20, 30, 40, 50, 60], []),
        ([None, 20, 21, 19, 20, 20, 0], [6]),
    ],
)
def test_an_amount_far_from_the_usual_is_told(amounts: list[int | None], far: list[int]) -> None:
    told = find_far_amounts([None if amount is None else Decimal(amount) for amount in amounts])
    assert [place for place, words in enumerate(told) if words] == far


def test_a_target_that_was_hardly_ever_seen_is_told() -> None:
    decided = [{"to": "shop", "order": f"A-{number}"} for number in range(12)]
    targets = find_targets([*decided, {"to": "stranger", "order": "A-99"}])
    assert set(targets) == {"to"}, "a number that never comes again tells nobody apart"
    odd = {
        who: find_oddities({"to": who, "order": "A-1"}, "", targets, ())
        for who in ("shop", "stranger", "new")
    }
    assert {who: [each.words for each in found] for who, found in odd.items()} == {
        "shop": [], "stranger": ["to was seen once in decided requests"],
        "new": ["to was never seen in decided requests"],
    }  # fmt: skip


def test_a_tainted_field_is_named_and_comes_first() -> None:
    findings = [
        {"code": "granted"},
        {"code": "from_untrusted", "detail": "to.iban (text) is from text of a stranger"},
    ]
    found = find_oddities({"to.iban": "DE1", "to": "x"}, "far", {}, findings)
    assert [(each.code, each.leaf) for each in found] == [("tainted", "to.iban"), ("amount", "")]


# --- samples ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at_least", "percent", "size", "needed"),
    [
        (5, 0, 100, 5),
        (5, 10, 100, 10),
        (5, 10, 41, 5),
        (5, 10, 51, 6),
        (5, 0, 3, 3),
        (1, 100, 7, 7),
        (1, 1, 0, 0),
    ],
)
def test_how_many_are_opened(at_least: int, percent: int, size: int, needed: int) -> None:
    assert count_needed(SamplingRule(at_least=at_least, percent=percent), size) == needed


@given(st.sets(st.uuids(), min_size=1, max_size=30), st.integers(0, 30))
def test_a_sample_follows_from_seed_and_ids_alone(requests: set[UUID], needed: int) -> None:
    drawn = draw("seed", requests, needed)
    assert drawn == draw("seed", sorted(requests, reverse=True), needed)
    assert len(drawn) == min(needed, len(requests))
    assert drawn <= requests
    assert draw("seed", requests, needed + 1) >= drawn, "to draw more keeps what was drawn"


def test_another_seed_draws_others() -> None:
    requests = [UUID(int=number) for number in range(100)]
    assert draw("one", requests, 5) != draw("another", requests, 5)
