"""Reading YAML: what JSON could say as well, within limits, and nothing guessed."""

from __future__ import annotations

from typing import Any

import pytest

from agentops.errors import ValidationFailed
from agentops.strict_yaml import SIZE_LIMIT_BYTES, read_yaml
from runs.provisioning.variables import fill_in


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1", {"a": 1}),
        ("a: -1", {"a": -1}),
        ("a: 1.5", {"a": 1.5}),
        ("a: 1e3", {"a": 1000.0}),
        ("a: true", {"a": True}),
        ("a: null", {"a": None}),
        ("a:", {"a": None}),
        ("a: ~", {"a": None}),
        ('a: "1"', {"a": "1"}),
        # What other readers would turn into something else:
        ("a: yes", {"a": "yes"}),
        ("a: on", {"a": "on"}),
        ("a: 0777", {"a": "0777"}),
        ("a: 0x1f", {"a": "0x1f"}),
        ("a: 1_000", {"a": "1_000"}),
        ("a: 12:30:00", {"a": "12:30:00"}),
        ("a: 2027-01-01", {"a": "2027-01-01"}),
        ("a: .inf", {"a": ".inf"}),
        ("a: 1.", {"a": "1."}),
        ("<<: {a: 1}", {"<<": {"a": 1}}),
        ("a: |\n  two\n  lines\n", {"a": "two\nlines\n"}),
        ("", None),
    ],
)
def test_values(text: str, value: object) -> None:
    assert read_yaml(text) == value


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("a: 1\na: 2", "twice"),
        ("a: {b: 1, b: 2}", "twice"),
        ("a: &x 1\nb: *x", "anchor"),
        ("a: &x 1", "anchor"),
        ("a: *x", "alias"),
        ("a: !!python/object/apply:os.system [id]", "tag"),
        ("a: !!str 1", "tag"),
        ("--- a\n--- b", "second document"),
        ("1: a", "key"),
        ("true: a", "key"),
        ("? [a]\n: b", "key"),
        ("a: [1, 2", "line"),
        ("a: 'x", "line"),
        ("\tx: 1", "line"),
        ("a: \x07", "not YAML"),
        ("[" * 50 + "]" * 50, "levels"),
        ("{a: " * 50 + "1" + "}" * 50, "levels"),
        ("[" * 100_000, "levels"),
        ("a: [" + "1, " * 120_000 + "1]", "parts"),
        ("a: " + "x" * SIZE_LIMIT_BYTES, "KiB"),
        ("a: " + "\ud800", "not YAML"),
    ],
    ids=lambda value: value[:30],
)
def test_refusals(text: str, word: str) -> None:
    with pytest.raises(ValidationFailed) as refusal:
        read_yaml(text)
    assert word in refusal.value.detail


def test_line_of_the_fault_is_named() -> None:
    with pytest.raises(ValidationFailed, match="line 3"):
        read_yaml("a: 1\nb: 2\na: 3\n")


def test_variables_reach_values_and_not_names() -> None:
    document: Any = {"${APPLY_X}": ["${APPLY_X}", {"b": "<${APPLY_X}|${APPLY_Y:-z}>"}, 1, None]}

    filled = fill_in(document, {"APPLY_X": "x: {y", "APPLY_Y": ""})
    assert filled == {"${APPLY_X}": ["x: {y", {"b": "<x: {y|z>"}, 1, None]}


@pytest.mark.parametrize("name", ["SECRET_KEY", "DATABASE_URL", "OPENAI_API_KEY", "PATH", "apply_x"])
def test_secrets_are_out_of_reach(name: str) -> None:
    with pytest.raises(ValidationFailed, match="variable_not_allowed"):
        fill_in({"a": [f"${{{name}}}"]}, {name: "secret"})


def test_filled_in_text_is_not_looked_at_again() -> None:
    assert fill_in("${APPLY_X}", {"APPLY_X": "${SECRET_KEY}"}) == "${SECRET_KEY}"
