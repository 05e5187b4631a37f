"""Every verb of governance, each as a deed that somebody may be let do or refused: a new verb needs a line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from types import ModuleType
from typing import Any

from django.contrib.auth.models import Group
from django.utils import timezone
from guardian.shortcuts import assign_perm

import identities.services
import tools.services
from agentops.identifiers import new_id
from approvals import absences, capacity, denials, oversight_rules, sampling_rules
from approvals import governing as governing_approvals
from approvals.models import Absence, NoticeChannel, NoticeDelivery, OversightRule, SecondLook
from approvals.notices import channels
from identities import services as who
from identities.changes import (
    activate,
    deciding,
    propose,
    proposing,
    reject,
    roll_back,
    rules,
    set_rule,
    withdraw,
)
from identities.factors import has_fresh_factor
from identities.models import (
    ApiKey,
    ChangeProposal,
    Credential,
    Delegation,
    KillSwitch,
    ProviderAccount,
    User,
)
from identities.services.credentials import new_client_secret
from runs import (
    answering,
    budgeting,
    campaigns,
    dead_letters,
    erasure,
    extensions,
    pricing,
    publishing,
    stops,
)
from runs import services as runs
from runs.behaviour import behaviour_of
from runs.evaluation import evaluating, recorded, sets
from runs.examples import services as examples
from runs.memory import services as memory
from runs.models import (
    AgentVersion,
    Campaign,
    DeadLetter,
    Evaluation,
    EvaluationSet,
    Handover,
    Memory,
    Run,
    Schedule,
)
from runs.planner.prices import Price
from runs.routing import services as routing
from runs.schedules import services as schedules
from tests.asking import asked_extension, kept_note, parked_letter
from tests.cast import Cast
from tests.factories import (
    AgentFactory,
    AgentVersionFactory,
    ApprovalRequestFactory,
    GrantFactory,
    PersonFactory,
    PriceFactory,
    PrincipalFactory,
    ToolFactory,
    ToolVersionFactory,
)
from tests.tools.tables import eligibility
from tools import services as what
from tools.models import DecisionTableVersion, Tool, ToolGrant
from tools.services import Terms, ToolDefinition, Waiver
from tools.services.tables import export_table

Deed = Callable[[Cast, User], object]
ASK = Terms("REQUIRE_APPROVAL")
CAPS: tuple[dict[str, Any], ...] = ({"per": "day", "count": 10}, {"per": "call", "amount": "50.00"})
SETTINGS: dict[str, Any] = {
    "purpose": "Reach the shop.",
    "provider": "static",
    "settings": {},
    "value": "a secret value",
}


def tool_of(cast: Cast, **fields: object) -> Tool:
    """Make a tool of the team; its version is irreversible."""
    made: Tool = ToolVersionFactory.create(tool__team=cast.team, irreversible=True, **fields).tool
    return made


def stopped_tool(cast: Cast) -> Tool:
    """Make a tool whose calls somebody has stopped."""
    return what.force_breaker_open(actor=cast.ada, tool=tool_of(cast), reason="It burns.")


def granted(cast: Cast) -> ToolGrant:
    """Make a grant."""
    made: ToolGrant = GrantFactory.create(identity=cast.agent, tool=tool_of(cast))
    return made


def key_of(cast: Cast) -> ApiKey:
    """Make a key of the application."""
    return who.issue_api_key(actor=cast.ada, user=cast.application.service_account, label="shop")[0]


def key_set_of(cast: Cast) -> Credential:
    """Make a key set of the application."""
    account = cast.application.service_account
    return who.issue_credential(actor=cast.ada, owner=account, material=new_client_secret())


def secret_of(cast: Cast) -> Any:  # Any: the model, which nothing else here names
    """Make a secret of the team."""
    return who.create_secret(actor=cast.ada, team=cast.team, slug="shop", **SETTINGS)


def switch_of(cast: Cast) -> KillSwitch:
    """Throw a switch for an end user of the team."""
    principal = PrincipalFactory.create(team=cast.team)
    return who.throw_switch(actor=cast.ada, scope="principal", target=str(principal.pk), reason="It burns.")


def version_of(cast: Cast, **fields: Any) -> AgentVersion:
    """Make a version of the agent."""
    made: AgentVersion = AgentVersionFactory.create(identity=cast.agent, **fields)
    return made


def run_of(cast: Cast, state: str = "queued") -> Run:
    """Start a run as somebody of another team."""
    run = start_run(cast, cast.ada)
    Run.objects.filter(pk=run.pk).update(state=state)
    return Run.objects.get(pk=run.pk)


def delegation_to(cast: Cast) -> Delegation:
    """Pass something on to the agent."""
    made: Delegation = Delegation.objects.create(
        team=cast.team,
        actor=cast.agent.service_account,
        audience="https://shop.example",
        depth=1,
        expires_at=timezone.now() + timedelta(minutes=5),
    )
    return made


def add_version(cast: Cast, actor: User) -> object:
    """Define the next version of a tool as the latest one."""
    tool = tool_of(cast)
    latest = tool.versions.get()
    names = ToolDefinition.__dataclass_fields__
    return what.add_version(
        actor=actor, tool=tool, definition=ToolDefinition(**{n: getattr(latest, n) for n in names})
    )


def issuer_for(cast: Cast, actor: User) -> Any:  # Any: as above
    """Believe an issuer."""
    account = cast.application.service_account
    return who.add_issuer(actor=actor, client=account, issuer="https://login.example", audience="shop")


def linked(cast: Cast) -> User:
    """Have Bob sign on at the provider."""
    ProviderAccount.objects.create(user=cast.bob, issuer="https://id.example", subject="bob-1")
    return cast.bob


def change_person(cast: Cast, actor: User) -> object:
    """Take nothing, give nothing: the verb is what matters."""
    return who.update_person(
        actor=actor, person=cast.bob, active=True, staff=True, superuser=False, groups=()
    )


def change_agent(cast: Cast, actor: User) -> object:
    """Give the agent another purpose."""
    values = {"name": "Refunds", "purpose": "Refund.", "owner": cast.alice, "expires_at": None}
    return who.update_agent(actor=actor, agent=cast.agent, **values)  # type: ignore[arg-type]  # as they are


def sign_waiver(cast: Cast, actor: User) -> object:
    """Sign as the first of two."""
    waiver = Waiver("Small amounts.", timezone.now() + timedelta(days=1))
    terms = Terms("ALLOW_WITH_CAPS", caps=CAPS)
    return what.sign_waiver(actor=actor, identity=cast.agent, tool=tool_of(cast), terms=terms, waiver=waiver)


def override_lint(cast: Cast, actor: User) -> object:
    """Override that a version takes any object."""
    free = {"type": "object", "properties": {"meta": {"type": "object"}}}
    version = ToolVersionFactory.create(tool=tool_of(cast), input_schema=free)
    return what.override_lint(actor=actor, version=version, reason="So be it.")


def server_of(cast: Cast, actor: User) -> Any:  # Any: as above
    """Name a server of the team at which nobody answers."""
    place = what.ServerDefinition("http", url="http://127.0.0.1:9/mcp", allow_private=True)
    return what.create_server(actor=actor, team=cast.team, slug="shop", definition=place)


def listed_by(cast: Cast) -> Any:  # Any: as above
    """Have a server list a tool."""
    told = {"name": "get", "description": "Gets.", "input_schema": {"type": "object"}, "output_schema": None,
            "annotations": {}}  # fmt: skip
    return server_of(cast, cast.ada).listed.create(
        name="get", described=told, digest="0" * 64, seen_at=timezone.now()
    )


def take_over(cast: Cast, actor: User) -> object:
    """Take over what a server has listed."""
    row = listed_by(cast)
    return what.import_tool(actor=actor, described=row, takeover=what.Takeover("get", "read"), seen="0" * 64)


def suspended(cast: Cast) -> Any:  # Any: as above
    """Suspend the agent."""
    return who.suspend_agent(actor=cast.ada, agent=cast.agent)


def rights_group() -> Group:
    """Make a group of people."""
    return Group.objects.create(name="helpers")


def retired(cast: Cast) -> AgentVersion:
    """Publish a version."""
    return version_of(cast, published=True)


def stop_everything(cast: Cast, actor: User) -> object:
    """Stop the team's tool by the one verb for all stops."""
    return stops.stop(actor=actor, scope="tool", target=str(tool_of(cast).pk), reason="It burns.")


