"""``bench routing``: what the shared retail requests cost with one large model, and with a small one that carries out.

Every run is a real one, through driver, prices and ledger. The model alone is a script: it makes the recorded calls,
and its usage follows from the lengths of what it was shown and wrote, as vendors estimate tokens. What a model was
shown before is read from its cache, as providers have it: in the same run, and, unless it is ``cold``, at the beginning
of the run before. So a change of models costs what it costs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Sum
from guardian.shortcuts import assign_perm

from agentops.amounts import plain_decimal
from agentops.canonical import plain_digest
from identities.models import AgentIdentity, Application, Team, User
from runs import turns
from runs.bench.company import let_one_person_govern
from runs.bench.retail import load_policy, load_requests, load_tools
from runs.driver import drive
from runs.models import AgentVersion, Price, Run, Step
from runs.planner.answers import PlannerAnswer, ProposedCall, Usage
from runs.planner.messages import PlannerRequest, encode_json, render_tools
from runs.planner.prices import seed_prices
from runs.pricing import RATES
from runs.services import start_run
from tools.models import Tool, ToolGrant, ToolVersion

HERE = "runs.bench.retail"
CHARACTERS_PER_TOKEN = 4
# Providers cache prompts from so many tokens on, in pieces of so many.
CACHED_FROM, CACHED_BY = 1024, 128
MODES = {"all_frontier": ("frontier", {}), "tiered": ("small", {"plan": ["frontier"]})}


@dataclass(frozen=True, slots=True)
class Models:
    """The models that are compared, by the names under which they are priced."""

    frontier: str
    small: str


@dataclass
class ScriptedModel:
    """Makes the recorded calls of each request, one a turn, then answers; counts what each model was shown before."""

    requests: dict[str, list[dict[str, Any]]]  # Any: JSON
    cold: bool = False
    _shown: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def ask(self, request: PlannerRequest) -> PlannerAnswer:
        """Return the next turn of the request that the user's message names."""
        number = str(request.messages[1]["content"]).rpartition("[request ")[2].partition("]")[0]
        turn = sum(message["role"] == "assistant" for message in request.messages)
        actions = self.requests[number]
        calls = (_propose(actions[turn], turn),) if turn < len(actions) else ()
        text = "" if calls else f"Everything I could do about request {number} is done."
        return PlannerAnswer(
            text=text, thought="", calls=calls, usage=self._measure(number, request, text, calls),
            finish_reason="tool_calls" if calls else "stop", model=request.model, response_id=f"{number}-{turn}",
            latency_ms=0, refusal=None,
        )  # fmt: skip

    def _measure(
        self, number: str, request: PlannerRequest, text: str, calls: Sequence[ProposedCall]
    ) -> Usage:
        shown = encode_json(render_tools(request.tools)) + encode_json(request.messages)
        own, latest = (number, request.model), ("", request.model)
        before = self._shown.get(own) or (b"" if self.cold else self._shown.get(latest, b""))
        self._shown[own] = self._shown[latest] = shown
        cached = _count_shared(before, shown) // CHARACTERS_PER_TOKEN // CACHED_BY * CACHED_BY
        written = len(text) + sum(len(call.raw_arguments) + len(call.name) for call in calls)
        return Usage(
            _tokens(len(shown)), max(1, _tokens(written)), cached if cached >= CACHED_FROM else 0, 0, 0
        )


def _count_shared(one: bytes, other: bytes) -> int:
    """Return how many bytes two prompts begin with alike."""
    alike, most = 0, min(len(one), len(other))
    while alike < most:
        middle = (alike + most + 1) // 2
        if one[:middle] == other[:middle]:
            alike = middle
        else:
            most = middle - 1
    return alike


