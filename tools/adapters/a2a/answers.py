"""From what a remote agent answered to an outcome; the table is in the package's docstring."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from agentops.strict_json import MalformedJSON, parse_json
from tools.adapters.a2a.config import Remote
from tools.adapters.base import accept_value
from tools.adapters.http.answers import judge
from tools.adapters.http.wire import Exchange
from tools.calls import Call
from tools.outcomes import Outcome, bound_detail, doubt, fail, succeed

Json = Mapping[str, Any]  # Any: JSON of a stranger's

PREFIX = "TASK_STATE_"
NOT_FOUND, INTERNAL = -32001, -32603
_TASK_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")  # it stays in the record for good, so no words get in
_WORKING = {"SUBMITTED", "WORKING", "AUTH_REQUIRED", "INPUT_REQUIRED"}


class Unreadable(ValueError):
    """What was answered is nothing that the protocol knows."""


def read_result(call: Call, exchange: Exchange, limit_bytes: int) -> tuple[Json | None, Outcome | None]:
    """Return the result of an exchange, or what became of one that has none."""
    plain = replace(call, spec=replace(call.spec, output_schema=None))
    seen = judge(plain, exchange, limit_bytes)
    if seen.status != "succeeded":
        return None, seen
    told = seen.value
    if isinstance(told, dict) and isinstance(told.get("error"), dict):
        return None, _judge_error(call, told["error"])
    if not isinstance(told, dict) or not isinstance(told.get("result"), dict):
        return None, garbage(call, "it is no answer of JSON-RPC")
    return told["result"], None


def _judge_error(call: Call, error: Json) -> Outcome:
    code, words = error.get("code"), bound_detail(str(error.get("message", "")))
    if code == INTERNAL or not isinstance(code, int):
        return doubt(call.spec.effect, "remote_error", words)
    if code == NOT_FOUND and call.remote:
        return doubt(call.spec.effect, "remote_task_lost", words, retryable=False)
    return fail("remote_refused", words)


def garbage(call: Call, why: str) -> Outcome:
    """Return the outcome of an answer that says nothing: whoever was asked may have done something all the same."""
    return doubt(call.spec.effect, "bad_output", f"The agent's answer cannot be read: {why}", retryable=False)


def judge_task(call: Call, remote: Remote, task: Json) -> Outcome:
    """Return what a task says of its call: what came of it, or that it is still being worked on."""
    task_id, status = task.get("id"), task.get("status")
    if not isinstance(task_id, str) or not _TASK_ID.fullmatch(task_id) or not isinstance(status, dict):
        return garbage(call, "it is no task")
    if call.remote and task_id != call.remote:
        return garbage(call, "it is another task")
    state = str(status.get("state", "")).removeprefix(PREFIX)
    words = bound_detail(_words_of(status.get("message")))
    if state == "COMPLETED":
        return _accept(call, remote, task_id, task.get("artifacts") or [])
    if state in _WORKING:
        return await_task(task_id, f"remote_{state.lower()}", words)
    if state == "REJECTED":
        return fail("remote_rejected", words or f"{remote.agent} does not do this.")
    if state in ("FAILED", "CANCELED"):
        return fail_task(call, remote, f"remote_{state.lower()}", words)
    return garbage(call, "its task is in no known state")


def fail_task(call: Call, remote: Remote, code: str, words: str) -> Outcome:
    """Return the outcome of a task that ended without an answer: what it did by then nobody knows, unless declared."""
    if remote.is_refusal:
        return fail(code, words)
    return replace(doubt(call.spec.effect, code, words, retryable=False), counts_against_breaker=False)


_CODES = {"remote_submitted": "remote_working"}


def await_task(task_id: str, code: str, words: str) -> Outcome:
    """Return that a task is being worked on: nothing is sent again, and it is asked how it stands later."""
    return Outcome("unknown", _CODES.get(code, code), words, remote=task_id)


def judge_message(call: Call, remote: Remote, message: Json) -> Outcome:
    """Return the outcome of an answer that was given at once, without a task."""
    return _accept(call, remote, "", [message])


def _accept(call: Call, remote: Remote, task_id: str, listed: Any) -> Outcome:  # Any: JSON of a stranger's
    try:
        parts = [part for each in listed for part in each.get("parts", ())]
        value = _value_of(call, parts)
    except (Unreadable, MalformedJSON, TypeError, AttributeError) as error:
        return garbage(call, str(error)[:200])
    if call.spec.output_schema is None:
        value = {"agent": remote.agent, "task": task_id, "answer": value}
    return accept_value(call, value, remote.limit_bytes)


def _value_of(call: Call, parts: list[Any]) -> Any:  # Any: JSON
    """Return what was answered: as its tool promises it, or else as a text."""
    data = [part["data"] for part in parts if isinstance(part, dict) and "data" in part]
    if call.spec.output_schema is None:
        return "\n\n".join(_texts(parts))
    return data[0] if len(data) == 1 else parse_json("".join(_texts(parts)).encode())


def _texts(parts: list[Any]) -> Iterator[str]:  # Any: JSON
    for part in parts:
        if not isinstance(part, dict):
            raise Unreadable("a part is no object")
        if isinstance(part.get("text"), str):
            yield part["text"]
        elif "data" in part:
            yield json.dumps(part["data"], ensure_ascii=False)
        else:
            yield "[a file was left out]"


def _words_of(message: Any) -> str:  # Any: JSON of a stranger's
    parts = message.get("parts") if isinstance(message, dict) else None
    try:
        return " ".join(_texts(parts)) if isinstance(parts, list) else ""
    except Unreadable:
        return ""


def told(outcome: Outcome | None) -> Outcome:
    """Return that an agent was told something that it answers with no value."""
    return outcome or succeed(None)
