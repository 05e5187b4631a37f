"""What an agent version lacks before it may be published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from uuid import UUID

from django.db.models import prefetch_related_objects
from django.utils import timezone

from agentops.engine.state import RECENT_LIMIT
from identities.models import AgentIdentity
from identities.querysets import is_known_person
from runs.catalogues import read_catalogue
from runs.evaluation.gate import check_evaluations
from runs.models import EXTERNAL, AgentVersion, Price
from runs.models.versions import list_models
from runs.preflight.approvers import find_approvable
from runs.preflight.findings import ONLY_BEFORE, OUT_OF_SERVICE, Finding
from tools.in_force import read_grants
from tools.models import Effect, Idempotency, Tool, ToolGrant, ToolVersion
from tools.services.linting import find_blocking, find_errors

SOURCE = AgentVersion.PrincipalSource
LIMITS = {
    "max_steps": "steps",
    "max_tokens": "tokens",
    "max_usd": "US dollars",
    "max_seconds": "seconds of working time",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand with the tools of a catalogue, read for all of them at once: the agent's grants by tool, and
    which tools have somebody who could approve their calls."""

    grants: Mapping[UUID, ToolGrant]
    approvable: frozenset[UUID]


def check_version(version: AgentVersion) -> list[Finding]:
    """Return everything that is missing, in the order in which a person would set it up."""
    tools = read_catalogue(version)
    prefetch_related_objects([each for each in tools if find_errors(each)], "lint_overrides")
    standing = _read_standing(version.identity, tools)
    findings = [
        *_check_agent(version),
        *_check_limits(version),
        *_check_planner(version),
        *_check_price(version),
        *_check_names(tools),
    ]
    for tool_version in tools:
        findings += _check_declarations(tool_version)
        findings += _check_lint(tool_version)
        findings += _check_authority(version, tool_version, standing)
        findings += _check_lookups(tool_version, tools)
    return [*findings, *check_evaluations(version)]


def check_published(version: AgentVersion) -> list[Finding]:
    """Return what keeps a published version from acting: all but what can only deny, or counts only beforehand."""
    return [finding for finding in check_version(version) if finding.code not in OUT_OF_SERVICE | ONLY_BEFORE]


def _check_agent(version: AgentVersion) -> Iterator[Finding]:
    agent = version.identity
    if agent.state != agent.State.ACTIVE:
        yield Finding("agent_not_active", agent.slug, f"the agent is {agent.state}", "Activate the agent")
    if agent.expires_at is not None and agent.expires_at <= timezone.now():
        yield Finding("agent_expired", agent.slug, "the agent has expired", "Set a later end of the identity")
    if not is_known_person(agent.owner):
        remedy = "Name an active person as the owner"
        yield Finding("owner_inactive", agent.slug, "nobody active answers for the agent", remedy)


def _check_limits(version: AgentVersion) -> Iterator[Finding]:
    subject = str(version)
    for field, unit in LIMITS.items():
        if not getattr(version, field):
            yield Finding("no_budget", subject, f"no ceiling of {unit} per run", f"Set {field} above 0")
    if not version.principal_source:
        problem = "nothing says for whom its runs act"
        yield Finding(
            "no_principal_source", subject, problem, "Set principal_source to application, staff or token"
        )
    if not 2 <= version.repeat_limit <= RECENT_LIMIT:
        problem, remedy = (
            "it would never be found to go in circles",
            f"Set repeat_limit to 2 to {RECENT_LIMIT}",
        )
        yield Finding("no_loop_detection", subject, problem, remedy)
    if version.identity.expires_at is None and not version.run_expires_after_s:
        remedy = "Set run_expires_after_s, or an end of the agent identity"
        yield Finding("no_expiry", subject, "its runs could wait for ever", remedy)


def _check_planner(version: AgentVersion) -> Iterator[Finding]:
    """An agent outside plans by itself, for users whose tokens it presents; nobody else does."""
    outside, by_token = version.planner == EXTERNAL, version.principal_source == SOURCE.TOKEN
    if outside != by_token:
        problem = "an agent outside acts for users whose tokens it presents, and only such a one does"
        remedy = f"Set planner to {EXTERNAL} and principal_source to {SOURCE.TOKEN}, or neither"
        yield Finding("not_external", str(version), problem, remedy)
    if outside and version.plan:
        problem = "a plan is made from the user's words, which an agent outside keeps to itself"
        yield Finding(
            "no_words", str(version), problem, "Leave plan empty; mark the tools' arguments instead"
        )


def _check_price(version: AgentVersion) -> Iterator[Finding]:
    if version.planner == EXTERNAL:  # nothing is paid for it here
        return
    models = set(list_models(version))
    priced = set(Price.objects.filter(model__in=models, active=True).values_list("model", flat=True))
    for model in sorted(models - priced):
        problem = f"nobody has said what the model {model or '(none)'} costs"
        yield Finding("no_price", str(version), problem, "Add a price; a free model is priced at 0")


