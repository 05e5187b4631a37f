"""The platform with the retail company before its shops, as applications and approvers use it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from starlette.types import ASGIApp, Receive, Scope, Send

from agentops.demo.planner.app import build_app as build_planner
from agentops.demo.toolserver import Problem
from identities.models import Application, User
from identities.services import issue_api_key
from runs.provisioning.document import apply_document
from tests.demo.servers import running
from tests.factories.identities import PersonFactory, current_code, give_second_factor
from tests.live import LivePlatform, live_platform
from tests.retail.catalogue import describe_tools
from tests.retail.company import build_document
from tests.retail.dataset import load_database, load_tools
from tests.retail.scripts import build_marker, build_message, build_script
from tests.retail.shop import WRITES, RetailShop

ISSUER = "https://retail.example"
DEADLINE_S = 900


class ShopOfPrincipal:
    """Leads ``/tools/{name}`` and ``/effects/{key}`` to the shop of the principal that the platform names."""

    def __init__(self, shops: ASGIApp) -> None:
        self._shops = shops

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(("/tools/", "/effects/")):
            principal = dict(scope["headers"]).get(b"x-principal", b"").decode()
            shop = principal.rpartition("|")[2]
            scope = {**scope, "path": f"/shops/{shop}{scope['path']}", "raw_path": None}
        await self._shops(scope, receive, send)


@dataclass(frozen=True)
class Desk:
    """The platform with the retail company: how applications and approvers talk to it."""

    platform: LivePlatform
    shops: str
    planner: str
    application_key: str
    approver_key: str
    device: Any  # TOTPDevice: django-otp has no types

    def call(self, method: str, path: str, key: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": uuid.uuid4().hex}
        answer = httpx2.request(method, f"{self.platform.api}{path}", json=body, headers=headers, timeout=60)
        assert answer.status_code < 300, answer.text
        return answer.json()


@contextmanager
def open_desk(data: Path, shops: ASGIApp, of_writes: Mapping[str, Any] = {}) -> Iterator[Desk]:
    """Start the platform before these shops; tools that change something are declared with ``of_writes``."""
    with running(ShopOfPrincipal(shops)) as shop_url, running(build_planner({})) as planner_url:
        environment = {
            "OPENAI_BASE_URL": f"{planner_url}/v1",
            "OPENAI_API_KEY": "scripted",
            "TIME_SLICE_S": "10",
        }
        key, approver_key, device = _provision(shop_url, of_writes)
        with live_platform(data, environment) as platform:
            yield Desk(platform, shop_url, planner_url, key, approver_key, device)


def _provision(shop_url: str, of_writes: Mapping[str, Any]) -> tuple[str, str, Any]:
    ada = PersonFactory.create(username="ada", is_superuser=True)
    rita = PersonFactory.create(username="rita")
    device = give_second_factor(rita)
    document = build_document(list(describe_tools(load_tools())), shop_url, of_writes)
    apply_document(actor=ada, text=document)
    application = Application.objects.get(slug="retail-app")
    _, key = issue_api_key(actor=ada, user=application.service_account, label="shop")
    _, approver_key = issue_api_key(actor=rita, user=User.objects.get(username="rita"), label="approver")
    return key, approver_key, device


def _start(desk: Desk, request: dict[str, Any], purpose: str) -> tuple[str, str]:
    """Open a fresh shop, teach the planner its script, start the run; return the run's and the shop's id."""
    shop = f"{purpose}-{request['id']}"
    marker = build_marker(request, purpose)
    httpx2.post(f"{desk.shops}/shops/{shop}").raise_for_status()
    httpx2.put(f"{desk.planner}/scripts/{shop}", json=build_script(request, marker)).raise_for_status()
    run = desk.call(
        "POST",
        "/runs",
        desk.application_key,
        {
            "agent": "retail-agent",
            "message": build_message(request, marker),
            "principal": {"issuer": ISSUER, "subject": shop},
        },
    )
    return run["id"], shop


class Approver:
    """A person who approves everything, with a second factor that is renewed when its window closes."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._verified_until = 0.0
        self.decided = 0

    def decide_all(self) -> None:
        page = self._desk.call("GET", "/approvals?state=waiting&limit=100", self._desk.approver_key)
        for request in page["data"]:
            self._verify()
            body = {"verdict": "approve", "reason": "as the customer asked", "digest": request["digest"]}
            self._desk.call("POST", f"/approvals/{request['id']}/decision", self._desk.approver_key, body)
            self.decided += 1

    def _verify(self) -> None:
        if time.monotonic() < self._verified_until:
            return
        self._desk.device.refresh_from_db()
        while self._desk.device.last_t >= int(time.time()) // self._desk.device.step:
            time.sleep(0.5)  # a code is good for one use: wait for the next
        self._desk.call("POST", "/step-up", self._desk.approver_key, {"otp": current_code(self._desk.device)})
        self._verified_until = time.monotonic() + 50


