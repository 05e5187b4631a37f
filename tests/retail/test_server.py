"""The retail tool server: shops under prefixes of their own, and the recorded requests through scripts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx2
import openai
import pytest

from agentops.demo.planner.app import build_app as build_planner
from agentops.demo.planner.script import parse_script
from agentops.demo.toolserver import Problem, compile_schema
from tests.demo.servers import running
from tests.retail.catalogue import OUTPUT_SCHEMA
from tests.retail.dataset import load_database, load_requests, load_tools, needs_data
from tests.retail.scripts import build_marker, build_message, build_script
from tests.retail.server import build_app
from tests.retail.shop import RetailShop

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.retail, needs_data]

JsonObject = dict[str, Any]  # Any: JSON values


@pytest.fixture(scope="module")
def shops() -> Iterator[httpx2.Client]:
    app = build_app(load_database(), load_tools())
    with running(app) as address, httpx2.Client(base_url=f"{address}/shops") as client:
        yield client


@pytest.fixture
def pending(shops: httpx2.Client) -> JsonObject:
    """Shop "one", freshly opened, and a cancellation that it allows."""
    assert shops.post("/one").status_code == 201
    order_id = next(
        each["order_id"] for each in load_database()["orders"].values() if each["status"] == "pending"
    )
    return {"order_id": order_id, "reason": "no longer needed"}


def digest(shops: httpx2.Client, shop_id: str) -> str:
    return str(shops.get(f"/{shop_id}/state", params={"full": "false"}).json()["digest"])


def test_a_write_shows_in_the_state_of_its_shop_only(shops: httpx2.Client, pending: JsonObject) -> None:
    shops.post("/two")
    fresh = RetailShop(load_database())
    assert digest(shops, "one") == digest(shops, "two") == fresh.digest()
    answer = shops.post("/one/tools/cancel_pending_order", json=pending)
    assert answer.json()["result"]["status"] == "cancelled"
    state = shops.get("/one/state").json()
    assert set(state["changed"]["orders"]) == {pending["order_id"]}
    assert state["state"]["orders"][pending["order_id"]]["status"] == "cancelled"
    assert digest(shops, "two") == fresh.digest()
    shops.post("/one")
    assert digest(shops, "one") == fresh.digest()


def test_a_key_is_one_effect_per_shop(shops: httpx2.Client, pending: JsonObject) -> None:
    shops.post("/two")
    headers = {"Idempotency-Key": "run:1", "X-Principal": "retail|sara"}
    path = "tools/cancel_pending_order"
    first = shops.post(f"/one/{path}", json=pending, headers=headers)
    second = shops.post(f"/one/{path}", json=pending, headers=headers)
    assert (second.json(), second.headers["idempotent-replay"]) == (first.json(), "true")
    other = shops.post(f"/one/{path}", json={**pending, "reason": "ordered by mistake"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert "idempotent-replay" not in shops.post(f"/two/{path}", json=pending, headers=headers).headers
    (effect,) = shops.get("/one/effects").json()["effects"]
    assert (effect["key"], effect["principal"]) == ("run:1", "retail|sara")
    assert shops.get("/one/effects/run:1").json() == first.json()
    assert shops.get("/one/effects/run:2").status_code == 404


def test_not_found_is_an_answer_and_a_refused_write_is_a_problem(
    shops: httpx2.Client, pending: JsonObject
) -> None:
    read = shops.post("/one/tools/get_order_details", json={"order_id": "#X"})
    assert (read.status_code, read.json()) == (200, {"error": "order not found"})
    write = shops.post("/one/tools/cancel_pending_order", json={**pending, "reason": "because"})
    assert (write.status_code, write.json()["code"]) == (422, "reason_not_accepted")


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/none/tools/get_order_details", {"order_id": "#X"}, 404, "unknown_shop"),
        ("/one/tools/__init__", {}, 404, "unknown_tool"),
        ("/one/tools/digest", {}, 404, "unknown_tool"),
        ("/one/tools/get_order_details", {}, 422, "invalid_arguments"),
        ("/one/tools/get_order_details", {"order_id": 1}, 422, "invalid_arguments"),
        ("/one/tools/get_order_details", {"order_id": "#X", "more": 1}, 422, "invalid_arguments"),
        ("/one/tools/get_order_details", [], 400, "invalid_json"),
    ],
)
def test_bad_calls_are_problems(
    shops: httpx2.Client, pending: JsonObject, path: str, body: object, status: int, code: str
) -> None:
    answer = shops.post(path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_markers_and_scripts_are_sound() -> None:
    requests = load_requests()
    assert len(requests) == 74
    markers = [build_marker(each, "alone") for each in requests]
    messages = [build_message(each, marker) for each, marker in zip(requests, markers, strict=True)]
    for position, marker in enumerate(markers):
        assert [marker in message for message in messages].index(True) == position
        assert sum(marker in message for message in messages) == 1
    scripts = [
        parse_script(f"retail-{each['id']}", build_script(each, marker))
        for each, marker in zip(requests, markers, strict=True)
    ]
    assert max(len(script.turns) for script in scripts) == 14
    assert sum(len(turn[0].tool_calls) for script in scripts for turn in script.turns) == 365


def apply_directly(request: JsonObject) -> str:
    """Return the digest of a shop to which the recorded calls were applied."""
    shop = RetailShop(load_database())
    for action in request["actions"]:
        try:
            shop.call(action["name"], action["arguments"])
        except Problem:
            continue  # which calls are refused is tested with the shop itself
    return shop.digest()


@pytest.mark.slow
def test_scripts_through_planner_and_shop_reach_the_recorded_state_74_of_74(shops: httpx2.Client) -> None:
    validator = compile_schema(OUTPUT_SCHEMA)
    with (
        running(build_planner({})) as address,
        httpx2.Client(base_url=address) as planner,
        openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0) as client,
    ):
        reached = 0
        for request in load_requests():
            shop_id, marker = f"request-{request['id']}", build_marker(request)
            shops.post(f"/{shop_id}")
            assert planner.put(f"/scripts/{shop_id}", json=build_script(request, marker)).status_code == 200
            messages: list[Any] = [{"role": "user", "content": build_message(request, marker)}]
            while calls := ask(client, messages):
                for call_id, name, arguments in calls:
                    answer = shops.post(f"/{shop_id}/tools/{name}", json=json.loads(arguments))
                    if answer.status_code == 200:
                        validator.validate(answer.json())
                    messages.append({"role": "tool", "tool_call_id": call_id, "content": answer.text})
            reached += digest(shops, shop_id) == apply_directly(request)
    assert reached == 74


def ask(client: openai.OpenAI, messages: list[Any]) -> list[tuple[str, str, str]]:
    """Ask for the next turn, append it, and return its calls as (id, name, arguments)."""
    message = client.chat.completions.create(model="scripted", messages=messages).choices[0].message
    messages.append(message.model_dump(exclude_none=True))
    calls = message.model_dump()["tool_calls"] or []
    return [(each["id"], each["function"]["name"], each["function"]["arguments"]) for each in calls]
