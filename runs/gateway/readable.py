"""Resources and prompts for agents outside: what was taken over of servers as such, granted like every tool.

To read one is a call: the same budget, policy, approval, breaker and trace. What is not granted is not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import mcp_types as types
from mcp.shared.exceptions import MCPError

from runs.gateway.blocks import write_block
from tools.adapters.mcp.readable import Kind, match, split_name
from tools.calls import ToolSpec

Block = Mapping[str, Any]  # Any: JSON
Chosen = tuple[ToolSpec, dict[str, Any]]  # Any: JSON, its arguments


def kind_of(spec: ToolSpec) -> tuple[Kind, str]:
    """Return as what a tool is offered, and what its server calls it."""
    return split_name(spec.config["tool"]) if spec.adapter == "mcp" else ("tool", spec.name)


def of_kind(specs: Iterable[ToolSpec], kind: Kind) -> list[tuple[ToolSpec, str]]:
    """Return those that are offered as this, each with what its server calls it."""
    return [(spec, kind_of(spec)[1]) for spec in specs if kind_of(spec)[0] == kind]


def describe_resources(specs: Iterable[ToolSpec]) -> list[types.Resource]:
    return [
        types.Resource(uri=address, name=spec.name, description=spec.description)
        for spec, address in of_kind(specs, "resource")
    ]


def describe_templates(specs: Iterable[ToolSpec]) -> list[types.ResourceTemplate]:
    return [
        types.ResourceTemplate(uri_template=address, name=spec.name, description=spec.description)
        for spec, address in of_kind(specs, "template")
    ]


def describe_prompts(specs: Iterable[ToolSpec]) -> list[types.Prompt]:
    """Return the prompts, under our names: those of two servers may be the same."""
    return [
        types.Prompt(name=spec.name, description=spec.description, arguments=_arguments(spec.input_schema))
        for spec, _ in of_kind(specs, "prompt")
    ]


def _arguments(schema: Mapping[str, Any]) -> list[types.PromptArgument]:  # Any: JSON Schema nests
    required = schema.get("required", ())
    return [
        types.PromptArgument(name=name, description=told.get("description"), required=name in required)
        for name, told in schema["properties"].items()
    ]


def choose_resource(specs: Sequence[ToolSpec], uri: str) -> Chosen:
    """Return what reads an address, and with which arguments; raises MCPError where nothing granted does (SEP-2164)."""
    for spec, address in of_kind(specs, "resource"):
        if address == uri:
            return spec, {}
    for spec, template in of_kind(specs, "template"):
        values = match(template, uri)
        if values is not None:
            return spec, values
    raise MCPError(types.INVALID_PARAMS, "Resource not found", {"uri": uri})


def choose_prompt(specs: Sequence[ToolSpec], name: str) -> ToolSpec:
    """Return the prompt of this name; raises MCPError where none is granted."""
    for spec, _ in of_kind(specs, "prompt"):
        if spec.name == name:
            return spec
    raise MCPError(types.INVALID_PARAMS, "Prompt not found", {"name": name})


def write_contents(
    uri: str, blocks: Sequence[Block], parts: Mapping[str, bytes]
) -> list[types.TextResourceContents | types.BlobResourceContents]:
    """Return what was read; what was left out of it, or is kept no more, is said in words."""
    written = [write_block(block, parts) for block in blocks]
    return [
        each.resource
        if isinstance(each, types.EmbeddedResource)
        else types.TextResourceContents(uri=uri, mime_type="text/plain", text=getattr(each, "text", ""))
        for each in written
    ]


def write_messages(blocks: Sequence[Block], parts: Mapping[str, bytes]) -> list[types.PromptMessage]:
    """Return the messages of a prompt."""
    return [
        types.PromptMessage(role=block["role"], content=write_block(_without_role(block), parts))
        for block in blocks
    ]


def _without_role(block: Block) -> Block:
    return {name: value for name, value in block.items() if name != "role"}