def start_run(cast: Cast, actor: User) -> Run:
    """Start a run in one's own name."""
    version_of(cast, published=True, principal_source="staff", run_expires_after_s=60)
    named = {"issuer": "agentops", "subject": actor.username, "application": None}
    return runs.start_run(actor=actor, agent=cast.agent, message="Do it.", **named)  # type: ignore[arg-type]  # as above


REPORT = schedules.Task("Report", "Report what is open.", "0 9 * * *")


def schedule_by(cast: Cast, actor: User) -> Schedule:
    """Have the agent report every day, in one's own name."""
    agent, published = cast.agent, AgentVersion.objects.filter(identity=cast.agent, state="published")
    if published.filter(principal_source="application").exists():  # one that nobody of the staff may start
        agent = AgentFactory.create(team=cast.team)
        assign_perm("start_run", actor, agent)
        published = published.none()
    if not published.exists():
        AgentVersionFactory.create(
            identity=agent, published=True, principal_source="staff", run_expires_after_s=60
        )
    return schedules.create_schedule(actor=actor, agent=agent, task=REPORT)


def schedule_of(cast: Cast) -> Schedule:
    """Have Ada set a schedule."""
    return schedule_by(cast, cast.ada)


def paused(cast: Cast) -> Schedule:
    """Have Ada pause her schedule."""
    return schedules.pause_schedule(actor=cast.ada, schedule=schedule_of(cast))


