"""The shipped scripts against the real shop: a small loop stands where the platform will."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx2
import openai
import pytest

from agentops.demo.planner.app import build_app as build_planner
from agentops.demo.planner.script import SHIPPED, load_scripts
from agentops.demo.shop.app import build_app as build_shop
from agentops.demo.shop.catalogue import TOOLS
from agentops.demo.shop.store import Store
from runs.window import EDITED
from tests.demo.servers import running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

JsonObject = dict[str, Any]  # Any: JSON values
SCRIPTS = load_scripts(SHIPPED)
DENIAL = '{"code": "denied_by_human", "detail": "Not without a photo."}'


@pytest.fixture
def shop() -> Iterator[httpx2.Client]:
    with running(build_shop(Store())) as address, httpx2.Client(base_url=address) as client:
        yield client


@pytest.fixture(scope="module")
def planner() -> Iterator[openai.OpenAI]:
    with (
        running(build_planner(SCRIPTS)) as address,
        openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0) as client,
    ):
        yield client


def drive(
    planner: openai.OpenAI, request: str, execute: Callable[[str, str], str]
) -> tuple[list[tuple[str, str]], str]:
    """Play a request to its end; returns each (tool, result) and the final answer."""
    messages: list[Any] = [{"role": "user", "content": request}]
    done: list[tuple[str, str]] = []
    while True:
        answer = planner.chat.completions.create(model="scripted", messages=messages).choices[0].message
        if not answer.tool_calls:
            return done, answer.content or ""
        messages.append(answer.model_dump(exclude_none=True))
        for each in answer.tool_calls:
            function = each.model_dump()["function"]
            result = execute(function["name"], function["arguments"])
            done.append((function["name"], result))
            messages.append({"role": "tool", "tool_call_id": each.id, "content": result})


def execute_in(shop: httpx2.Client) -> Callable[[str, str], str]:
    """Return an executor that insists on every call succeeding."""

    def execute(name: str, arguments: str) -> str:
        answer = shop.post(f"/tools/{name}", json=json.loads(arguments))
        assert answer.status_code == 200, (name, arguments, answer.text)
        return answer.text

    return execute


def play(planner: openai.OpenAI, shop: httpx2.Client, name: str) -> tuple[list[str], str]:
    done, answer = drive(planner, SCRIPTS[name].request or "", execute_in(shop))
    return [tool for tool, _ in done], answer


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_shipped_request_finds_its_own_script(name: str) -> None:
    request = SCRIPTS[name].request
    assert request
    assert [each for each in SCRIPTS if SCRIPTS[each].matches("scripted", request)] == [name]


def test_the_refund_story(planner: openai.OpenAI, shop: httpx2.Client) -> None:
    tools, answer = play(planner, shop, "refund_broken_kettle")
    assert tools == ["find_customer", "get_order", "refund_payment"]
    assert "129.90 USD are on their way back to your Visa ending 9212" in answer
    (effect,) = shop.get("/effects").json()["effects"]
    assert effect["arguments"] == {"order_id": "A-1042", "amount": "129.90", "reason": "damaged"}


def test_the_refund_story_when_a_human_says_no(planner: openai.OpenAI, shop: httpx2.Client) -> None:
    read = execute_in(shop)

    def execute(name: str, arguments: str) -> str:
        return DENIAL if name == "refund_payment" else read(name, arguments)

    done, answer = drive(planner, SCRIPTS["refund_broken_kettle"].request or "", execute)
    assert [tool for tool, _ in done] == ["find_customer", "get_order", "refund_payment"]
    assert "was not approved" in answer
    assert shop.get("/effects").json() == {"effects": []}


def test_the_refund_story_when_a_human_asks_first(planner: openai.OpenAI, shop: httpx2.Client) -> None:
    read, asked = execute_in(shop), iter([True])

    def execute(name: str, arguments: str) -> str:
        if name == "refund_payment" and next(asked, False):
            return '{"error": "asked_back", "question": "How broken?"}'
        return read(name, arguments)

    done, answer = drive(planner, SCRIPTS["refund_broken_kettle"].request or "", execute)
    assert [tool for tool, _ in done].count("refund_payment") == 2
    assert "129.90 USD are on their way back" in answer


def test_the_refund_story_when_a_human_edits_the_refund(planner: openai.OpenAI, shop: httpx2.Client) -> None:
    read = execute_in(shop)

    def execute(name: str, arguments: str) -> str:
        if name != "refund_payment":
            return read(name, arguments)
        edited = {**json.loads(arguments), "amount": "60.00"}
        return f"{EDITED} {json.dumps(edited)}.\n{read(name, json.dumps(edited))}"

    _, answer = drive(planner, SCRIPTS["refund_broken_kettle"].request or "", execute)
    assert "60.00 USD are on their way back to your Visa" in answer


def test_the_refund_story_when_the_tool_fails(planner: openai.OpenAI, shop: httpx2.Client) -> None:
    read = execute_in(shop)

    def execute(name: str, arguments: str) -> str:
        return '{"error": "timeout"}' if name == "refund_payment" else read(name, arguments)

    _, answer = drive(planner, SCRIPTS["refund_broken_kettle"].request or "", execute)
    assert "could not be made just now" in answer


def test_the_story_of_a_new_address_and_a_cancellation(planner: openai.OpenAI, shop: httpx2.Client) -> None:
    tools, answer = play(planner, shop, "new_address_then_cancel")
    assert tools == ["find_customer", "get_order", "get_order", "modify_order_address", "cancel_order"]
    assert "79.00 USD go back to your Mastercard ending 3308" in answer
    assert [each["tool"] for each in shop.get("/effects").json()["effects"]] == tools[3:]


def test_the_story_of_questions_changes_nothing(planner: openai.OpenAI, shop: httpx2.Client) -> None:
    tools, answer = play(planner, shop, "where_is_my_order")
    reads = {tool.name for tool in TOOLS if tool.effect_class == "read"}
    assert set(tools) <= reads
    assert "order A-1047 is shipped, on its way to Duluth" in answer
    assert "stoneware mug in slate costs 14.90 USD, and we have 42" in answer


def test_the_story_of_mistakes_recovers(planner: openai.OpenAI, shop: httpx2.Client) -> None:
    """Where the platform will tell the model of an unknown tool and of broken arguments, the loop does."""
    succeed = execute_in(shop)
    known = {tool.name for tool in TOOLS}
    mistakes: list[str] = []

    def execute(name: str, arguments: str) -> str:
        if name not in known:
            mistakes.append("unknown tool")
            return '{"code": "unknown_tool"}'
        try:
            json.loads(arguments)
        except ValueError:
            mistakes.append("malformed arguments")
            return '{"code": "invalid_arguments"}'
        return succeed(name, arguments)

    _, answer = drive(planner, SCRIPTS["recover_from_mistakes"].request or "", execute)
    assert mistakes == ["unknown tool", "malformed arguments"]
    assert answer == "Dear Grace Kim, order A-1053 goes to 402 Sunset Drive, 85701 Tucson."
