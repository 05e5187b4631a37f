"""The `mcp` adapter: a tool of a server that speaks the Model Context Protocol, as it was accepted by a person.

Configuration, as an import writes it::

    {"server": "id of the server", "tool": "its name there", "digest": "of its description",
     "url": "https://shop.example/mcp", "allow_private": false, "audience": "…", "credential": "…",
     "error_is_refusal": false, "asks": {"name of a form": {"type": "object", …}}, "response_limit_bytes": 1048576}

with `command` instead of `url` and what belongs to it for a server that is started here. Each attempt lists the
server's tools first, and calls nothing if the tool's description has another digest than the one accepted.

==================================================  ====================  ==============================  =======
seen                                                read                  effect                          breaker
==================================================  ====================  ==============================  =======
before the call: as the `http` adapter if it was    failed, retryable     failed, retryable               fails
not sent or answered with 4xx; otherwise
another description, or none                        failed                failed                          works
the call: no 2xx, time over, connection lost, too   as the `http`         as the `http` adapter           as there
large                                               adapter
structured content that fits the schema; without    succeeded             succeeded                       works
one a text, or blocks (see `contents`)
a result that fits no schema or no protocol         failed                unknown                         fails
a result that asks for what `asks` declares         failed                failed                          works
a result that asks for anything else                failed                unknown                         fails
isError                                             failed                unknown, or failed where        works
                                                                          `error_is_refusal`
error -32601, -32602, -3202x: not begun             failed                failed                          works
error -32021: it lacks something of its client      failed, with what     failed, with what               works
any other error, or a stream without an answer      failed, retryable     unknown, retryable              fails
==================================================  ====================  ==============================  =======

Resources and prompts are tools that read (see `readable`). A server has places of its own in each process: one that is
slow or dead takes nobody else's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

from agentops.clock import lease_clock_s
from agentops.messages import send_now
from agentops.threads import BoundedThreads, Overrun, Raised, Saturated
from tools.adapters.base import AdapterOptions, measure
from tools.adapters.http.request import call_headers
from tools.adapters.http.wire import Wire
from tools.adapters.mcp.answers import CHANGED, judge_conversation
from tools.adapters.mcp.config import find_faults, parse_pinned
from tools.adapters.mcp.conversation import Seen, call_pinned, hold
from tools.adapters.mcp.transports import open_transport
from tools.adapters.mcp.wire import Allowance, Exchanges
from tools.cache import BoundedCache
from tools.calls import Call
from tools.commands import parse_commands
from tools.outcomes import Outcome, fail
from tools.sandbox import find_refusal

PLACES = 16  # conversations with one server at once, in one process
KEY_META = "io.agentops/idempotency-key"
RECHECK_S = 60.0
CLOSING_S = 1.0  # beyond the attempt's time, to take leave of the server


class McpAdapter:
    """Call tools of MCP servers, each in its server's own places."""

    def __init__(self, options: AdapterOptions) -> None:
        self._commands = parse_commands(dict(options.mcp_commands))
        self._wire = Wire()
        self._places: BoundedCache[str, BoundedThreads] = BoundedCache(limit=256)

    def invoke(self, call: Call, *, timeout_s: float, not_after: float = math.inf) -> Outcome:
        return measure(lambda: self._invoke(call, timeout_s, not_after))

    def read_back(self, call: Call, *, timeout_s: float) -> Outcome | None:
        return None

    def check_config(self, config: Mapping[str, Any]) -> list[str]:
        return find_faults(config, self._commands)

    def close(self) -> None:
        """Close the idle connections. The adapter can be used again."""
        self._wire.close()

    def _invoke(self, call: Call, timeout_s: float, not_after: float) -> Outcome:
        faults = find_faults(call.spec.config, self._commands)
        if faults:
            return fail("bad_config", "; ".join(faults))
        pinned = parse_pinned(call.spec.config)
        command = self._commands.get(pinned.target.command)
        if command is not None and (refusal := find_refusal(command)):
            return fail("no_sandbox", refusal)
        allowance = Allowance(lease_clock_s() + timeout_s, not_after, call.recall)
        exchanges = Exchanges(self._wire, pinned.target, call_headers(call), allowance)
        seen = Seen()
        transport = open_transport(pinned.target, exchanges, self._commands)
        speak = partial(call_pinned, pinned=pinned, arguments=call.arguments, meta=call_meta(call), seen=seen)
        places = self._places.get_or_build(pinned.target.server, lambda: BoundedThreads(PLACES, "mcp-server"))
        try:
            talk = partial(hold, transport, allowance, seen, speak, may_ask=bool(pinned.asks))
            places.run(talk, timeout_s + CLOSING_S)
        except Saturated:
            return fail(
                "saturated", "Too many calls of this server are at work in this process.", retryable=True
            )
        except Overrun:
            seen.fault = seen.fault or "timeout"
        except Raised as raised:
            seen.fault = type(raised.error).__name__
        over_http = exchanges if pinned.target.url else None
        outcome = judge_conversation(call, pinned, seen, over_http)
        if outcome.code == CHANGED:  # a hint: the next call finds it out as well
            send_now("tools.recheck_server", pinned.target.server, expires_s=RECHECK_S)
        return outcome


def call_meta(call: Call) -> dict[str, Any]:  # Any: JSON
    """Return what goes with a call beside its arguments (SEP-414 for the trace)."""
    meta = {KEY_META: call.key, "traceparent": call.traceparent, "tracestate": call.tracestate}
    return {name: value for name, value in meta.items() if value}