def price(cast: Cast, actor: User) -> object:
    """Say what a model costs."""
    return pricing.set_price(actor=actor, price=Price("model", "v1", *[Decimal(1)] * 4))


def budget(cast: Cast, actor: User) -> object:
    """Set the team's ceiling."""
    return budgeting.set_budget(actor=actor, team=cast.team, identity=None, window="day", max_steps=5)


CASE: dict[str, Any] = {"name": "one", "message": "Hello.", "checks": [{"answer": {}}]}


def set_of(cast: Cast) -> EvaluationSet:
    """Have Ada keep a set of one case."""
    return sets.save_set(actor=cast.ada, identity=cast.agent, spec=sets.SetSpec("everyday", (CASE,)))[0]


def evaluation_of(cast: Cast) -> Evaluation:
    """Have Ada try a version by it."""
    trial, version = evaluating.Trial(Decimal(100)), version_of(cast)
    return evaluating.evaluate(actor=cast.ada, evaluation_set=set_of(cast), version=version, trial=trial)


def open_campaign(cast: Cast, actor: User) -> Campaign:
    """Put a grant before a reviewer."""
    granted(cast)
    due = timezone.now() + timedelta(days=7)
    return campaigns.open_campaign(
        actor=actor, team=cast.team, title="Autumn", due_at=due, reviewers=[cast.ada]
    )


def decide_item(cast: Cast, actor: User) -> object:
    """Keep a grant, as an appointed reviewer."""
    campaign = open_campaign(cast, cast.ada)
    campaign.reviewers.add(actor)
    item = campaign.items.get()
    seen = item.grant.version
    return campaigns.decide_item(actor=actor, item=item, decision="kept", reason="Needed.", seen=seen)


def propose_budget(cast: Cast, actor: User, usd: str = "20") -> ChangeProposal:
    """Propose the team's ceiling."""
    limits = {"max_steps": None, "max_tokens": None, "max_usd": usd}
    where = {"team": str(cast.team.pk), "identity": None, "window": "day"}
    return propose(actor=actor, verb="budget.set", arguments={**where, **limits})


