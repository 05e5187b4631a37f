"""Tools: their versions, whether they are in service, and who approves their calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib.auth.models import Group

from agentops.rows import Changes
from identities.models import User
from runs.provisioning.session import Session, at
from runs.provisioning.user_terms import apply_user_terms
from tools.delegation import ADAPTER
from tools.models import Tool, ToolGroupObjectPermission, ToolUserObjectPermission, ToolVersion
from tools.services import (
    ToolDefinition,
    accept_tool,
    add_approver,
    add_version,
    create_tool,
    override_lint,
    quarantine_tool,
    retire_tool,
)
from tools.services.catalogue import latest_version
from tools.services.definition import definition_of
from tools.services.linting import find_blocking
from tools.services.modules import derive_definition
from tools.services.table_faults import derive_schemas

MOVES = {"active": accept_tool, "quarantined": quarantine_tool, "retired": retire_tool}
DEFINING = frozenset(ToolDefinition.__dataclass_fields__)


def apply_tools(session: Session) -> None:
    """Create tools and add versions where the definition differs from the latest, but for those that call agents."""
    _apply(session, {name: entry for name, entry in _tools(session) if entry["adapter"] != ADAPTER})


def apply_agent_tools(session: Session) -> None:
    """Do so for the tools that call agents, which are there by now."""
    _apply(session, {name: entry for name, entry in _tools(session) if entry["adapter"] == ADAPTER})


def _tools(session: Session) -> Iterable[tuple[str, dict[str, Any]]]:
    return session.section("tools").items()


def _apply(session: Session, entries: dict[str, dict[str, Any]]) -> None:
    # What looks up for others, shows what they change, or undoes them comes first: a definition is checked against
    # the tool that it names.
    for name, entry in sorted(entries.items(), key=lambda item: _rank(item[1])):
        with at(f"tools/{name}"):
            team = session.team(entry["team"])
            tool = Tool.objects.filter(team=team, name=name).first()
            is_new = tool is None
            if tool is None:
                tool = create_tool(actor=session.actor, team=team, name=name)
            changes = {**_apply_definition(session, tool, entry), **_apply_approvers(session, tool, entry)}
            changes |= _apply_override(session, tool, entry)
            changes |= {**_apply_state(session, tool, entry), **apply_user_terms(session, tool, entry)}
            if is_new:
                session.created("tool", name, {field: after for field, (_, after) in changes.items()})
            else:
                session.changed("tool", name, changes)


def _rank(entry: dict[str, Any]) -> int:
    return 4 * ("undo" in entry) + 2 * ("preview" in entry) + ("resolvers" in entry)


def with_definitions(schema: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    """Return a schema with the shared definitions that it refers to (``#/$defs/name``), and no others."""
    needed = dict(schema.get("$defs", {}))
    todo = [schema]
    while todo:
        for name in set(_references(todo.pop())) - needed.keys():
            if name in shared:
                needed[name] = shared[name]
                todo.append(shared[name])
    return {**schema, "$defs": needed} if needed else schema


def _references(value: Any) -> Iterator[str]:  # Any: JSON, nested
    if isinstance(value, dict):
        reference = value.get("$ref")
        if isinstance(reference, str) and reference.startswith("#/$defs/"):
            yield reference.removeprefix("#/$defs/")
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def _apply_definition(session: Session, tool: Tool, entry: dict[str, Any]) -> Changes:
    if tool.state == Tool.State.RETIRED or entry.get("state") == Tool.State.RETIRED:
        return {}
    definition = _definition(session, entry)
    before = latest_version(tool)
    after = session.govern(
        f"tool {tool.name}", lambda: add_version(actor=session.actor, tool=tool, definition=definition)
    )
    if after is None or (before is not None and before.pk == after.pk):
        return {}
    changes: Changes = {"version": (before.number if before else None, after.number)}
    return {**changes, **_differences(before, definition)}


def _apply_override(session: Session, tool: Tool, entry: dict[str, Any]) -> Changes:
    """Override what lint holds against the tool, if the document gives a reason; say it otherwise."""
    version = latest_version(tool)
    if version is None or tool.state == Tool.State.RETIRED or entry.get("state") == Tool.State.RETIRED:
        return {}
    blocking = find_blocking(version)
    reason = entry.get("lint_override", "")
    for finding in blocking:
        so = f"overridden: {reason}" if reason else finding.remedy
        session.notes.append(f"tool {tool.name}{finding.where}: {finding.problem}; {so}")
    if not blocking or not reason:
        return {}
    override_lint(actor=session.actor, version=version, reason=reason)
    return {"lint_override": (None, reason)}


def _definition(session: Session, entry: dict[str, Any]) -> ToolDefinition:
    shared = session.section("schemas")
    values = {name: value for name, value in entry.items() if name in DEFINING}
    if values["adapter"] == "decision" and "input_schema" not in values:
        values |= _derive_schemas(session, entry)
    if values["adapter"] == "python" and "input_schema" not in values:
        derived = derive_definition(values.get("config", {}))
        values = {**derived, **values, "config": derived["config"]}
    for name in ("input_schema", "output_schema"):
        if isinstance(values.get(name), dict):
            values[name] = with_definitions(values[name], shared)
    for name in ("timeout_s", "backoff_base_s", "backoff_cap_s"):
        if name in values:  # 5 and 5.0 are the same seconds, and have to be the same digest
            values[name] = float(values[name])
    return ToolDefinition(**{**values, "dedupe_on": tuple(values.get("dedupe_on", ()))})


def _derive_schemas(session: Session, entry: dict[str, Any]) -> dict[str, Any]:
    """Return what the table asks for and answers; without one that is in force, the tool is refused for that."""
    found = derive_schemas(session.team(entry["team"]), str(entry.get("config", {}).get("table", "")))
    return found or {"input_schema": {"type": "object"}}


def _differences(before: ToolVersion | None, definition: ToolDefinition) -> Changes:
    after = definition.values()
    if before is None:
        return {name: (None, after[name]) for name in ("effect", "idempotency", "adapter")}
    stored = definition_of(before).values()
    return {name: (stored[name], value) for name, value in after.items() if stored[name] != value}


def _apply_approvers(session: Session, tool: Tool, entry: dict[str, Any]) -> Changes:
    listed = entry.get("approvers", {})
    people, groups = listed.get("people", []), listed.get("groups", [])
    approvers: list[User | Group] = [*map(session.person, people), *map(session.group, groups)]
    added = [
        str(approver)
        for approver in approvers
        if add_approver(actor=session.actor, tool=tool, approver=approver)
    ]
    _note_other_approvers(session, tool, people, groups)
    return {"approvers": ("", f"+ {', '.join(added)}")} if added else {}


def _note_other_approvers(session: Session, tool: Tool, people: list[str], groups: list[str]) -> None:
    rows = {"content_object": tool, "permission__codename": "approve_calls"}
    users = ToolUserObjectPermission.objects.filter(**rows).exclude(user__username__in=people)
    others = [f"person {name}" for name in users.values_list("user__username", flat=True)]
    in_groups = ToolGroupObjectPermission.objects.filter(**rows).exclude(group__name__in=groups)
    others += [f"group {name}" for name in in_groups.values_list("group__name", flat=True)]
    if others:
        session.notes.append(f"{', '.join(others)} may also approve calls of {tool.name}; that stays")


def _apply_state(session: Session, tool: Tool, entry: dict[str, Any]) -> Changes:
    wanted = entry.get("state", tool.state)
    if wanted == tool.state:
        return {}
    MOVES[wanted](actor=session.actor, tool=tool)
    return {"state": (tool.state, wanted)}
