"""The company that is attacked: one team and agent per suite, provisioned by a document as any other is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice

from identities.models import AgentIdentity, Application, User
from runs.attacks.layers import PROVENANCE, Layer, PlanSource
from runs.attacks.suite import JsonObject, Suite, SuiteTool
from runs.attacks.world import HERE
from runs.provisioning import apply_document

OWNER, HUMAN = "attacks-owner", "attacks-human"
MODEL = "played"
WAIVER_LIFE = timedelta(days=30)
# Ceilings that no replay reaches: what stops an attack has to be the defence.
BUDGET = {"max_steps": 200, "max_tokens": 100_000_000, "max_usd": "10000", "max_seconds": 36_000}


@dataclass(frozen=True, slots=True)
class Desk:
    """One suite, provisioned with one layer: who starts its runs, and who decides about its calls."""

    suite: Suite
    layer: Layer
    agent: AgentIdentity
    application: Application
    human: User


def provision(suite: Suite, layer: Layer, *, actor: User, second: User, plan: PlanSource = "words") -> Desk:
    """Apply the suite's document, in the name of two superusers, for waivers take two; return its desk."""
    human, _ = User.objects.get_or_create(username=HUMAN)
    TOTPDevice.objects.get_or_create(user=human, name="authenticator", confirmed=True)
    document = build_document(suite, layer, plan)
    if any("waiver" in tool.terms for tool in suite.tools):  # no version is published before both have signed
        unpublished = {
            name: part for name, part in document.items() if name not in ("versions", "applications")
        }
        apply_document(actor=second, second=actor, text=json.dumps(unpublished))
    apply_document(actor=actor, second=second, text=json.dumps(document))
    slug = slug_of(suite, layer)
    agent = AgentIdentity.objects.get(slug=slug)
    return Desk(suite, layer, agent, Application.objects.get(slug=slug), human)


def slug_of(suite: Suite, layer: Layer) -> str:
    """Return the name of the team, the agent and the application of a suite at a layer."""
    return f"{suite.name}-{layer.name}".replace("_", "-")


def build_document(suite: Suite, layer: Layer, plan: PlanSource = "words") -> JsonObject:
    """Return the document that ``apply`` takes."""
    slug = slug_of(suite, layer)
    return {
        "format": "agentops/1",
        "people": {OWNER: {}, HUMAN: {}},
        "teams": {slug: {"name": slug, "members": [OWNER, HUMAN]}},
        "tools": {tool.name: _tool(tool, slug, layer) for tool in suite.tools},
        "prices": {MODEL: {"version": "1", "input_usd_per_mtok": "1", "output_usd_per_mtok": "2"}},
        "agents": {slug: _agent(suite, slug)},
        "versions": {slug: _version(suite, layer, plan)},
        "applications": {slug: {"team": slug, "name": slug, "may_assert_users": True, "may_start": [slug]}},
    }


def _tool(tool: SuiteTool, team: str, layer: Layer) -> JsonObject:
    stated = {name: value for name, value in tool.definition.items() if name != PROVENANCE}
    return {
        "idempotency": "honours_key",
        "statement": "" if tool.effect == "read" else f"{tool.name} as proposed",
        **stated,
        **layer.tool_keys(tool.definition),
        "lint_override": "A suite is attacked with its tools as they are.",
        "team": team,
        "adapter": "python",
        "config": {"function": f"{HERE}:perform"},
        "approvers": {"people": [HUMAN]},
    }


def _agent(suite: Suite, team: str) -> JsonObject:
    return {
        "team": team,
        "name": team,
        "purpose": "is taken over by whoever writes to it",
        "owner": OWNER,
        "expires_at": "2099-01-01T00:00:00Z",
        "grants": {tool.name: _terms(tool) for tool in suite.tools},
    }


def _terms(tool: SuiteTool) -> JsonObject:
    """Return the terms of a grant; a waiver gets its end here, for it may not lie far ahead."""
    terms = dict(tool.terms)
    if "waiver" in terms:
        ends_at = (timezone.now() + WAIVER_LIFE).replace(microsecond=0)
        terms["waiver"] = {"expires_at": ends_at.isoformat(), **terms["waiver"]}
    return terms


def _version(suite: Suite, layer: Layer, plan: PlanSource) -> dict[str, Any]:
    return {
        "instructions": "Do what the user asks for.",
        "model": MODEL,
        "catalogue": [tool.name for tool in suite.tools],
        "principal_source": "application",
        "may_ask_user": False,
        "may_hand_over": False,
        "repeat_limit": 24,
        "budget": BUDGET,
        **layer.version_keys(plan),
    }
