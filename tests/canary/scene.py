"""A run on the real stack whose tools go wrong in every way, each with a credential that they tell everybody."""

from __future__ import annotations

import time
import uuid
from functools import partial
from typing import Any

import httpx2

from identities.services import create_secret, declare_resource, issue_api_key
from identities.services.signing_keys import ensure_signing_key
from tests.canary.functions import PLANTED
from tests.cast import Cast
from tests.live import LivePlatform
from tests.runs.company import Company, proposes, says
from tests.tools.rude_server import RudeServer

STATIC, CLIENT = "canary-static-5b1e7c", "canary-client-9d20af"
ISSUED = "issued-0000"  # what every token of the rude server begins with
SUBJECT, WORDS = "canary-subject-77e1", "ann.canary-41c6@example.org"
HERE = "tests.canary.functions"
DEADLINE_S = 120
HTTP_TOOLS = {
    "echoes": "/echo", "complains": "/complain/500", "refuses": "/complain/403", "hangs": "/slow", "drops": "/drop",
    "moves": "/redirect/307", "garbles": "/garbled",
}  # fmt: skip


def set_up(company: Company, server: RudeServer) -> None:
    """Give the agent tools with credentials of each kind, and script the model to call all of them."""
    declare = partial(
        create_secret, actor=company.cast.alice, team=company.cast.team, purpose="Calls the shop."
    )
    declare(slug="key", provider="static", settings={}, value=STATIC)
    client = {"token_url": f"{server.url}/token/60", "client_id": "agentops", "allow_private": True}
    declare(slug="client", provider="oauth", settings=client, value=CLIENT)
    for name, path in HTTP_TOOLS.items():
        _add(company, name, {"method": "GET", "url": server.url + path, "credential": "key"}, adapter="http")
    token = {"method": "GET", "url": f"{server.url}/echo", "credential": "client"}
    _add(company, "echoes_token", token, adapter="http")
    declare_resource(actor=company.cast.alice, application=company.cast.application, audience=server.url)
    minted = {"method": "GET", "url": f"{server.url}/complain/403", "audience": server.url}
    _add(company, "complains_of_token", minted, adapter="http")
    ensure_signing_key()
    for name in ("burst", "complain"):
        _add(company, name, {"function": f"{HERE}:{name}", "credential": "key"}, adapter="python")
    names = [version.tool.name for version in company.versions]
    company.play(*(proposes((name, {})) for name in names), says(f"Done, {WORDS}. {PLANTED}"))
    company.publish(max_steps=len(names) + 4)


def _add(company: Company, name: str, config: dict[str, Any], **changes: Any) -> None:
    if "url" in config:
        config = {**config, "allow_private": True}
    company.add_tool(
        name, config=config, effect="read", idempotency="none", input_schema={"type": "object"}, max_attempts=1,
        timeout_s=1.0, statement="", **changes,
    )  # fmt: skip


def play(cast: Cast, platform: LivePlatform) -> tuple[str, dict[str, str]]:
    """Start a run through the API and wait for its end; return its id, and what the API then says."""
    _, key = issue_api_key(actor=cast.alice, user=cast.application.service_account, label="shop")
    with httpx2.Client(
        base_url=platform.url, headers={"Authorization": f"Bearer {key}"}, timeout=60
    ) as client:
        body = {
            "agent": cast.agent.slug, "message": f"I am {WORDS}.",
            "principal": {"issuer": "https://shop.example", "subject": SUBJECT},
        }  # fmt: skip
        started = client.post("/api/v1/runs", json=body, headers={"Idempotency-Key": uuid.uuid4().hex})
        assert started.status_code == 201, started.text
        run = started.json()["id"]
        deadline = time.monotonic() + DEADLINE_S
        while client.get(f"/api/v1/runs/{run}").json()["state"] not in ("completed", "failed", "halted"):
            assert time.monotonic() < deadline, client.get(f"/api/v1/runs/{run}").text
            time.sleep(0.2)
        paths = [f"/api/v1/runs/{run}{part}" for part in ("", "/steps", "/trace", "/events")]
        return run, {path: client.get(path).text for path in [*paths, "/api/v1/openapi.json", "/api/v1/runs"]}


def minted_tokens(server: RudeServer) -> set[str]:
    """Return the tokens of ours that the server was shown, and their signatures: the rest alone opens nothing."""
    given = {request.headers.get("authorization", "").removeprefix("Bearer ") for request in server.seen}
    tokens = {text for text in given if text.startswith("eyJ")}
    return tokens | {text.rpartition(".")[2] for text in tokens}
