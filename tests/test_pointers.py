"""Places in JSON values."""

from __future__ import annotations

from typing import Any

import pytest

from agentops.pointers import follow

VALUE: Any = {"a": {"b/c": [10, {"~": True}]}, "": "empty", "0": "name"}


@pytest.mark.parametrize(
    ("pointer", "expected"),
    [
        ("", VALUE),
        ("/a/b~1c/0", 10),
        ("/a/b~1c/1/~0", True),
        ("/", "empty"),
        ("/0", "name"),
    ],
)
def test_a_pointer_leads_to_a_value(pointer: str, expected: Any) -> None:
    assert follow(VALUE, pointer) == expected


@pytest.mark.parametrize(
    "pointer",
    [
        "/x",
        "/a/x",
        "/a/b~1c/2",
        "/a/b~1c/-1",
        "/a/b~1c/00",
        "/a/b~1c/²",
        "/a/b~1c/x",
        "/a/b~1c/0/x",
        "/a/b~1c/1/~/x",
    ],
)
def test_or_to_nothing(pointer: str) -> None:
    with pytest.raises(LookupError):
        follow(VALUE, pointer)
