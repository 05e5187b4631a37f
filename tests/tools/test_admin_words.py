from __future__ import annotations

from typing import Any

import pytest

from tools.admin.words import DEEPEST, MOST_FIELDS, describe_schema, describe_terms
from tools.models import ToolGrant, ToolVersion

USD = ToolVersion(currency="USD")


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"decision": "ALLOW"}, "may be used freely"),
        (
            {"decision": "ALLOW", "veto_s": 600},
            "may be used freely; held for 10 min before it goes out, for a veto",
        ),
        ({"decision": "DENY"}, "may not be used"),
        (
            {"decision": "REQUIRE_APPROVAL", "approval_ttl_s": 90},
            "a person is asked every time, who has 1 min to answer",
        ),
        (
            {"decision": "REQUIRE_APPROVAL", "caps": [{"per": "day", "count": 1}]},
            "a person is asked every time, who has 10 min to answer; never beyond 1 call a day",
        ),
        (
            {"decision": "ALLOW_WITH_CAPS", "caps": [{"per": "call", "amount": "50.00"}]},
            "may be used up to 50.00 USD a call; beyond that it is denied",
        ),
        (
            {
                "decision": "ALLOW_WITH_CAPS",
                "caps": [{"per": "run", "count": 2}, {"per": "day", "count": 10, "amount": "500"}],
                "over_caps": "REQUIRE_APPROVAL",
            },
            "may be used up to 2 calls a run, 10 calls and 500.00 USD a day; "
            "beyond that a person is asked, who has 10 min to answer",
        ),
    ],
)
def test_terms_are_told_in_plain_words(terms: dict[str, Any], said: str) -> None:
    assert describe_terms(ToolGrant(**terms), USD) == said


def test_an_amount_that_is_none_is_shown_as_it_stands() -> None:
    grant = ToolGrant(decision="ALLOW_WITH_CAPS", caps=[{"per": "call", "amount": "much"}])
    assert "much" in describe_terms(grant, None)


def test_arguments_are_told_with_their_rules() -> None:
    schema = {
        "type": "object",
        "required": ["amount"],
        "properties": {
            "amount": {"type": "number", "minimum": 1, "maximum": 50, "description": "In USD."},
            "items": {"type": "array", "items": {"type": "object", "properties": {"id": {"type": "string"}}}},
            "state": {"type": ["string", "null"], "enum": ["open", "closed"]},
        },
    }
    told = {field.name: field for field in describe_schema(schema)}
    assert list(told) == ["amount", "items", "items[].id", "state"]
    assert (told["amount"].required, told["amount"].rules) == (True, "at least 1; at most 50")
    assert (told["items"].kind, told["state"].kind) == ("list of object", "string or null")
    assert (told["state"].required, told["state"].rules) == (False, "one of open, closed")


@pytest.mark.parametrize(
    "schema", [{}, {"properties": []}, {"properties": {"a": True}}, {"properties": {"a": {}}}]
)
def test_a_schema_that_says_little_breaks_nothing(schema: dict[str, Any]) -> None:
    assert all(field.kind == "any" for field in describe_schema(schema))


def test_depth_and_length_are_bounded() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(20):
        schema = {"type": "object", "properties": {"down": schema}}
    assert len(describe_schema(schema)) == DEEPEST
    wide = {"properties": {f"field_{n}": {"type": "string"} for n in range(500)}}
    assert len(describe_schema(wide)) == MOST_FIELDS
