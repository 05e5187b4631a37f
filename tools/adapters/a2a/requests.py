"""What is said to a remote agent: one JSON-RPC request each, over the wire of all HTTP tools."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, uuid5

from tools.adapters.a2a.config import Remote
from tools.adapters.http.request import PLAIN_HEADERS, Request, call_headers
from tools.calls import Call

Json = Mapping[str, Any]  # Any: JSON

VERSION = "1.0"
SKILL, PRINCIPAL = "io.agentops/task", "io.agentops/principal"


def build_request(remote: Remote, call: Call, method: str, params: Json) -> Request:
    """Return one request of a call."""
    body = json.dumps(
        {"jsonrpc": "2.0", "id": call.key, "method": method, "params": params}, ensure_ascii=False
    ).encode()
    parts = urlsplit(remote.url)
    headers = [
        (b"Host", parts.netloc.encode()),
        (b"Accept", b"application/json"),
        (b"A2A-Version", VERSION.encode()),
        (b"Content-Type", b"application/json"),
        (b"Content-Length", str(len(body)).encode()),
        *PLAIN_HEADERS,
        *call_headers(_place_token(remote, call)),
    ]
    return Request(
        "POST", parts.scheme, parts.hostname or "", parts.port, parts.path or "/", headers, body,
        remote.limit_bytes, remote.allow_private,
    )  # fmt: skip


def _place_token(remote: Remote, call: Call) -> Call:
    """Put the call's token where the card wants a user's; it is the caller's own where nothing else lets us in."""
    if call.token is None or call.credential is None or not remote.token_header:
        return call
    return replace(call, token=call.token.in_header(remote.token_header))


def write_message(remote: Remote, call: Call) -> dict[str, Any]:  # Any: JSON
    """Return the parameters that give a task away: typed values, nothing of the conversation.

    The message's id is the call's key: sent again it is the same message.
    """
    only = call.arguments.get("task")
    is_text = set(call.arguments) == {"task"} and isinstance(only, str)
    message: dict[str, Any] = {  # Any: JSON
        "messageId": call.key,
        "role": "ROLE_USER",
        "parts": [{"text": only} if is_text else {"data": call.arguments}],
        "metadata": {SKILL: remote.skill, **_name_principal(call)},
    }
    if call.spec.idempotency == "read_back":  # by this it is found again, should its answer be lost
        message["contextId"] = context_of(call)
    return {"message": message, "configuration": {"returnImmediately": True}}


def _name_principal(call: Call) -> dict[str, Any]:  # Any: JSON
    """Say for whom, where no token does."""
    if call.token is not None:
        return {}
    return {PRINCIPAL: {"issuer": call.principal_issuer, "subject": call.principal_subject}}


def context_of(call: Call) -> str:
    """Return what a call's context is called over there, the same over all attempts."""
    return str(uuid5(NAMESPACE_URL, f"agentops:{call.key}"))
