"""What the argument of a prompt or of an address may be: what its schema lists, and what was used for this user before.

Asking tells an agent nothing that it was not told: what is not granted is not there, and nothing is called, so what
would have to be looked up is not told here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import mcp_types as types
from django.db import connection
from mcp.shared.exceptions import MCPError

from agentops.ledger.store import read_contents_for_people
from identities.oauth.bearers import Delegate
from runs.gateway.readable import choose_prompt, of_kind
from runs.models import Run, RunKind, ToolCall
from tools.calls import ToolSpec
from tools.services.schema_paths import resolve

MOST = 100  # of the protocol
RUNS, CALLS = 10, 50  # the latest, in which it is looked for what was used


def find_reader(
    specs: Sequence[ToolSpec], ref: types.PromptReference | types.ResourceTemplateReference, name: str
) -> ToolSpec:
    """Return what takes an argument; raises MCPError for what is not granted, or has no such argument."""
    spec = choose_prompt(specs, ref.name) if isinstance(ref, types.PromptReference) else _find(specs, ref.uri)
    if name not in spec.input_schema.get("properties", {}):
        raise MCPError(types.INVALID_PARAMS, "There is no such argument", {"argument": name})
    return spec


def complete(caller: Delegate, spec: ToolSpec, name: str, typed: str) -> types.Completion:
    """Return the values that begin like what was typed: those that the schema lists, or else those of before."""
    schema = spec.input_schema
    known = _list(resolve(schema, schema["properties"][name])) or _read_used(caller, spec.name, name)
    fitting = [value for value in known if value.casefold().startswith(typed.casefold())]
    return types.Completion(values=fitting[:MOST], total=len(fitting), has_more=len(fitting) > MOST)


def _find(specs: Sequence[ToolSpec], uri: str) -> ToolSpec:
    for spec, address in of_kind(specs, "template"):
        if address == uri:
            return spec
    raise MCPError(types.INVALID_PARAMS, "Resource template not found", {"uri": uri})


def _list(node: Mapping[str, Any]) -> list[str]:  # Any: JSON Schema nests
    """Return what may stand there: arguments of prompts and addresses are texts."""
    listed = node.get("enum", [node["const"]] if "const" in node else ())
    return [value for value in listed if isinstance(value, str)]


def _read_used(caller: Delegate, tool: str, name: str) -> list[str]:
    """Return with what this agent has called a tool for this very user, the latest first, each once."""
    calls = ToolCall.objects.filter(run_id__in=_own_runs(caller), tool_name=tool, state="succeeded")
    return list(dict.fromkeys(_read_values(calls.order_by("-proposed_at")[:CALLS], name)))


def _own_runs(caller: Delegate) -> list[UUID]:
    own = Run.objects.filter(
        kind=RunKind.EXTERNAL,
        identity=caller.agent,
        principal=caller.principal,
        application=caller.application,
    )
    return list(own.order_by("-id").values_list("pk", flat=True)[:RUNS])


def _read_values(calls: Iterable[ToolCall], name: str) -> Iterator[str]:
    with connection.cursor() as cursor:
        for call in calls:
            seq = call.decided_seq or 0
            decided = read_contents_for_people(cursor, call.run_id, [seq]).get(seq) or {}
            for proposed in decided.get("calls", ()):
                value = (proposed.get("arguments") or {}).get(name)
                if isinstance(value, str):
                    yield value
