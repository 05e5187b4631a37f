"""The retail company as a provisioning document: one agent, the 16 tools, a person for every change of the shop.

All requests share the agent; each has a shop of its own, which the tool server finds by the principal that
the platform propagates to it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.retail.catalogue import RetailTool

JsonObject = dict[str, Any]  # Any: JSON values


def build_document(tools: list[RetailTool], shop_url: str, of_writes: Mapping[str, Any] = {}) -> str:
    """Return the document as text; JSON is YAML. ``of_writes``: how tools that change something differ."""
    return json.dumps(
        {
            "format": "agentops/1",
            "groups": {"retail-approvers": {}},
            "people": {"olga": {}, "rita": {"groups": ["retail-approvers"]}},
            "teams": {"retail": {"name": "Retail", "members": ["olga", "rita"]}},
            "tools": {tool.name: _tool(tool, shop_url, of_writes) for tool in tools},
            "prices": {
                "scripted": {"version": "1", "input_usd_per_mtok": "0.10", "output_usd_per_mtok": "0.40"}
            },
            "agents": {"retail-agent": _agent(tools)},
            "versions": {"retail-agent": _version(tools)},
            "applications": {
                "retail-app": {
                    "team": "retail",
                    "name": "Shop",
                    "may_assert_users": True,
                    "may_start": ["retail-agent"],
                }
            },
        }
    )


def _tool(tool: RetailTool, shop_url: str, of_writes: Mapping[str, Any]) -> JsonObject:
    # No dedupe_on: one tool leads to many shops here, and the same order stands in each of them.
    described = {
        "team": "retail",
        "description": tool.description,
        "statement": tool.statement,
        "effect": tool.effect_class,
        "idempotency": "honours_key",
        "adapter": "http",
        "config": {
            "method": "POST",
            "url": f"{shop_url}/tools/{tool.name}",
            "body": "json",
            "allow_private": True,
            "read_back": {"method": "GET", "url": f"{shop_url}/effects/{{idempotency_key}}"},
        },
        "input_schema": tool.input_schema,
        "output_schema": tool.output_schema,
        "timeout_s": 10,
        "approvers": {"groups": ["retail-approvers"]},
    }
    return described if tool.effect_class == "read" else {**described, **of_writes}


def _agent(tools: list[RetailTool]) -> JsonObject:
    decisions = {"read": "ALLOW", "reversible": "REQUIRE_APPROVAL", "irreversible": "REQUIRE_APPROVAL"}
    return {
        "team": "retail",
        "name": "Retail agent",
        "purpose": "answers the customers of the shop",
        "owner": "olga",
        "expires_at": "2099-01-01T00:00:00Z",
        "grants": {tool.name: {"decision": decisions[tool.effect_class]} for tool in tools},
    }


def _version(tools: list[RetailTool]) -> JsonObject:
    return {
        "instructions": "You are the retail agent. Help the customer within the policy of the shop.",
        "model": "scripted",
        "catalogue": [tool.name for tool in tools],
        "principal_source": "application",
        "budget": {"max_steps": 16, "max_tokens": 2_000_000, "max_usd": "2.00", "max_seconds": 600},
    }
