from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentops.strict_json import MAX_DEPTH, MalformedJSON, parse_json

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=20,
)


@given(VALUES)
def test_reads_what_json_writes(value: object) -> None:
    assert parse_json(json.dumps(value).encode()) == value
    assert parse_json(json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[1,]",
        b"{'a': 1}",
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"1e999",
        b"[9007199254740992]",
        b"1" * 5000,
        b'"\xff"',
        b'"caf\xe9"',
        '"two"'.encode("utf-16"),
        b'\xef\xbb\xbf{"byte order": "mark"}',
        b'"\\u0000"',
        b'{"\\u0000": 1}',
        b'"\\ud800"',
        b'"\n"',
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        b"[" * 100_000,
        b"1 2",
        b"true false",
    ],
)
def test_refuses_what_two_readers_could_read_differently(raw: bytes) -> None:
    with pytest.raises(MalformedJSON) as refused:
        parse_json(raw)
    assert len(str(refused.value)) < 100  # says what is wrong, quotes nothing


def test_depth_is_counted_to_the_limit() -> None:
    parse_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)


def test_a_surrogate_pair_is_one_character() -> None:
    assert parse_json(b'"\\ud83d\\ude00"') == "\N{GRINNING FACE}"
