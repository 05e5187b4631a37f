"""Plain JSON: what the faster encoder writes is what the standard library writes, to the byte."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentops.plain_json import dump_plain


class Color(StrEnum):
    RED = "red"


class Pair(NamedTuple):
    one: int


class Name(str):
    pass


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(2**63, 2**65)
    | st.floats()
    | st.text(st.characters())
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(st.characters(), max_size=3), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(VALUES, st.booleans())
def test_what_is_written_is_what_the_standard_library_writes(value: Any, sort_keys: bool) -> None:
    written = dump_plain(value, sort_keys=sort_keys)
    if written is not None:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=sort_keys)
        assert written == text.encode()


@pytest.mark.parametrize(
    "value",
    [
        0.5,
        float("nan"),
        2**64,
        "\ud800",
        date(2026, 1, 1),
        UUID(int=1),
        Decimal(1),
        Color.RED,
        Pair(1),
        Name("x"),
        b"",
    ],
)
@pytest.mark.parametrize("hide", [lambda v: v, lambda v: [v], lambda v: {"a": 1, "b": [{"c": v}]}])
def test_what_one_of_them_writes_otherwise_or_refuses_is_left_to_it(value: object, hide: Any) -> None:
    assert dump_plain(hide(value)) is None


def test_names_that_are_no_text_are_left_to_it() -> None:
    assert dump_plain({1: "a"}) is None


def test_plain_values_are_written() -> None:
    assert dump_plain({"b": [1, None], "a": True}) == b'{"b":[1,null],"a":true}'
