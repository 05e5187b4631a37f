"""The server that the conformance suite of MCP expects, as an upstream: its tools, resources and prompts by name."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError

from tests.tools.adapters.mcp.server import serve_app

Context = ServerRequestContext[Any, Any]  # Any: nothing lives as long as the server
Schema = dict[str, Any]  # Any: JSON Schema nests
JSON = dict[str, Any]  # Any: JSON

PNG = b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63f8cfc0f0"
        "1f0005000100ff89993d1d0000000049454e44ae426082"
    )
).decode()
WAV = b64encode(b"RIFF$\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0@\x1f\0\0@\x1f\0\0\1\0\x08\0data\0\0\0\0").decode()
IMAGE = types.ImageContent(data=PNG, mime_type="image/png")
TEMPLATE = "test://template/{id}/data"

DRAFT = "https://json-schema.org/draft/2020-12/schema"
PERSON: Schema = {
    "$schema": DRAFT,
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


def takes(*required: str, **properties: Schema) -> Schema:
    """Return the schema of a tool's arguments."""
    return {"type": "object", "properties": properties, "required": list(required)}


LONGEST_S = 3  # long enough for a task, and over before the test's worker has to end
SECONDS: Schema = {"type": "number", "minimum": 0, "maximum": 60}
TOOLS: dict[str, tuple[str, Schema]] = {
    "test_simple_text": ("Says a text.", takes()),
    "test_image_content": ("Shows a picture.", takes()),
    "test_audio_content": ("Plays a sound.", takes()),
    "test_embedded_resource": ("Hands a document over.", takes()),
    "test_multiple_content_types": ("Says, shows and hands over.", takes()),
    "test_error_handling": ("Always fails.", takes()),
    "test_tool_with_progress": ("Takes a moment.", takes()),
    "test_tool_with_logging": ("Is told of in a log.", takes()),
    "test_reconnection": ("Answers on a stream.", takes()),
    "json_schema_2020_12_tool": ("Takes a person down.", PERSON),
    "test_custom_headers": (
        "Has an argument that travels in a header, too.",
        takes("region", region={"type": "string", "maxLength": 40, "x-mcp-header": "Region"}),
    ),
    "test_input_required_result_elicitation": ("Asks for more in the middle.", takes()),
    "test_input_required_result_request_state": ("Asks, and remembers what for.", takes()),
    "test_input_required_result_tampered_state": ("Asks, and remembers what for.", takes()),
    "test_input_required_result_multi_round": ("Asks twice.", takes()),
    "test_missing_capability": ("Asks the client's model before it does anything.", takes()),
    "greet": ("Greets.", takes("name", name={"type": "string"})),
    "slow_compute": ("Takes its time.", takes("seconds", seconds=SECONDS, label={"type": "string"})),
    "failing_job": ("Fails after a second.", takes()),
}


async def list_tools(context: Context, params: Any) -> types.ListToolsResult:  # Any: no pages
    told = [
        types.Tool(name=name, description=words, input_schema=schema)
        for name, (words, schema) in TOOLS.items()
    ]
    return types.ListToolsResult(tools=told)


async def call_tool(
    context: Context, params: types.CallToolRequestParams
) -> Any:  # Any: a result of either kind
    arguments = params.arguments or {}
    match params.name:
        case "test_image_content":
            return says(IMAGE)
        case "test_audio_content":
            return says(types.AudioContent(data=WAV, mime_type="audio/wav"))
        case "test_embedded_resource":
            return says(embedded("test://embedded-resource", "text/plain", "This is an embedded resource."))
        case "test_multiple_content_types":
            text = types.TextContent(text="Multiple content types test:")
            return says(text, IMAGE, embedded("test://mixed", "application/json", json.dumps({"value": 123})))
        case "test_error_handling":
            return says(types.TextContent(text="This tool intentionally fails."), is_error=True)
        case name if name in ROUNDS:
            return ask(context, name, params) or says(
                types.TextContent(text=f"state-ok: {params.request_state}")
            )
        case "test_missing_capability":
            refuse_without_sampling(context)
        case "slow_compute":
            await asyncio.sleep(min(arguments["seconds"], LONGEST_S))
        case "failing_job":
            await asyncio.sleep(1)
            return says(types.TextContent(text="It failed."), is_error=True)
    return says(types.TextContent(text=f"This is the text of {params.name} {arguments or ''}."))


def refuse_without_sampling(context: Context) -> None:
    """Refuse a client whose model cannot be asked, in the protocol's words."""
    capabilities = context.session.client_capabilities
    if capabilities is None or capabilities.sampling is None:
        lacks: JSON = {"requiredCapabilities": {"sampling": {}}}
        raise MCPError(types.MISSING_REQUIRED_CLIENT_CAPABILITY, "no sampling, no call", lacks)


def form(**fields: str) -> Schema:
    """Return the schema of a form, by the kinds of its fields."""
    told = {name: {"type": kind} for name, kind in fields.items()}
    return {"type": "object", "properties": told, "required": list(fields)}


