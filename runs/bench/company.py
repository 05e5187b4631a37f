"""The measured company: one agent with one null tool, everything that governs a real one switched on."""

from __future__ import annotations

from decimal import Decimal

from django.contrib.auth.models import Group
from django.db import transaction
from guardian.shortcuts import assign_perm

from agentops.canonical import plain_digest
from identities.changes import known_verbs, seconded, set_rule
from identities.models import ALWAYS_TWO, AgentIdentity, Application, Team, User
from identities.roles import AUDITOR
from runs.models import AgentVersion, Budget, Price
from tools.models import Tool, ToolGrant, ToolVersion

CHILD = "child"
# Ceilings that are drawn on and settled, and never reached: a thousand runs at once hold four calls' worst cases each.
FAR = 10_000_000
FAR_TOKENS = 1_000_000 * FAR
SCHEMA = {
    "type": "object",
    "properties": {"turn": {"type": "integer"}, "padding": {"type": "string"}},
    "required": ["turn", "padding"],
    "additionalProperties": False,
}
RESULT_SCHEMA = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}, "turn": {"type": "integer"}},
    "required": ["ok", "turn"],
}


def appoint_readers(agent: AgentIdentity) -> dict[str, User]:
    """Give the console its readers: who approves the tool's calls, who looks at all of the team's, who may all."""
    approver = appoint_officer(agent, is_staff=True)
    approver.groups.add(Group.objects.get(name="approver"))
    auditor = User.objects.create(username="bench-auditor", is_staff=True)
    auditor.teams.add(agent.team)
    auditor.groups.add(Group.objects.get(name=AUDITOR))
    superuser = User.objects.create(username="bench-superuser", is_staff=True, is_superuser=True)
    return {"approver": approver, "auditor": auditor, "superuser": superuser}


def appoint_officer(agent: AgentIdentity, *, is_staff: bool = False) -> User:
    """Give the team a person who approves the tool's calls; ``is_staff``: who signs in to the console."""
    officer = User.objects.create(username="bench-officer", is_staff=is_staff)
    officer.teams.add(agent.team)
    assign_perm("approve_calls", officer, Tool.objects.get(team=agent.team))
    return officer


def appoint_operator() -> User:
    """Create a person who may stop everything."""
    return User.objects.create(username="bench-operator", is_superuser=True)


@transaction.atomic
def create_company(steps: int, *, decision: str = "ALLOW") -> tuple[Application, AgentIdentity]:
    """Create the company, with budgets that ``steps`` steps per run fit into, and this decision on the tool."""
    team = Team.objects.create(slug="bench", name="Bench")
    owner = User.objects.create(username="bench-owner", is_superuser=True)
    let_one_person_govern(owner, User.objects.create(username="bench-second", is_superuser=True))
    account = User.objects.create(username="bench-agent", kind="agent")
    client = User.objects.create(username="bench-client", kind="application")
    agent = AgentIdentity.objects.create(
        team=team, slug="bench", name="Bench agent", purpose="to be measured", owner=owner,
        service_account=account, state="active",
    )  # fmt: skip
    application = Application.objects.create(
        team=team, slug="bench", name="Bench client", service_account=client, may_assert_users=True
    )
    assign_perm("start_run", client, agent)
    Budget.objects.create(team=team, window="month", max_usd=FAR, max_tokens=FAR_TOKENS)
    Budget.objects.create(team=team, identity=agent, window="day", max_usd=FAR, max_steps=FAR)
    _create_version(agent, _create_tool(team, agent, decision), steps)
    return application, agent


@transaction.atomic
def hire_child(agent: AgentIdentity, steps: int) -> AgentIdentity:
    """Create an agent of the same team and tool, of as many steps, whose runs act on behalf of the first one's."""
    account = User.objects.create(username=f"bench-{CHILD}", kind="agent")
    child = AgentIdentity.objects.create(
        team=agent.team, slug=CHILD, name="Bench child", purpose="to be measured", owner=agent.owner,
        service_account=account, state="active",
    )  # fmt: skip
    tool = Tool.objects.get(team=agent.team)
    assign_perm("use_tool", account, tool)
    ToolGrant.objects.create(identity=child, tool=tool, version=1, decision="ALLOW")
    _create_version(child, tool.versions.get(), steps)
    return child


def let_one_person_govern(first: User, second: User) -> None:
    """Set the rules by which one person is enough: what is measured is written without ceremony."""
    with seconded(second):
        for verb in known_verbs():
            if verb.name not in ALWAYS_TWO:
                set_rule(actor=first, verb=verb.name, team=None, needs="one")


def _create_tool(team: Team, agent: AgentIdentity, decision: str) -> ToolVersion:
    tool = Tool.objects.create(team=team, name="noop")
    assign_perm("use_tool", agent.service_account, tool)
    ToolGrant.objects.create(identity=agent, tool=tool, version=1, decision=decision)
    return ToolVersion.objects.create(
        tool=tool, number=1, description="Does nothing.", statement="do nothing", input_schema=SCHEMA,
        output_schema=RESULT_SCHEMA, effect="reversible", idempotency="honours_key", adapter="python",
        config={"function": "runs.bench.noop:noop"}, digest=plain_digest(SCHEMA),
    )  # fmt: skip


def _create_version(agent: AgentIdentity, tool_version: ToolVersion, steps: int) -> None:
    if not Price.objects.filter(model="null").exists():
        Price.objects.create(model="null", version="bench", input_usd_per_mtok=1, output_usd_per_mtok=2)
    version = AgentVersion.objects.create(
        identity=agent, number=1, instructions="Do nothing, step by step.", planner="null", model="null",
        principal_source="application", max_steps=steps + 2, max_tokens=10_000_000, max_usd=Decimal(1000),
        max_seconds=86_400,
    )  # fmt: skip
    version.catalogue.add(tool_version)
    version.state = "published"
    version.save()