def raised_budget(cast: Cast) -> ChangeProposal:
    """Raise the team's ceiling as two people."""
    budgeting.set_budget(actor=cast.alice, team=cast.team, identity=None, window="day", max_usd=Decimal(10))
    return activate(actor=cast.ada, proposal=propose_budget(cast, cast.alice), second_factor=True)


def activate_change(cast: Cast, actor: User) -> object:
    """Activate what Alice proposed, as a request would."""
    proposal = propose_budget(cast, cast.alice)
    return activate(actor=actor, proposal=proposal, second_factor=has_fresh_factor(actor))


def reject_change(cast: Cast, actor: User) -> object:
    """Reject what Alice proposed."""
    proposal, fresh = propose_budget(cast, cast.alice), has_fresh_factor(actor)
    return reject(actor=actor, proposal=proposal, reason="Too much.", second_factor=fresh)


def table_of(cast: Cast) -> DecisionTableVersion:
    """Draft a decision table of the team."""
    table = what.create_table(actor=cast.ada, team=cast.team, slug=f"table-{new_id()}", name="Refunds")
    return what.save_table(actor=cast.ada, table=table, draft=what.TableDraft(eligibility()))


def served_run(cast: Cast) -> Run:
    """Start a run for a user of the application."""
    version_of(cast, published=True, run_expires_after_s=60)
    named = {"issuer": "https://shop.example", "subject": "customer-1", "application": cast.application}
    actor = cast.application.service_account
    return runs.start_run(actor=actor, agent=cast.agent, message="Do it.", **named)  # type: ignore[arg-type]  # as above


def note_of(cast: Cast) -> Memory:
    """Have a run for a user of the application note something."""
    return kept_note(served_run(cast))


def letter_of(cast: Cast) -> DeadLetter:
    """Have a run parked that somebody else has started."""
    return parked_letter(run_of(cast))


def handover_of(cast: Cast) -> Handover:
    """Have a conversation passed to people."""
    run = served_run(cast)
    made: Handover = Handover.objects.create(run=run, step=1, call=1, opened_at=timezone.now())
    return made


def leave_of(cast: Cast) -> absences.Leave:
    """Have Fiona, who approves calls of a tool, be away; Bob approves others of the team."""
    for person in (cast.fiona, cast.bob):
        assign_perm("approve_calls", person, tool_of(cast))
    now = timezone.now()
    return absences.Leave(cast.fiona, cast.bob, now, now + timedelta(days=1), "On leave.", team=cast.team)


def place_of(**fields: Any) -> channels.Place:
    """Describe a channel at which nobody answers."""
    values = {"name": "ops", "kind": "webhook", "url": "http://127.0.0.1:9/hook", "allow_private": True}
    return channels.Place(**{**values, "kinds": ["approval.requested"], **fields})


def channel_of(cast: Cast, name: str = "ops") -> NoticeChannel:
    """Add a channel of the team."""
    return channels.create_channel(actor=cast.ada, team=cast.team, place=place_of(name=name))[0]


def delivery_of(cast: Cast) -> NoticeDelivery:
    """Give up a message to a channel."""
    delivery = channels.try_channel(actor=cast.ada, channel=channel_of(cast, "dead"))
    NoticeDelivery.objects.filter(pk=delivery.pk).update(state="dead")
    return delivery


def second_look_of(cast: Cast) -> SecondLook:
    """Return a second look that Fiona may take, at a call that Alice's agent was let make."""
    tool = ToolFactory.create(team=cast.team)
    assign_perm("approve_calls", cast.fiona, tool)
    version = ToolVersionFactory.create(tool=tool, irreversible=True)
    request = ApprovalRequestFactory.create(identity=cast.agent, tool_version=version)
    rule, _ = OversightRule.objects.standing().get_or_create(
        team=cast.team, defaults={"second_percent": 10, "seed": "5" * 32, "created_by": cast.alice}
    )
    made: SecondLook = SecondLook.objects.create(request=request, rule=rule, drawn_at=timezone.now())
    return made