# What is asked, round by round, by the name of the form.
ROUNDS: dict[str, list[tuple[str, Schema]]] = {
    "test_input_required_result_elicitation": [("user_name", form(name="string"))],
    "test_input_required_result_request_state": [("confirm", form(ok="boolean"))],
    "test_input_required_result_tampered_state": [("confirm", form(ok="boolean"))],
    "test_input_required_result_multi_round": [
        ("step1", form(name="string")),
        ("step2", form(color="string")),
    ],
    "test_input_required_result_prompt": [("user_context", form(context="string"))],
}


def ask(
    context: Context, name: str, params: types.InputResponseRequestParams
) -> types.InputRequiredResult | None:
    """Return the question of the next round, None after the last; the state says which one is answered."""
    capabilities = context.session.client_capabilities
    if capabilities is None or capabilities.elicitation is None:
        raise MCPError(types.INVALID_REQUEST, "you cannot be asked")
    rounds = ROUNDS[name]
    done = int(params.request_state or 0)
    if params.input_responses and rounds[done][0] in params.input_responses:
        done += 1
    if done == len(rounds):
        return None
    key, schema = rounds[done]
    shown = types.ElicitRequestFormParams(message="A stranger asks.", requested_schema=schema)
    asked: types.InputRequests = {key: types.ElicitRequest(params=shown)}
    return types.InputRequiredResult(input_requests=asked, request_state=str(done))


def says(*content: types.ContentBlock, is_error: bool = False) -> types.CallToolResult:
    return types.CallToolResult(content=list(content), is_error=is_error)


def embedded(uri: str, kind: str, text: str) -> types.EmbeddedResource:
    return types.EmbeddedResource(resource=types.TextResourceContents(uri=uri, mime_type=kind, text=text))


async def list_resources(context: Context, params: Any) -> types.ListResourcesResult:  # Any: no pages
    text = types.Resource(
        uri="test://static-text", name="static text", description="A text.", mime_type="text/plain"
    )
    picture = types.Resource(uri="test://static-binary", name="static picture", mime_type="image/png")
    return types.ListResourcesResult(resources=[text, picture])


async def list_templates(context: Context, params: Any) -> types.ListResourceTemplatesResult:  # Any: no pages
    template = types.ResourceTemplate(
        uri_template=TEMPLATE, name="data", description="Data by id.", mime_type="application/json"
    )
    return types.ListResourceTemplatesResult(resource_templates=[template])


async def read_resource(
    context: Context, params: types.ReadResourceRequestParams
) -> types.ReadResourceResult:
    uri = str(params.uri)
    parts = uri.removeprefix("test://template/").split("/")
    contents: types.TextResourceContents | types.BlobResourceContents
    if uri == "test://static-binary":
        contents = types.BlobResourceContents(uri=uri, mime_type="image/png", blob=PNG)
    elif uri == "test://static-text":
        contents = types.TextResourceContents(uri=uri, mime_type="text/plain", text="The static text.")
    elif len(parts) == 2:
        contents = types.TextResourceContents(
            uri=uri, mime_type="application/json", text=json.dumps({"id": parts[0]})
        )
    else:
        raise MCPError(types.INVALID_PARAMS, "no such resource", {"uri": uri})
    return types.ReadResourceResult(contents=[contents])


def argument(name: str) -> types.PromptArgument:
    return types.PromptArgument(name=name, description=f"The {name}.", required=True)


PROMPTS = [
    types.Prompt(name="test_simple_prompt", description="A simple prompt."),
    types.Prompt(
        name="test_prompt_with_arguments",
        description="Two arguments.",
        arguments=[argument("arg1"), argument("arg2")],
    ),
    types.Prompt(
        name="test_prompt_with_embedded_resource",
        description="A document.",
        arguments=[argument("resourceUri")],
    ),
    types.Prompt(name="test_prompt_with_image", description="A picture."),
    types.Prompt(name="test_input_required_result_prompt", description="Asks for its context."),
]


async def list_prompts(context: Context, params: Any) -> types.ListPromptsResult:  # Any: no pages
    return types.ListPromptsResult(prompts=PROMPTS)


async def get_prompt(
    context: Context, params: types.GetPromptRequestParams
) -> types.GetPromptResult | types.InputRequiredResult:
    if params.name in ROUNDS and (question := ask(context, params.name, params)):
        return question
    given = params.arguments or {}
    content: list[types.ContentBlock] = [types.TextContent(text=f"Please look at {json.dumps(given)}.")]
    if params.name == "test_prompt_with_image":
        content.insert(0, IMAGE)
    if params.name == "test_prompt_with_embedded_resource":
        content.insert(0, embedded(given["resourceUri"], "text/plain", "Embedded for testing."))
    messages = [types.PromptMessage(role="user", content=block) for block in content]
    return types.GetPromptResult(description="A prompt.", messages=messages)


@contextmanager
def serve_fixtures() -> Iterator[str]:
    """Serve all of it on this machine; yield the address."""
    server: Server[Any] = Server(  # Any: nothing lives as long as the server
        "fixtures",
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read_resource,
        on_list_prompts=list_prompts,
        on_get_prompt=get_prompt,
    )
    with serve_app(server.streamable_http_app(stateless_http=True)) as url:
        yield url


def declared() -> dict[str, dict[str, Schema]]:
    """Return what the tools that ask may ask for, as a person declares it: in words of ours."""
    return {
        tool: {name: {**schema, "description": f"We need {name}."} for name, schema in rounds}
        for tool, rounds in ROUNDS.items()
    }
