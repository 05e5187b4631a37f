"""Canonical JSON: whatever way it is written, it is RFC 8785 to the byte."""

from __future__ import annotations

from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from agentops.canonical import LARGEST_EXACT, canonical_json
from agentops.errors import ValidationFailed

TEXTS = st.text(st.characters(codec="utf-8"))
LEAVES = (
    st.none() | st.booleans() | st.integers(-LARGEST_EXACT, LARGEST_EXACT) | TEXTS
    | st.floats(allow_nan=False, allow_infinity=False)
)  # fmt: skip
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=20)


@given(VALUES)
def test_every_json_value_is_written_as_the_standard_says(value: Any) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [True, None]}, b'{"a":[true,null],"b":1}'),
        ({"\U0001f600": 1, "\ufb33": 2}, '{"\U0001f600":1,"\ufb33":2}'.encode()),  # by UTF-16 units
        ([1.0, 1e21, 0.1], b"[1,1e+21,0.1]"),
        ('\x00\x1f\x7f"\\/\u20ac', '"\\u0000\\u001f\x7f\\"\\\\/\u20ac"'.encode()),
    ],
)
def test_what_ordinary_encoders_write_otherwise(value: Any, text: bytes) -> None:
    assert canonical_json(value) == text


@pytest.mark.parametrize(
    "value",
    [LARGEST_EXACT + 1, [-LARGEST_EXACT - 1], float("nan"), "\ud800", {"\ud800": 1}, {1: 2}, object()],
)
def test_what_json_cannot_carry_exactly_is_refused(value: Any) -> None:
    with pytest.raises(ValidationFailed):
        canonical_json({"value": value})