def _await_end(desk: Desk, approver: Approver, runs: list[str]) -> dict[str, Any]:
    ended: dict[str, Any] = {}
    deadline = time.monotonic() + DEADLINE_S
    while len(ended) < len(runs):
        assert time.monotonic() < deadline, f"{len(runs) - len(ended)} runs have not ended"
        approver.decide_all()
        for run in [run for run in runs if run not in ended]:
            found = desk.call("GET", f"/runs/{run}", desk.application_key)
            if found["state"] in ("completed", "halted", "failed", "cancelled", "expired"):
                ended[run] = found
        time.sleep(0.1)
    return ended


def replay_directly(request: dict[str, Any]) -> tuple[RetailShop, list[tuple[str, Any]]]:
    """Apply the recorded calls without any platform; return the shop, and what was changed, in order."""
    shop = RetailShop(load_database())
    changes: list[tuple[str, Any]] = []
    for action in request["actions"]:
        with suppress(Problem):  # a refusal is part of the record, and changes nothing
            shop.call(action["name"], action["arguments"])
            changes += [(action["name"], action["arguments"])] if action["name"] in WRITES else []
    return shop, changes


def _ends_as_recorded(desk: Desk, request: dict[str, Any], shop: str) -> bool:
    state = httpx2.get(f"{desk.shops}/shops/{shop}/state?full=false").json()
    return bool(state["digest"] == replay_directly(request)[0].digest())


def needs_person(action: dict[str, Any]) -> bool:
    kinds = {tool.name: tool.effect_class for tool in describe_tools(load_tools())}
    return kinds[action["name"]] != "read"


def _assert_executed_as_recorded(desk: Desk, request: dict[str, Any], run: str) -> None:
    """Each recorded call was made, in its order and with its arguments; those that change something by approval.

    What is said of its outcome is what became of it: nothing that was done counts as failed.
    """
    steps = desk.call("GET", f"/runs/{run}/steps?limit=100", desk.application_key)
    assert not steps["has_more"]
    executed = [
        (call["tool"], call["arguments"], call["approval"] is not None, call["state"])
        for step in steps["data"]
        for call in step["calls"]
        if call["attempts"]
    ]
    succeeding = replay_directly(request)[1]
    recorded = [
        (each["name"], each["arguments"], needs_person(each), _end_of(each, succeeding))
        for each in request["actions"]
    ]
    assert executed == recorded, request["id"]


def _end_of(action: dict[str, Any], succeeding: list[tuple[str, Any]]) -> str:
    """Return how the trace has to say that a call ended; a read that finds nothing has an answer, too."""
    made = action["name"] not in WRITES or (action["name"], action["arguments"]) in succeeding
    return "succeeded" if made else "failed"


def play(desk: Desk, approver: Approver, requests: Sequence[dict[str, Any]], purpose: str) -> int:
    """Run the requests all at once and check each; return how many shops end as the recorded calls leave them."""
    started = [(*_start(desk, request, purpose), request) for request in requests]
    ended = _await_end(desk, approver, [run for run, _, _ in started])
    for run, _, request in started:
        assert ended[run]["state"] == "completed", (request["id"], ended[run])
        _assert_executed_as_recorded(desk, request, run)
    return sum(_ends_as_recorded(desk, request, shop) for _, shop, request in started)
