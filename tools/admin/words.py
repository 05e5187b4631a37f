"""Terms and schemas as people read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from agentops.console.words import count, money, span
from agentops.errors import ValidationFailed
from tools.caps import parse_caps
from tools.in_force import read_latest
from tools.models import Tool, ToolGrant, ToolVersion

DEEPEST = 3
MOST_FIELDS = 60
RULES = {
    "enum": "one of {}",
    "const": "always {}",
    "format": "a {}",
    "pattern": "matches {}",
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
}
# What a tool declares for the time in which it is not called.
MEANWHILE = {
    "halt": "a run that needs it halts",
    "wait": "a run that needs it waits",
    "skip": "runs go on without it",
}


@dataclass(frozen=True, slots=True)
class SchemaField:
    """One argument of a tool, for people."""

    name: str
    kind: str
    required: bool
    rules: str
    description: str


def describe_schema(schema: Mapping[str, Any]) -> list[SchemaField]:
    """Return the arguments that a JSON Schema describes; what is nested reads ``order.items[].id``."""
    return [field for field, _ in zip(_fields(schema, "", 0), range(MOST_FIELDS), strict=False)]


def _fields(schema: Mapping[str, Any], prefix: str, level: int) -> Iterator[SchemaField]:
    properties, required = schema.get("properties"), schema.get("required") or ()
    if not isinstance(properties, dict) or level >= DEEPEST:
        return
    for name, rule in properties.items():
        if not isinstance(rule, dict):
            continue
        yield SchemaField(
            f"{prefix}{name}", _kind(rule), name in required, _rules(rule), str(rule.get("description", ""))
        )
        items = rule.get("items")
        yield from _fields(rule, f"{prefix}{name}.", level + 1)
        if isinstance(items, dict):
            yield from _fields(items, f"{prefix}{name}[].", level + 1)


def _kind(rule: Mapping[str, Any]) -> str:
    kinds = rule.get("type", "any")
    named = " or ".join(str(kind) for kind in kinds) if isinstance(kinds, list) else str(kinds)
    items = rule.get("items")
    return f"list of {_kind(items)}" if named == "array" and isinstance(items, dict) else named


def _rules(rule: Mapping[str, Any]) -> str:
    words = []
    for key, template in RULES.items():
        if key in rule:
            value = rule[key]
            words.append(template.format(", ".join(map(str, value)) if isinstance(value, list) else value))
    return "; ".join(words)


def describe_terms(grant: ToolGrant, version: ToolVersion | None) -> str:
    """Return what a grant allows, as the end of a sentence that begins with the tool's name."""
    if grant.decision == ToolGrant.Decision.DENY:
        return "may not be used"
    held = f"; held for {span(grant.veto_s)} before it goes out, for a veto" if grant.veto_s else ""
    asked = "; the end user confirms each call first" if grant.confirmation else ""
    return _describe_uses(grant, version) + held + asked


def _describe_uses(grant: ToolGrant, version: ToolVersion | None) -> str:
    if not has_readable_caps(grant):
        return f"is denied, because its caps cannot be read: {grant.caps}"
    caps = join_caps(grant.caps, version.currency if version else "")
    answer = f"who has {span(grant.approval_ttl_s)} to answer"
    if grant.decision == ToolGrant.Decision.REQUIRE_APPROVAL:
        return f"a person is asked every time, {answer}" + (f"; never beyond {caps}" if caps else "")
    if grant.decision == ToolGrant.Decision.ALLOW:
        return "may be used freely"
    beyond = f"a person is asked, {answer}" if grant.over_caps == "REQUIRE_APPROVAL" else "it is denied"
    return f"may be used up to {caps}; beyond that {beyond}"


def has_readable_caps(grant: ToolGrant) -> bool:
    """Return whether policy can read the caps; it denies where it cannot."""
    try:
        return bool(parse_caps(grant.caps)) or grant.decision != ToolGrant.Decision.ALLOW_WITH_CAPS
    except ValidationFailed:
        return False


def join_caps(caps: list[dict[str, Any]], currency: str) -> str:
    """Return caps as words: "50.00 USD a call, 10 calls and 500.00 USD a day"."""
    return ", ".join(_cap(cap, currency) for cap in caps)


def _cap(cap: Mapping[str, Any], currency: str) -> str:
    parts = []
    if cap.get("count") is not None:
        parts.append(count(cap["count"], "call"))
    if cap.get("amount") is not None:
        parts.append(money(Decimal(str(cap["amount"])), currency))
    return f"{' and '.join(parts)} a {cap.get('per', '')}"


def may_run_without_people(grant: ToolGrant) -> bool:
    """Return whether calls go out without a person's word, as far as the grant goes."""
    return grant.decision in (ToolGrant.Decision.ALLOW, ToolGrant.Decision.ALLOW_WITH_CAPS)


def latest_versions(tools: list[Tool]) -> dict[Any, ToolVersion]:
    """Return the newest version of each tool in one query; keys are the tools' ids."""
    return read_latest(tool.pk for tool in tools)
