"""What a call would look like on its way to its tool: written out for people, and sent to nobody.

Nothing here opens a connection, leases a credential or loads a function: of the adapters only the parts that turn
arguments into text are used. Where a credential would stand, a mask does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from identities.models import Secret
from tools.adapters.a2a.config import parse_remote
from tools.adapters.a2a.requests import build_request as build_task_request
from tools.adapters.a2a.requests import write_message
from tools.adapters.http.config import SECRET_NAME, parse_endpoint
from tools.adapters.http.request import Request, build_request
from tools.calls import AUDIENCE, CREDENTIAL, Call
from tools.credentials.material import Credential

MASK = "********"
BODY_SHOWN = 4_000  # characters; what is cut off is counted


@dataclass(frozen=True, slots=True)
class Shown:
    """One request: its first line, its headers, its body as text. ``fault`` says why there would be none."""

    line: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    fault: str = ""
    notes: tuple[str, ...] = ()


def show_request(call: Call) -> Shown:
    """Return what would be sent for a call, secrets masked."""
    show = {
        "http": _show_http,
        "mcp": _show_mcp,
        "python": _show_python,
        "decision": _show_decision,
        "agent": _show_agent,
        "a2a": _show_remote,
    }
    known = show.get(call.spec.adapter)
    if known is None:
        return Shown(fault=f"the adapter {call.spec.adapter} was added here: what it sends only it knows")
    try:
        return known(call)
    except (ValueError, KeyError, TypeError) as error:
        return Shown(fault=str(error)[:300] or "its configuration cannot be read")


def _show_http(call: Call) -> Shown:
    request = build_request(parse_endpoint(call.spec.config), call)
    headers = [(name.decode(), value.decode(errors="replace")) for name, value in request.headers]
    return Shown(
        line=f"{request.method} {_address(request)}",
        headers=(*headers, *_let_in_by(call)),
        body=_cut((request.body or b"").decode(errors="replace")),
    )


def _address(request: Request) -> str:
    port = f":{request.port}" if request.port else ""
    return f"{request.scheme}://{request.host}{port}{_mask_query(request.target)}"


def _mask_query(address: str) -> str:
    """Return the whole address; a value of its query whose name says that it is a secret is masked."""
    path, asked, query = address.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    if any(SECRET_NAME.search(name) for name, _ in pairs):
        query = urlencode(
            [(name, MASK if SECRET_NAME.search(name) else value) for name, value in pairs],
            quote_via=quote,
            safe="*",
        )
    return f"{path}{asked}{query}"


def _let_in_by(call: Call) -> list[tuple[str, str]]:
    """Return the headers that would carry a token or a credential: which, and how, but none of the value."""
    config, found = call.spec.config, []
    if config.get(AUDIENCE):
        found.append(("Authorization", f"Bearer {MASK}"))
    if config.get(CREDENTIAL):
        secret = Secret.objects.filter(team__tools=call.spec.tool_id, slug=config[CREDENTIAL]).first()
        told = secret.settings if secret else {}
        masked = Credential(MASK, told.get("header", "Authorization"), told.get("scheme", "Bearer"))
        found.append((masked.header, f"{masked.scheme} {MASK}".strip()))
    return found


def _show_mcp(call: Call) -> Shown:
    from tools.adapters.mcp import call_meta  # the protocol's library is loaded where it is needed only

    config = call.spec.config
    method, asked = _ask_mcp(config["tool"], call.arguments)
    where = _mask_query(config["url"]) if "url" in config else f"the command {config.get('command')}"
    said = {**asked, "_meta": call_meta(call)}
    return Shown(
        line=f"{method} at {where}",
        headers=tuple(_let_in_by(call)),
        body=_cut(_pretty(said)),
        notes=("Its server is asked first whether it still describes the tool as it was accepted.",),
    )


def _ask_mcp(pinned: str, arguments: dict[str, Any]) -> tuple[str, dict[str, Any]]:  # Any: JSON
    from tools.adapters.mcp.readable import expand, split_name  # as above

    kind, name = split_name(pinned)
    if kind in ("tool", "prompt"):
        method = "tools/call" if kind == "tool" else "prompts/get"
        return method, {"name": name, "arguments": arguments}
    return "resources/read", {"uri": expand(name, arguments)}


def _show_python(call: Call) -> Shown:
    return Shown(line=f"{call.spec.config['function']}(…)", body=_cut(_pretty(call.arguments)))


def _show_decision(call: Call) -> Shown:
    table = call.spec.config.get("table", "")
    return Shown(line=f"the decision table {table} is asked", body=_cut(_pretty(call.arguments)))


def _show_agent(call: Call) -> Shown:
    agent = call.spec.config.get("agent", "")
    return Shown(line=f"the agent {agent} is given this task", body=_cut(_pretty(call.arguments)))


def _show_remote(call: Call) -> Shown:
    remote = parse_remote(call.spec.config)
    request = build_task_request(remote, call, "SendMessage", write_message(remote, call))
    headers = [(name.decode(), value.decode(errors="replace")) for name, value in request.headers]
    return Shown(
        line=f"SendMessage at {_mask_query(remote.url)}",
        headers=(*headers, *_let_in_by(call)),
        body=_cut((request.body or b"").decode(errors="replace")),
    )


def _pretty(value: Any) -> str:  # Any: JSON
    return json.dumps(value, ensure_ascii=False, indent=2)


def _cut(text: str) -> str:
    left = len(text) - BODY_SHOWN
    return text if left <= 0 else f"{text[:BODY_SHOWN]}… and {left:,} characters more"
