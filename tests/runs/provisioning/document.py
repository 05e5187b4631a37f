"""A document that sets a company up, and edits of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from typing import Any

import yaml

from identities.models import User
from runs.provisioning import Plan, apply_document

BASE = """
format: agentops/1
groups:
  approvers: {permissions: [ledger.view_entry]}
people:
  gina: {groups: [approvers], password_from: APPLY_PASSWORD_GINA}
  hugo: {}
teams:
  desk: {name: Desk, members: [gina, hugo]}
schemas:
  money: {type: string, pattern: "^[0-9.]+$"}
  line: {type: object, properties: {price: {$ref: "#/$defs/money"}}}
  unused: {type: string}
tools:
  look_up:
    team: desk
    description: Looks an order up.
    effect: read
    idempotency: none
    adapter: http
    config: {method: GET, url: "${APPLY_SHOP:-http://127.0.0.1:9}/orders/{order_id}"}
    input_schema: {type: object, properties: {order_id: {type: string}}, required: [order_id]}
    output_schema: {type: object, properties: {line: {$ref: "#/$defs/line"}}}
  refund:
    team: desk
    description: Pays money back.
    statement: refund {amount} for {order_id}
    effect: irreversible
    idempotency: honours_key
    adapter: http
    config: {method: POST, url: "http://127.0.0.1:9/refund"}
    timeout_s: 3
    amount_argument: amount
    currency: USD
    dedupe_on: [order_id]
    approvers: {people: [gina], groups: [approvers]}
    input_schema:
      type: object
      properties: {order_id: {type: string}, amount: {$ref: "#/$defs/money"}}
prices:
  little-model: {version: "1", input_usd_per_mtok: "0.10", output_usd_per_mtok: "0.40"}
agents:
  desk-agent:
    team: desk
    name: Desk agent
    purpose: Helps.
    owner: hugo
    grants:
      look_up: {decision: ALLOW}
      refund: {decision: REQUIRE_APPROVAL, caps: [{per: day, amount: "100.00"}]}
versions:
  desk-agent:
    instructions: Help the customer.
    model: little-model
    principal_source: application
    catalogue: [refund, look_up]
    budget: {max_steps: 5, max_tokens: 1000, max_usd: "0.50", max_seconds: 30}
applications:
  desk-app: {team: desk, name: Desk app, may_assert_users: true, may_start: [desk-agent]}
budgets:
  - {team: desk, window: day, max_usd: "5.00"}
  - {team: desk, agent: desk-agent, window: day, max_usd: "2.50", max_steps: 100}
"""
VARIABLES = {"APPLY_PASSWORD_GINA": "correct horse battery"}
END = "2099-12-31T00:00:00+00:00"


def set_end(end: str) -> Callable[[dict[str, Any]], object]:
    """Return the edit that gives the agent an end."""
    return lambda document: document["agents"]["desk-agent"].update(expires_at=end)


def instruct(text: str) -> Callable[[dict[str, Any]], object]:
    """Return the edit that gives the agent's version these instructions."""
    return lambda document: document["versions"]["desk-agent"].update(instructions=text)


def apply(actor: User, text: str = BASE, **options: Any) -> Plan:
    return apply_document(actor=actor, text=text, variables=VARIABLES, **options)


@cache
def _base() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(BASE)
    return document


def edited(edit: Callable[[dict[str, Any]], object]) -> str:
    """Return the base document with an edit."""
    document = deepcopy(_base())
    edit(document)
    return json.dumps(document)  # YAML too


def changed(plan: Plan) -> dict[str, str]:
    return {
        f"{change.kind} {change.name}": change.action
        for change in plan.changes
        if change.action != "unchanged"
    }