def _tokens(characters: int) -> int:
    return -(-characters // CHARACTERS_PER_TOKEN)


def _propose(action: dict[str, Any], turn: int) -> ProposedCall:  # Any: JSON
    arguments = action["arguments"]
    return ProposedCall(action["name"], arguments, json.dumps(arguments), f"call_{turn}", None)


def measure_routing(models: Models, limit: int | None = None, *, cold: bool = False) -> dict[str, Any]:
    """Run the requests in both ways; return what each cost in USD, and the ratio.

    Raises NotFound without the shared data, LookupError for a model that is not on the public list.
    """
    requests = load_requests()[:limit]
    application, agents = _create_company(models)
    scripts = {request["id"]: request["actions"] for request in requests}
    figures = {}
    for mode, agent in agents.items():
        with _played(ScriptedModel(scripts, cold)):
            figures[mode] = _figures([_run(application, agent, request) for request in requests])
    spent = {mode: Decimal(figure["usd"]) for mode, figure in figures.items()}
    return {
        "requests": len(requests), "cold": cold, "frontier": models.frontier, "small": models.small,
        "price_versions": sorted(Price.objects.values_list("version", flat=True)),
        **figures, "ratio": round(float(spent["tiered"] / spent["all_frontier"]), 3),
    }  # fmt: skip


def _run(application: Application, agent: AgentIdentity, request: dict[str, Any]) -> UUID:  # Any: JSON
    texts = request["request"]
    message = f"{texts['reason_for_call']}\n{texts.get('known_info') or ''}\n[request {request['id']}]"
    run = start_run(
        actor=application.service_account, agent=agent, message=message, issuer="bench", subject="nobody",
        application=application,
    )  # fmt: skip
    while drive(run.pk):
        pass
    run.refresh_from_db()
    if run.state != "completed":
        raise RuntimeError(f"request {request['id']} ended {run.state} {run.status_reason}: it says nothing")
    return run.pk


def _figures(runs: Sequence[UUID]) -> dict[str, Any]:
    """Return what runs cost by the platform's own books, and how many calls went to which model."""
    steps = Step.objects.filter(run__in=runs)
    by_model = steps.values_list("model").annotate(Count("number"), Sum("usd"), Sum("cached_tokens"))
    usd = Run.objects.filter(pk__in=runs).aggregate(Sum("usd"))["usd__sum"]
    calls = {
        model: {"calls": calls, "usd": plain_decimal(cost), "cached_tokens": cached}
        for model, calls, cost, cached in sorted(by_model)
    }
    return {"usd": plain_decimal(usd), "models": calls}


@contextmanager
def _played(model: ScriptedModel) -> Iterator[None]:
    """Let the script answer in place of a model, in this process alone, and calls arrive in it."""
    real, modules = turns.planner_of, settings.TOOLS_PYTHON_MODULES
    vars(turns)["planner_of"] = lambda *_: model
    settings.TOOLS_PYTHON_MODULES = [HERE]
    try:
        yield
    finally:
        vars(turns)["planner_of"] = real
        settings.TOOLS_PYTHON_MODULES = modules


@transaction.atomic
def _create_company(models: Models) -> tuple[Application, dict[str, AgentIdentity]]:
    team = Team.objects.create(slug="bench-routing", name="Bench")
    owner = User.objects.create(username="bench-routing-owner", is_superuser=True)
    let_one_person_govern(owner, User.objects.create(username="bench-routing-second", is_superuser=True))
    client = User.objects.create(username="bench-routing-client", kind="application")
    application = Application.objects.create(
        team=team, slug="bench-routing", name="Bench", service_account=client, may_assert_users=True
    )
    for price in seed_prices([models.frontier, models.small]):
        rates = {name: getattr(price, name) for name in RATES}
        Price.objects.get_or_create(model=price.model, version=price.version[:60], defaults=rates)
    tools = [_create_tool(team, each) for each in load_tools()]
    named = {"frontier": models.frontier, "small": models.small}
    agents = {}
    for mode, (model, roles) in MODES.items():
        filled = {role: [named[each] for each in listed] for role, listed in roles.items()}
        agents[mode] = _create_agent(team, owner, client, mode, tools, model=named[model], model_roles=filled)
    return application, agents


def _create_tool(team: Team, told: dict[str, Any]) -> ToolVersion:  # Any: JSON
    reads = told["kind"] != "write"
    tool = Tool.objects.create(team=team, name=told["name"])
    return ToolVersion.objects.create(
        tool=tool, number=1, description=told["description"], statement="" if reads else told["name"],
        input_schema=told["inputSchema"], output_schema={}, effect="read" if reads else "reversible",
        idempotency="honours_key", adapter="python", config={"function": f"{HERE}:perform"},
        digest=plain_digest([told["name"], told["inputSchema"]]),
    )  # fmt: skip


def _create_agent(
    team: Team, owner: User, client: User, mode: str, tools: Sequence[ToolVersion], **models: Any
) -> AgentIdentity:  # Any: fields
    slug = f"bench-{mode.replace('_', '-')}"
    agent = AgentIdentity.objects.create(
        team=team, slug=slug, name=slug, purpose="to be measured", owner=owner, state="active",
        service_account=User.objects.create(username=slug, kind="agent"),
    )  # fmt: skip
    assign_perm("start_run", client, agent)
    version = AgentVersion.objects.create(
        identity=agent, number=1, instructions=load_policy(), principal_source="application", max_steps=40,
        max_tokens=5_000_000, max_usd=Decimal(50), max_seconds=3_600, context_tokens=200_000, repeat_limit=24,
        **models,
    )  # fmt: skip
    for tool_version in tools:
        assign_perm("use_tool", agent.service_account, tool_version.tool)
        ToolGrant.objects.create(identity=agent, tool=tool_version.tool, version=1, decision="ALLOW")
        version.catalogue.add(tool_version)
    version.state = "published"
    version.save()
    return agent
