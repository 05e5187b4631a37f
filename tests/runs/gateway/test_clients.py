"""Agents that others' frameworks run, on the gateway's tools: their model is scripted, all else is theirs."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from agents import Agent, OpenAIChatCompletionsModel, Runner, set_tracing_disabled
from agents.mcp import MCPServerStreamableHttp
from langchain_core.messages import HumanMessage
from langchain_core.tools import StructuredTool
from langchain_openai import ChatOpenAI
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from openai import AsyncOpenAI
from pydantic import SecretStr
from pydantic_ai import Agent as PydanticAgent
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from runs.models import Run
from tests.runs.company import ORDER, says
from tests.runs.gateway.conftest import Outside
from tests.runs.gateway.gateways import Gateway
from tests.runs.planner.provider import Turn, call, completion, reply

pytestmark = [
    pytest.mark.mcp,
    pytest.mark.slow,
    # The frameworks leave connections to their model for the garbage collector to close.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"),
]

REFUND = {"order_id": "A-1", "amount": "5.00"}
REQUEST, KEY = "Please refund my order.", "sk-test"


async def run_openai_agents(url: str, headers: dict[str, str], model: str) -> str:
    """The OpenAI Agents SDK."""
    set_tracing_disabled(True)
    client = AsyncOpenAI(base_url=model, api_key=KEY)
    async with MCPServerStreamableHttp(
        {"url": url, "headers": headers}, client_session_timeout_seconds=60
    ) as server:
        agent = Agent(
            name="outside",
            model=OpenAIChatCompletionsModel("scripted", client),
            mcp_servers=[server],
        )
        return str((await Runner.run(agent, REQUEST)).final_output)


async def run_pydantic_ai(url: str, headers: dict[str, str], model: str) -> str:
    """Pydantic AI."""
    tools: MCPToolset[None] = MCPToolset(url, headers=headers)
    provider = OpenAIProvider(base_url=model, api_key=KEY)
    agent = PydanticAgent(OpenAIChatModel("scripted", provider=provider), toolsets=[tools])
    async with agent:
        return str((await agent.run(REQUEST)).output)


async def run_langgraph(url: str, headers: dict[str, str], model: str) -> str:
    """LangGraph, with the official client under its tools: its own adapter speaks to an earlier SDK only."""
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        tools = [_tool_of(client, listed) for listed in (await client.list_tools()).tools]
        llm = ChatOpenAI(model="scripted", base_url=model, api_key=SecretStr(KEY)).bind_tools(tools)

        async def think(state: MessagesState) -> dict[str, Any]:  # Any: messages
            return {"messages": [await llm.ainvoke(state["messages"])]}

        graph = StateGraph(MessagesState)
        graph.add_node("think", think)
        graph.add_node("tools", ToolNode(tools))
        graph.add_edge(START, "think")
        graph.add_conditional_edges("think", tools_condition)
        graph.add_edge("tools", "think")
        answer = await graph.compile().ainvoke({"messages": [HumanMessage(REQUEST)]})
        return str(answer["messages"][-1].content)


def _tool_of(client: Client, listed: Any) -> StructuredTool:  # Any: a tool as MCP lists it
    async def call(**arguments: Any) -> str:  # Any: JSON
        result = await client.call_tool(listed.name, arguments)
        return str(result.content[0].text)  # type: ignore[union-attr]  # texts are all that comes

    return StructuredTool(
        name=listed.name, description=listed.description, args_schema=listed.input_schema, coroutine=call
    )


def proposes(tool: str, arguments: dict[str, str]) -> Turn:
    """Play one tool call, under an id that no other has: a framework may hold it to that."""
    calls = [call(json.dumps(arguments), tool, id=f"call_{uuid4().hex}")]
    return reply(completion(message={"tool_calls": calls}, choice={"finish_reason": "tool_calls"}))


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """Provide one event loop for all: some of them keep connections for the next conversation."""
    with asyncio.Runner() as kept:
        yield kept
    gc.collect()


@pytest.fixture(autouse=True)
def _tidied() -> Iterator[None]:
    """Have what the frameworks leave behind collected here: the next test would answer for it."""
    yield
    gc.collect()


Framework = Callable[[str, dict[str, str], str], Any]  # Any: a coroutine
FRAMEWORKS = [run_openai_agents, run_pydantic_ai, run_langgraph]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_an_agent_of_another_framework_works_through_the_gateway(
    gateway: Gateway, outside: Outside, framework: Framework, runner: asyncio.Runner
) -> None:
    company = outside.company
    company.play(proposes("look_up", ORDER), proposes("refund", REFUND), says("Refunded."))
    assert runner.run(framework(gateway.url, gateway.headers(), company.provider.base_url)) == "Refunded."
    run = Run.objects.get(kind="external")
    assert company.states(run) == [("succeeded", "ok")] * 2
    assert len(company.world.effects) == 1


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_such_an_agent_learns_that_a_person_has_to_approve(
    gateway: Gateway, outside: Outside, framework: Framework, runner: asyncio.Runner
) -> None:
    company, refund = outside.company, outside.company.versions[0].tool
    company.grant(refund, "REQUIRE_APPROVAL")
    company.let_decide(refund)
    company.play(proposes("refund", REFUND), says("It waits for a colleague."))
    runner.run(framework(gateway.url, gateway.headers(), company.provider.base_url))
    told = json.dumps(company.asked()[-1]["messages"][-1])
    assert "approval_required" in told
    assert company.world.effects == []
    # Asked again once somebody has decided, it learns how it ended.
    company.decide()
    company.play(proposes("refund", REFUND), says("Refunded."))
    assert runner.run(framework(gateway.url, gateway.headers(), company.provider.base_url)) == "Refunded."
    assert len(company.world.effects) == 1
