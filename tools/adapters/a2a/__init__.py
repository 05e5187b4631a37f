"""The `a2a` adapter: an agent elsewhere is given a task over A2A 1.0, and its answer is the result.

Configuration: see the module `config`; it is written when a skill of the agent's card is taken over. The agent is
told typed arguments and nothing else. The message's id is the call's key.

What becomes of an attempt:

====================================  ========================================================================
seen                                  outcome
====================================  ========================================================================
a task that is being worked on        awaited: the run lets its worker go, and asks again; nothing is sent anew
AUTH_REQUIRED                         awaited, or as the tool declares: called off, and as FAILED
INPUT_REQUIRED                        called off, and as FAILED; or as the tool declares: awaited
COMPLETED, or a message at once       succeeded with the artifacts' text, or what the output schema promises
REJECTED                              failed: it does not do this, and has not
FAILED, CANCELED                      a read: failed; others: unknown, unless declared that nothing was done then
an error of the protocol              failed: it was not taken; an internal one: as a 5xx
whatever HTTP itself says             as for the `http` adapter
no answer to a question               awaited as before
====================================  ========================================================================

An attempt whose answer was lost is made again under its id where the agent honours that, or looked for by its context
(`read_back`); otherwise a person has to find out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tools.adapters.a2a.answers import (
    await_task,
    fail_task,
    garbage,
    judge_message,
    judge_task,
    read_result,
    told,
)
from tools.adapters.a2a.config import Remote, find_faults, parse_remote
from tools.adapters.a2a.requests import build_request, context_of, write_message
from tools.adapters.base import NOT_EXECUTED, AdapterOptions, measure
from tools.adapters.http.wire import Wire
from tools.calls import Call
from tools.outcomes import Outcome, fail

Json = Mapping[str, Any]  # Any: JSON


class A2aAdapter:
    """Give tasks to agents elsewhere."""

    def __init__(self, options: AdapterOptions) -> None:
        self._wire = Wire()

    def invoke(self, call: Call, *, timeout_s: float, not_after: float = math.inf) -> Outcome:
        """Send the task; one that was taken already is asked about."""
        if call.remote:
            return measure(lambda: self._poll(call, timeout_s))
        return measure(lambda: self._send(call, timeout_s, not_after))

    def read_back(self, call: Call, *, timeout_s: float) -> Outcome | None:
        """Ask how a task stands; of one whose id was lost, by the context that it was sent in."""
        if call.remote:
            return measure(lambda: self._poll(call, timeout_s))
        if call.spec.idempotency != "read_back":
            return None
        return measure(lambda: self._search(call, timeout_s))

    def call_off(self, call: Call, *, timeout_s: float) -> Outcome:
        """Tell the agent that nobody waits for its task any more."""
        _, outcome = self._ask(call, "CancelTask", {"id": call.remote}, timeout_s)
        return told(outcome)

    def check_config(self, config: Json) -> list[str]:
        """Return what has to be put right in a configuration."""
        return find_faults(config)

    def close(self) -> None:
        """Close the idle connections. The adapter can be used again."""
        self._wire.close()

    def _send(self, call: Call, timeout_s: float, not_after: float) -> Outcome:
        remote = parse_remote(call.spec.config)
        result, outcome = self._ask(call, "SendMessage", write_message(remote, call), timeout_s, not_after)
        if result is None:
            return outcome or garbage(call, "nothing")
        if isinstance(result.get("message"), dict):
            return judge_message(call, remote, result["message"])
        return self._heed(call, remote, result.get("task"), timeout_s)

    def _poll(self, call: Call, timeout_s: float) -> Outcome:
        remote = parse_remote(call.spec.config)
        result, outcome = self._ask(call, "GetTask", {"id": call.remote, "historyLength": 0}, timeout_s)
        if result is not None:
            return self._heed(call, remote, result, timeout_s)
        if outcome is not None and outcome.code == "remote_task_lost":
            return outcome
        return await_task(call.remote, "remote_unreachable", outcome.detail if outcome else "")

    def _search(self, call: Call, timeout_s: float) -> Outcome:
        """Look for the one task of the call's context: none there means that it was never taken."""
        remote = parse_remote(call.spec.config)
        wanted = {"contextId": context_of(call), "pageSize": 2, "includeArtifacts": True}
        result, outcome = self._ask(call, "ListTasks", wanted, timeout_s)
        if result is None:
            return outcome or garbage(call, "nothing")
        tasks = result.get("tasks") or []
        if not tasks:
            return fail(NOT_EXECUTED, "The agent knows no task of this call.", retryable=True)
        return self._heed(call, remote, tasks[0], timeout_s)

    def _heed(self, call: Call, remote: Remote, task: Any, timeout_s: float) -> Outcome:  # Any: JSON
        """Judge a task; one that waits for what nobody here will do is called off."""
        outcome = judge_task(call, remote, task) if isinstance(task, dict) else garbage(call, "it is no task")
        courses = {"remote_auth_required": remote.on_auth, "remote_input_required": remote.on_input}
        if courses.get(outcome.code) != "fail":
            return outcome
        self._ask(call, "CancelTask", {"id": outcome.remote}, timeout_s)
        return fail_task(call, remote, outcome.code, outcome.detail)

    def _ask(
        self, call: Call, method: str, params: Json, timeout_s: float, not_after: float = math.inf
    ) -> tuple[Json | None, Outcome | None]:
        remote = parse_remote(call.spec.config)
        request = build_request(remote, call, method, params)
        exchange = self._wire.send(request, timeout_s=timeout_s, not_after=not_after, recall=call.recall)
        return read_result(call, exchange, remote.limit_bytes)
