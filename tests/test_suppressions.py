"""Whoever silences a tool says why, on the same line."""

from __future__ import annotations

import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentops.runtime.supervision import ROOT

FOLDERS = ("agentops", "approvals", "config", "deploy", "identities", "runs", "tests", "tools")
MARK = re.compile(r"#\s*(noqa|type: ignore|pragma)\b")
WITH_REASON = re.compile(r"#\s*(noqa: [A-Z]+\d+|type: ignore\[[a-z, -]+\]|pragma: [a-z ]+?)\W+(\w.*)")


def marks(path: Path) -> Iterator[str]:
    """Yield the comments of a file that silence a tool."""
    with path.open("rb") as source:
        for token in tokenize.tokenize(source.readline):
            if token.type == tokenize.COMMENT and MARK.match(token.string):
                yield token.string


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_suppression_has_a_reason(folder: str) -> None:
    files = [path for path in (ROOT / folder).rglob("*.py") if "migrations" not in path.parts]
    bare = [
        f"{path.relative_to(ROOT)}: {mark}" for path in files for mark in marks(path) if not has_reason(mark)
    ]

    assert (len(files) > 0, bare) == (True, [])


def has_reason(mark: str) -> bool:
    return WITH_REASON.match(mark) is not None


@pytest.mark.parametrize(
    ("mark", "expected"),
    [
        ("# noqa: S101", False),
        ("# noqa", False),
        ("# type: ignore", False),
        ("# type: ignore[arg-type]", False),
        ("# noqa: S101  the schema requires it", True),
        ("# type: ignore[assignment, method-assign]  # the mutation", True),
    ],
)
def test_what_a_reason_is(mark: str, expected: bool) -> None:
    assert has_reason(mark) is expected