def _check_names(tools: list[ToolVersion]) -> Iterator[Finding]:
    names = [tool_version.tool.name for tool_version in tools]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Finding("tool_twice", name, "it is in the catalogue more than once", "Keep one version of it")


def _check_declarations(tool_version: ToolVersion) -> Iterator[Finding]:
    subject = str(tool_version)
    if tool_version.effect not in Effect.values:
        remedy = "Add a version that says read, reversible or irreversible"
        yield Finding("no_effect_class", subject, "nothing says what it does to the world", remedy)
    if not 0 < (tool_version.timeout_s or 0) < inf:  # PostgreSQL holds NaN for more than 0
        yield Finding("no_timeout", subject, "a call could hang for ever", "Add a version with timeout_s")
    if tool_version.idempotency not in Idempotency.values:
        remedy = "Add a version that declares its idempotency"
        yield Finding("no_idempotency", subject, "nothing says whether a call may be repeated", remedy)
    if tool_version.tool.state != Tool.State.ACTIVE:
        remedy = "Accept the tool again, or take it out of the catalogue"
        yield Finding("tool_not_in_service", subject, f"the tool is {tool_version.tool.state}", remedy)


def _check_lookups(tool_version: ToolVersion, tools: list[ToolVersion]) -> Iterator[Finding]:
    reading = {each.tool.name for each in tools if each.effect == Effect.READ}
    for name in sorted({told["tool"] for told in tool_version.resolvers.values()} - reading):
        problem = f"its arguments are looked up with {name}, which is not in the catalogue as a read"
        yield Finding("no_lookup", str(tool_version), problem, f"Add {name} to the catalogue, and grant it")
    shows = (tool_version.preview or {}).get("tool")
    if shows and shows not in reading:
        problem = f"what its calls change is shown with {shows}, which is not in the catalogue as a read"
        yield Finding("no_lookup", str(tool_version), problem, f"Add {shows} to the catalogue, and grant it")


def _check_lint(tool_version: ToolVersion) -> Iterator[Finding]:
    blocking = find_blocking(tool_version)
    if blocking:
        told = "; ".join(f"{each.where or 'the tool'}: {each.problem}" for each in blocking[:5])
        remedy = "Narrow it as its page proposes, or have somebody override that on its page, with a reason"
        yield Finding("lint_errors", str(tool_version), f"it invites mistakes: {told}", remedy)


def _check_authority(
    version: AgentVersion, tool_version: ToolVersion, standing: Standing
) -> Iterator[Finding]:
    agent, tool = version.identity, tool_version.tool
    grant = standing.grants.get(tool.pk)
    if grant is None:
        remedy = f"Grant {tool.name} to {agent.slug}, or take it out of the catalogue"
        yield Finding("no_grant", tool.name, "the agent has no grant for it", remedy)
        return
    yield from _check_grant(grant, tool_version)
    irreversible = tool_version.effect == Effect.IRREVERSIBLE
    asks_people = "REQUIRE_APPROVAL" in (grant.decision, grant.over_caps)
    if (irreversible or asks_people) and tool.pk not in standing.approvable:
        problem = "its calls wait for approval, and there is nobody who could give it"
        remedy = (
            "Let an active person with a second factor, who does not own the agent, "
            f"approve calls of {tool.name}: themselves or through a group"
        )
        yield Finding("no_approver", tool.name, problem, remedy)


def _read_standing(agent: AgentIdentity, tools: Sequence[ToolVersion]) -> Standing:
    grants = {grant.tool_id: grant for grant in read_grants(agent)}
    return Standing(grants, find_approvable([each.tool for each in tools], agent))


def _check_grant(grant: ToolGrant, tool_version: ToolVersion) -> Iterator[Finding]:
    now, subject = timezone.now(), grant.tool.name
    if grant.decision == ToolGrant.Decision.DENY:
        remedy = "Take it out of the catalogue, or grant it"
        yield Finding("grant_denies", subject, "the agent's grant denies it", remedy)
    if grant.valid_until is not None and grant.valid_until <= now:
        yield Finding("grant_expired", subject, "the agent's grant has run out", "Grant it again")
    skips_people = grant.decision in (ToolGrant.Decision.ALLOW, ToolGrant.Decision.ALLOW_WITH_CAPS)
    signed_for_it = grant.waived_version_digest == tool_version.digest
    waived = signed_for_it and grant.waiver_expires_at is not None and grant.waiver_expires_at > now
    if tool_version.effect == Effect.IRREVERSIBLE and skips_people and not waived:
        problem = "it is irreversible, and the grant asks nobody"
        remedy = "Grant it with REQUIRE_APPROVAL, or have two people sign a waiver"
        yield Finding("irreversible_without_human", subject, problem, remedy)
