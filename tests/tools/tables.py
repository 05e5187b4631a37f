"""Decision tables in the database, in few words."""

from __future__ import annotations

from typing import Any

from identities.models import User
from tests.cast import Cast
from tools.models import DecisionTable, DecisionTableVersion
from tools.services import TableDraft, create_table, publish_table, save_table

Json = dict[str, Any]

CASES: list[Json] = [
    {"name": "early", "inputs": {"order id": "A-1", "days": 3}, "expect": {"amount": 50}},
    {"name": "unknown", "inputs": {"order id": "A-1", "days": -1}, "expect": None},
]


def eligibility(*, early: str = "50") -> Json:
    """Return who gets how much back: nothing is said of days before the purchase."""
    return {
        "inputs": [{"expression": "order id", "type": "string"}, {"expression": "days", "type": "number"}],
        "outputs": [{"name": "amount", "type": "number"}],
        "rules": [
            {"id": "early", "tests": ["-", "[0..14]"], "outputs": [early]},
            {"id": "late", "tests": ["-", "> 14"], "outputs": ["0"]},
        ],
    }


def policy(*rules: tuple[str, str]) -> Json:
    """Return a table over the amount of a call; a rule is a cell and a verdict."""
    return {
        "inputs": [{"expression": "amount", "type": "number"}],
        "outputs": [{"name": "verdict", "type": "string"}],
        "rules": [
            {"id": f"p{n}", "tests": [when], "outputs": [f'"{then}"']}
            for n, (when, then) in enumerate(rules, 1)
        ],
    }


def make_table(cast: Cast, slug: str = "refund-eligibility", by: User | None = None) -> DecisionTable:
    """Name a table of the team."""
    return create_table(actor=by or cast.ada, team=cast.team, slug=slug, name="Who gets a refund")


def publish(
    cast: Cast, table: DecisionTable, definition: Json, cases: list[Json] | None = None, **dates: Any
) -> DecisionTableVersion:
    """Draft and publish, whatever is missing from it."""
    draft = save_table(actor=cast.ada, table=table, draft=TableDraft(definition, cases or [], **dates))
    return publish_table(actor=cast.ada, version=draft, acknowledgement="Meant so.")
