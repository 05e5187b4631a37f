"""A server that nobody here wrote and that has all there is, started and over HTTP: each tool of it, in a real run."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
from mcp import Client
from pytest_django import Settings

from runs.gateway.answers import Answer
from tests.runs.company import Company, proposes, says
from tests.runs.gateway.conftest import Outside, delegate
from tests.runs.gateway.gateways import serving
from tests.runs.gateway.npm import NODE, install, start_by_node
from tests.runs.gateway.served import take_over
from tools.models import ServerTool
from tools.services import ServerDefinition

pytestmark = [pytest.mark.mcp, pytest.mark.slow]

SERVER = "node_modules/@modelcontextprotocol/server-everything/dist/index.js"
TRANSPORTS = ("stdio", "http")
BASE64 = "iVBORw0KGgo"  # how every PNG begins
CALLS: list[tuple[str, dict[str, Any], str]] = [  # Any: JSON. A tool, its arguments, and what its answer holds
    ("echo", {"message": "Hello"}, "Echo: Hello"),
    ("get_sum", {"a": 2, "b": 3}, "5"),
    ("get_env", {}, "PATH"),
    ("get_structured_content", {"location": "Chicago"}, '"conditions"'),
    ("get_annotated_message", {"messageType": "error", "includeImage": True}, '"priority": 1'),
    ("get_tiny_image", {}, '"image/png"'),
    ("get_resource_links", {"count": 2}, '"resource_link"'),
    ("get_resource_reference", {"resourceType": "Blob", "resourceId": 2}, '"sha256"'),
    ("trigger_long_running_operation", {"duration": 0.5, "steps": 2}, "completed"),
    ("toggle_simulated_logging", {}, "Started"),
    ("toggle_subscriber_updates", {}, "Started"),
    ("resource_demo_resource_static_document_features_md", {}, "Features"),
    ("template_demo_resource_dynamic_text_resourceId", {"resourceId": "7"}, "Resource 7"),
    ("simple_prompt", {}, '"role": "user"'),
    ("args_prompt", {"city": "Berlin"}, "Berlin"),
]  # fmt: skip
# What nobody can use through us, or not like this, with the word that is told.
REFUSED: list[tuple[str, dict[str, Any], str, str]] = [  # Any: JSON
    ("get_resource_links", {"count": 99}, "invalid_arguments", "must be at most 10"),
    ("get_resource_reference", {"resourceType": "Text", "resourceId": 0.5}, "tool_refused", "positive integer"),
    # It would fetch whatever address a model names, also one inside the text itself: its schema says `uri`.
    ("gzip_file_as_resource", {"name": "a.gz", "data": "data:text/plain,hello"}, "invalid_arguments", "https://"),
    ("gzip_file_as_resource", {"name": "a.gz", "data": "http://127.0.0.1/"}, "invalid_arguments", "https://"),
]  # fmt: skip


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the server by its lock, or skip."""
    return install("everything", tmp_path_factory.mktemp("everything")) / SERVER


@contextmanager
def reached(transport: str, script: Path, settings: Settings) -> Iterator[ServerDefinition]:
    """Provide the server as people name it: behind a command of the operator's, or at an address where it runs."""
    if transport == "stdio":
        settings.MCP_COMMANDS = {"everything": start_by_node(script)}
        yield ServerDefinition("stdio", command="everything")
        return
    with running(script, free_port()) as url:
        yield ServerDefinition("http", url=url, allow_private=True)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextmanager
def running(script: Path, port: int) -> Iterator[str]:
    """Run the server over HTTP until the end of the block; whoever killed it meanwhile did so."""
    environment = {"PATH": os.environ["PATH"], "PORT": str(port)}
    quiet = subprocess.DEVNULL
    process = subprocess.Popen([NODE, script, "streamableHttp"], env=environment, stdout=quiet, stderr=quiet)
    try:
        for _ in range(600):
            with socket.socket() as asking:
                if asking.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        process.wait()


def granted(company: Company) -> Outside:
    """Publish an agent outside with all that was taken over."""
    company.publish(price=False, planner="external", principal_source="token", max_steps=100)
    return Outside(company, delegate(company))


def ask(outside: Outside, tool: str, arguments: dict[str, Any]) -> Answer:  # Any: JSON
    return outside.hear(outside.call(tool, arguments))


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_every_tool_of_it_is_called(
    company: Company, settings: Settings, everything: Path, transport: str
) -> None:
    with reached(transport, everything, settings) as definition:
        take_over(company, "everything", definition)
        outside = granted(company)
        for tool, arguments, holds in CALLS:
            answer = ask(outside, tool, arguments)
            assert answer.status == "succeeded", (tool, answer)
            assert holds in json.dumps(answer.value, ensure_ascii=False), (tool, answer.value)
        for tool, arguments, code, word in REFUSED:
            refused = ask(outside, tool, arguments)
            assert (refused.status, refused.code, word in refused.detail) == ("failed", code, True), refused
    told = json.dumps([entry.content for entry in company.entries(outside.run)])
    assert BASE64 not in told
    offered = {row.name for row in ServerTool.objects.filter(faults=[], name__regex="^[a-z-]+$")}
    left = ServerTool.objects.exclude(faults=[])
    assert [row.name for row in left if row.name[:9] != "template:"] == ["simulate-research-query"]
    assert "as a task" in left.get(name="simulate-research-query").faults[0]
    called = {tool for tool, *_ in [*CALLS, *REFUSED]}
    assert {name.replace("-", "_") for name in offered} <= called, "a tool of it is not called here"


def test_a_model_of_ours_learns_of_a_picture_and_never_gets_it(
    company: Company, settings: Settings, everything: Path
) -> None:
    with reached("stdio", everything, settings) as definition:
        take_over(company, "everything", definition)
        run = company.run(proposes(("get_tiny_image", {})), says("I know of a picture."))
    assert company.states(run) == [("succeeded", "ok")]
    asked = json.dumps(company.asked())
    assert (BASE64 in asked, "image/png" in asked, "sha256" in asked) == (False, True, True)
    assert run.part_rows.count() == 0, "nobody here could use it"


@pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
def test_an_agent_outside_gets_pictures_documents_and_prompts(
    company: Company, settings: Settings, everything: Path, mode: str
) -> None:
    async def talk(client: Client) -> Any:  # Any: what a client gets
        picture = await client.call_tool("get_tiny_image", {})
        resource = await client.read_resource("demo://resource/dynamic/blob/3")
        prompt = await client.get_prompt("args_prompt", {"city": "Berlin"})
        return picture, resource, prompt

    with reached("http", everything, settings) as definition:
        take_over(company, "everything", definition)
        granted(company)
        with serving(company, settings) as gateway:
            picture, resource, prompt = gateway.ask(talk, mode=mode)
    shown = [block for block in picture.content if isinstance(block, types.ImageContent)]
    assert shown[0].data.startswith(BASE64)
    assert resource.contents[0].blob
    assert "Berlin" in prompt.messages[0].content.text