def absence_of(cast: Cast) -> Absence:
    """Have Fiona say that she is away."""
    return absences.declare_absence(actor=cast.fiona, leave=leave_of(cast))


DEEDS: dict[str, Deed] = {
    "create_table": lambda c, a: what.create_table(actor=a, team=c.team, slug="new", name="New"),
    "save_table": lambda c, a: what.save_table(
        actor=a, table=table_of(c).table, draft=what.TableDraft(eligibility())
    ),
    "import_table": lambda c, a: what.import_table(
        actor=a, table=table_of(c).table, document=export_table(table_of(c))
    ),
    "publish_table": lambda c, a: what.publish_table(actor=a, version=table_of(c), acknowledgement="So."),
    "retire_table": lambda c, a: what.retire_table(
        actor=a, version=what.publish_table(actor=c.ada, version=table_of(c), acknowledgement="So.")
    ),
    "propose": propose_budget,
    "activate": activate_change,
    "reject": reject_change,
    "withdraw": lambda c, a: withdraw(actor=a, proposal=propose_budget(c, c.alice)),
    "roll_back": lambda c, a: roll_back(actor=a, proposal=raised_budget(c)),
    "set_rule": lambda c, a: set_rule(actor=a, verb="budget.set", team=c.team, needs="two"),
    "open_campaign": open_campaign,
    "decide_item": decide_item,
    "recertify_agent": lambda c, a: who.recertify_agent(
        actor=a, agent=c.agent, recertify_by=timezone.now() + timedelta(days=90), looked_at="Its runs."
    ),
    "activate_agent": lambda c, a: who.activate_agent(actor=a, agent=suspended(c)),
    "create_agent": lambda c, a: who.create_agent(
        actor=a, team=c.team, slug="new", name="New", purpose="Try.", owner=c.alice
    ),
    "revoke_agent": lambda c, a: who.revoke_agent(actor=a, agent=c.agent),
    "suspend_agent": lambda c, a: who.suspend_agent(actor=a, agent=c.agent),
    "update_agent": change_agent,
    "allow_start": lambda c, a: who.allow_start(actor=a, application=c.application, agent=c.agent),
    "create_application": lambda c, a: who.create_application(
        actor=a, team=c.team, slug="new-app", name="New"
    ),
    "declare_resource": lambda c, a: who.declare_resource(
        actor=a, application=c.application, audience="https://shop.example"
    ),
    "forbid_start": lambda c, a: who.forbid_start(actor=a, application=c.application, agent=c.agent),
    "revoke_application": lambda c, a: who.revoke_application(actor=a, application=c.application),
    "update_application": lambda c, a: who.update_application(
        actor=a, application=c.application, name="Shop", may_assert_users=True
    ),
    "issue_credential": lambda c, a: who.issue_credential(
        actor=a, owner=c.application.service_account, material=new_client_secret()
    ),
    "revoke_credential": lambda c, a: who.revoke_credential(actor=a, credential=key_set_of(c)),
    "rotate_credential": lambda c, a: who.rotate_credential(
        actor=a, owner=key_set_of(c).owner, material=new_client_secret()
    ),
    "revoke_delegation": lambda c, a: who.revoke_delegation(actor=a, delegation=delegation_to(c)),
    "create_group": lambda c, a: who.create_group(actor=a, name="new"),
    "set_group_permissions": lambda c, a: who.set_group_permissions(
        actor=a, group=rights_group(), permissions=["tools.add_tool"]
    ),
    "add_issuer": issuer_for,
    "disable_issuer": lambda c, a: who.disable_issuer(actor=a, issuer=issuer_for(c, c.ada)),
    "issue_api_key": lambda c, a: who.issue_api_key(actor=a, user=c.application.service_account, label="new"),
    "revoke_api_key": lambda c, a: who.revoke_api_key(actor=a, key=key_of(c)),
    "stop_api_key": lambda c, a: who.stop_api_key(actor=a, key=key_of(c), reason="It was stolen."),
    "lift_switch": lambda c, a: who.lift_switch(actor=a, switch=switch_of(c), reason="It is out."),
    "throw_switch": lambda c, a: who.throw_switch(actor=a, scope="everything", reason="It burns."),
    "create_person": lambda c, a: who.create_person(actor=a, username="new", password=None),
    "set_password": lambda c, a: who.set_password(actor=a, person=c.bob, password="correct horse battery"),
    "update_person": change_person,
    "unlink_account": lambda c, a: who.unlink_account(actor=a, person=linked(c)),
    "create_secret": lambda c, a: who.create_secret(actor=a, team=c.team, slug="new", **SETTINGS),
    "replace_secret": lambda c, a: who.replace_secret(actor=a, secret=secret_of(c), value="another value"),
    "retire_secret": lambda c, a: who.retire_secret(actor=a, secret=secret_of(c)),
    "revoke_signing_key": lambda c, a: who.revoke_signing_key(
        actor=a, key=who.rotate_signing_key(actor=c.ada)
    ),
    "rotate_signing_key": lambda c, a: who.rotate_signing_key(actor=a),
    "create_team": lambda c, a: who.create_team(actor=a, slug="new", name="New"),
    "set_members": lambda c, a: who.set_members(actor=a, team=c.team, members=[c.alice]),
    "update_team": lambda c, a: who.update_team(actor=a, team=c.team, name="Support"),
    "accept_tool": lambda c, a: what.accept_tool(
        actor=a, tool=what.quarantine_tool(actor=c.ada, tool=tool_of(c))
    ),
    "add_approver": lambda c, a: what.add_approver(actor=a, tool=tool_of(c), approver=PersonFactory.create()),
    "add_version": add_version,
    "create_server": server_of,
    "override_lint": override_lint,
    "import_tool": take_over,
    "refresh_server": lambda c, a: what.refresh_server(actor=a, server=server_of(c, c.ada)),
    "retire_server": lambda c, a: what.retire_server(actor=a, server=server_of(c, c.ada)),
    "create_tool": lambda c, a: what.create_tool(actor=a, team=c.team, name="new"),
    "force_breaker_open": lambda c, a: what.force_breaker_open(actor=a, tool=tool_of(c), reason="It burns."),
    "lift_forced_breaker": lambda c, a: what.lift_forced_breaker(actor=a, tool=stopped_tool(c)),
    "quarantine_tool": lambda c, a: what.quarantine_tool(actor=a, tool=tool_of(c)),
    "remove_approver": lambda c, a: what.remove_approver(actor=a, tool=tool_of(c), approver=c.fiona),
    "reset_breaker": lambda c, a: what.reset_breaker(actor=a, tool=tool_of(c)),
    "retire_tool": lambda c, a: what.retire_tool(actor=a, tool=tool_of(c)),
    "revoke_grant": lambda c, a: what.revoke_grant(actor=a, grant=granted(c)),
    "set_grant": lambda c, a: what.set_grant(actor=a, identity=c.agent, tool=tool_of(c), terms=ASK),
    "sign_waiver": sign_waiver,
    "set_user_terms": lambda c, a: what.set_user_terms(actor=a, tool=tool_of(c), principal=None, terms=ASK),
    "end_user_terms": lambda c, a: what.end_user_terms(
        actor=a, terms=what.set_user_terms(actor=c.ada, tool=tool_of(c), principal=None, terms=ASK)
    ),
    "draft_version": lambda c, a: publishing.draft_version(
        actor=a, identity=c.agent, behaviour=behaviour_of(AgentVersion.objects.get(pk=version_of(c).pk))
    ),
    "publish_version": lambda c, a: publishing.publish_version(actor=a, version=version_of(c)),
    "retire_version": lambda c, a: publishing.retire_version(actor=a, version=retired(c)),
    "set_price": price,
    "reset_model_breaker": lambda c, a: routing.reset_model_breaker(actor=a, price=PriceFactory.create()),
    "set_budget": budget,
    "erase_run": lambda c, a: erasure.erase_run(actor=a, run=run_of(c), reason="They asked."),
    "erase_principal": lambda c, a: erasure.erase_principal(
        actor=a, principal=PrincipalFactory.create(team=c.team), reason="They asked."
    ),
    "stop": stop_everything,
    "start_run": start_run,
    "create_schedule": schedule_by,
    "change_schedule": lambda c, a: schedules.change_schedule(
        actor=a, schedule=schedule_of(c), task=replace(REPORT, cron="0 10 * * *")
    ),
    "pause_schedule": lambda c, a: schedules.pause_schedule(actor=a, schedule=schedule_of(c)),
    "resume_schedule": lambda c, a: schedules.resume_schedule(actor=a, schedule=paused(c)),
    "end_schedule": lambda c, a: schedules.end_schedule(actor=a, schedule=schedule_of(c)),
    "pause_run": lambda c, a: runs.pause_run(actor=a, run=run_of(c)),
    "resume_run": lambda c, a: runs.resume_run(actor=a, run=run_of(c, state="paused")),
    "cancel_run": lambda c, a: runs.cancel_run(actor=a, run=run_of(c)),
    "kill_run": lambda c, a: runs.kill_run(actor=a, run=run_of(c)),
    "add_message": lambda c, a: runs.add_message(actor=a, run=run_of(c), text="And quickly."),
    "answer_input": lambda c, a: runs.answer_input(actor=a, run=run_of(c), text="Yes."),
    "set_approval_rule": lambda c, a: governing_approvals.set_approval_rule(
        actor=a, team=c.team, place=1, ruling=governing_approvals.Ruling("Two", ({"needed": 2},))
    ),
    "set_review_capacity": lambda c, a: capacity.set_review_capacity(
        actor=a, team=c.team, per_approver_hour=10
    ),
    "set_denial_reasons": lambda c, a: denials.set_denial_reasons(
        actor=a, team=c.team, reasons=[{"code": "late", "words": "It is too late."}]
    ),
    "set_sampling_rule": lambda c, a: sampling_rules.set_sampling_rule(
        actor=a, team=c.team, effect="reversible", sampling=sampling_rules.Sampling(5, 10)
    ),
    "set_oversight_rule": lambda c, a: oversight_rules.set_oversight_rule(
        actor=a, team=c.team, oversight=oversight_rules.Oversight(second_percent=10)
    ),
    "declare_absence": lambda c, a: absences.declare_absence(actor=a, leave=leave_of(c)),
    "end_absence": lambda c, a: absences.end_absence(actor=a, absence=absence_of(c)),
    "create_channel": lambda c, a: channels.create_channel(actor=a, team=c.team, place=place_of()),
    "rotate_channel": lambda c, a: channels.rotate_channel(actor=a, channel=channel_of(c)),
    "enable_channel": lambda c, a: channels.enable_channel(actor=a, channel=channel_of(c)),
    "disable_channel": lambda c, a: channels.disable_channel(actor=a, channel=channel_of(c)),
    "remove_channel": lambda c, a: channels.remove_channel(actor=a, channel=channel_of(c)),
    "try_channel": lambda c, a: channels.try_channel(actor=a, channel=channel_of(c)),
    "send_again": lambda c, a: channels.send_again(actor=a, delivery=delivery_of(c)),
    "claim_handover": lambda c, a: answering.claim_handover(actor=a, handover=handover_of(c)),
    "release_handover": lambda c, a: answering.release_handover(actor=a, handover=handover_of(c)),
    "answer_handover": lambda c, a: answering.answer_handover(actor=a, handover=handover_of(c), text="Yes."),
    "close_handover": lambda c, a: answering.close_handover(
        actor=a, handover=handover_of(c), outcome="resolved", text="Yes."
    ),
    "grant_extension": lambda c, a: extensions.grant_extension(
        actor=a,
        extension=asked_extension(c, served_run(c)),
        more=extensions.More(steps=1),
        second_factor=has_fresh_factor(a),
    ),
    "refuse_extension": lambda c, a: extensions.refuse_extension(
        actor=a, extension=asked_extension(c, served_run(c)), reason="No.", second_factor=has_fresh_factor(a)
    ),
    "redrive_letter": lambda c, a: dead_letters.redrive_letter(actor=a, letter=letter_of(c)),
    "discard_letter": lambda c, a: dead_letters.discard_letter(actor=a, letter=letter_of(c), reason="No."),
    "release_memory": lambda c, a: memory.release_memory(actor=a, memory=note_of(c), reason="It is so."),
    "revert_memory": lambda c, a: memory.revert_memory(actor=a, memory=note_of(c), reason="It lies."),
    "delete_memory": lambda c, a: memory.delete_memory(actor=a, memory=note_of(c)),
    "save_set": lambda c, a: sets.save_set(actor=a, identity=c.agent, spec=sets.SetSpec("new", (CASE,))),
    "drop_set": lambda c, a: sets.drop_set(actor=a, evaluation_set=set_of(c), reason="Nobody asks that."),
    "drop_case": lambda c, a: sets.drop_case(actor=a, case=set_of(c).cases.get()),
    "make_case": lambda c, a: recorded.make_case(
        actor=a, run=served_run(c), evaluation_set=set_of(c), name="new"
    ),
    "evaluate": lambda c, a: evaluating.evaluate(
        actor=a, evaluation_set=set_of(c), version=version_of(c), trial=evaluating.Trial(Decimal(100))
    ),
    "stop_evaluation": lambda c, a: evaluating.stop_evaluation(actor=a, evaluation=evaluation_of(c)),
    "decide_example": lambda c, a: examples.decide_example(
        actor=a, run=served_run(c), verdict="approved", reason="It is right."
    ),
    "export_examples": lambda c, a: examples.export_examples(
        actor=a, identity=c.agent, selection=examples.Selection(), reason="To tune."
    ),
    "veto_call": lambda c, a: runs.veto_call(actor=a, run=run_of(c), step=1, call=1, reason="No."),
    "settle_outcome": lambda c, a: runs.settle_outcome(
        actor=a, run=run_of(c), step=1, call=1, happened=True, note="I looked."
    ),
}

