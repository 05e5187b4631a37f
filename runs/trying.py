"""Try it: everything that the platform would do with a call, up to where it would go out, and nothing of that itself.

No tool, no server and no model is asked, no credential is leased, and nothing is written. Whether the call could be
made says the function that decides real calls.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from agentops.errors import ValidationFailed
from agentops.identifiers import new_id
from identities.models import STAFF_ISSUER, AgentIdentity, User
from identities.policies import may_govern
from runs.models import AgentVersion
from runs.what_if import foresee_call
from tools.assessment import digest_arguments, digest_for_dedupe
from tools.authority import Decision
from tools.calls import Call, ToolSpec
from tools.catalogue import read_spec
from tools.lint.words import DRY_RUN
from tools.models import Tool
from tools.schemas import ARGUMENTS_LIMIT_BYTES, Problem, check_limits, validate_arguments
from tools.services.catalogue import latest_version
from tools.services.linting import find_previews
from tools.showing import Shown, show_request

Json = Any  # arguments

ASK_FOR_OTHERS = "tools.add_toolgrant"  # who sets terms of end users may see what they come to


@dataclass(frozen=True, slots=True)
class Lookup:
    """An argument that may be said in words: by which tool it would be looked up, and what was said."""

    argument: str
    tool: str
    is_listed: bool


@dataclass(frozen=True, slots=True)
class Trial:
    """What would become of a call. ``decision`` is None without an agent, ``shown`` where the arguments are invalid."""

    spec: ToolSpec
    arguments: str  # as JSON, in the one order in which they are compared
    problems: tuple[Problem, ...]
    lookups: tuple[Lookup, ...]
    decision: Decision | None
    shown: Shown | None
    args_digest: str = ""
    dedupe_digest: str = ""


def spec_for(tool: Tool, agent: AgentIdentity | None) -> ToolSpec | None:
    """Return the version that the agent's published version pins, else the newest; None where there is none."""
    pinned = AgentVersion.objects.filter(identity=agent, state="published").first() if agent else None
    version = pinned.catalogue.filter(tool=tool).first() if pinned else None
    version = version or latest_version(tool)
    return None if version is None else read_spec(version.pk)


def agents_offering(tool: Tool, person: User) -> list[AgentIdentity]:
    """Return the agents that the person may see and whose published version offers the tool."""
    versions = AgentVersion.objects.filter(state="published", catalogue__tool=tool)
    agents = AgentIdentity.objects.visible_to(person).filter(pk__in=versions.values("identity"))
    return list(agents.order_by("slug")[:100])


def may_ask_for_others(person: User, tool: Tool) -> bool:
    """Return whether somebody may ask on behalf of end users: anybody else asks for themselves."""
    return may_govern(person, ASK_FOR_OTHERS, tool.team, tool).allowed


def principal_of(person: User) -> tuple[str, str]:
    """Return the principal that a person is."""
    return STAFF_ISSUER, person.get_username()


def try_call(
    spec: ToolSpec, agent: AgentIdentity | None, arguments: Json, principal: tuple[str, str]
) -> Trial:
    """Return what would become of a call for a principal (issuer, subject); nothing is called, and nothing is kept."""
    too_much = check_limits(arguments, ARGUMENTS_LIMIT_BYTES)
    problems = too_much or validate_arguments(spec, arguments)
    issuer, subject = principal
    decision = foresee_call(agent, spec.name, arguments, issuer=issuer, subject=subject) if agent else None
    if problems:
        told = "" if too_much else _canonical(arguments)
        return Trial(spec, told, tuple(problems), (), decision, None)
    return Trial(
        spec,
        _canonical(arguments),
        (),
        tuple(Lookup(each.name, each.tool, each.fresh_s is not None) for each in spec.resolvers),
        decision,
        show_request(_call(spec, agent, arguments, principal)),
        digest_arguments(spec, arguments),
        _digest_for_dedupe(spec, arguments),
    )


def _digest_for_dedupe(spec: ToolSpec, arguments: Json) -> str:
    try:
        return digest_for_dedupe(spec, arguments)
    except ValidationFailed:  # there is no amount to read; the rules say so, too
        return ""


def _call(spec: ToolSpec, agent: AgentIdentity | None, arguments: Json, principal: tuple[str, str]) -> Call:
    issuer, subject = principal
    identity = (agent.pk, agent.name) if agent else (new_id(), "<agent>")
    return Call(
        spec, arguments, f"run:step:{spec.name}:call", 1, new_id(), *identity, issuer, subject, traceparent=""
    )


def _canonical(arguments: Json) -> str:
    return json.dumps(arguments, ensure_ascii=False, indent=2, sort_keys=True)


def previews_of(tool: Tool, spec: ToolSpec) -> tuple[list[Tool], list[str]]:
    """Return the tools that show beforehand what a call comes to, and the arguments of its own that say "only look"."""
    properties = spec.input_schema.get("properties")
    names = [name for name in properties if DRY_RUN.match(name)] if isinstance(properties, dict) else []
    return list(find_previews(tool)), names