# Verbs of these modules that are nobody's right: who proves to be somebody, who is first, and what time takes away.
NOBODYS = {"authenticate", "step_up", "create_first_superuser", "expire_grant", "confirm_person", "sign_on"}
NOBODYS |= {"begin_key_proof", "step_up_by_key", "take_signed", "link_account"}
# Which call other verbs, in the name of who called them.
NOBODYS |= {"do_or_propose", "carry_out", "append_to_run", "add_case"}
NOBODYS |= {"carry_out_rule", "carry_out_sampling", "carry_out_oversight", "carry_out_absence"}


def verbs() -> set[str]:
    """Return the names of all verbs: what the services offer, apart from the values that go with them."""
    found = {*_functions(identities.services), *_functions(tools.services)}
    governing = (deciding, proposing, rules)
    for module in (
        *governing,
        governing_approvals,
        capacity,
        denials,
        sampling_rules,
        oversight_rules,
        absences,
        channels,
        runs,
        schedules,
        campaigns,
        publishing,
        budgeting,
        pricing,
        routing,
        erasure,
        stops,
        answering,
        extensions,
        dead_letters,
        memory,
        sets,
        recorded,
        evaluating,
        examples,
    ):
        found |= {
            name
            for name, function in vars(module).items()
            if callable(function) and getattr(function, "__module__", "") == module.__name__
            and not name.startswith(("_", "may_")) and "actor" in getattr(function, "__annotations__", {})
        }  # fmt: skip
    return found - NOBODYS


def _functions(module: ModuleType) -> set[str]:
    return {name for name in module.__all__ if not isinstance(getattr(module, name), type)}
