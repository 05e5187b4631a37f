"""What the spans of a run say: names of OpenTelemetry's conventions where there are any, the rest under ``agentops``.

Digests and references are always told. What somebody has said or a tool has answered is told where an entry was read
with its content, shortened.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from agentops.engine import events as e
from agentops.ledger.store import StoredEntry

Value = str | int | float | bool | Sequence[str]
Told = dict[str, Value]

CONTENT_LIMIT = 4_096  # characters of one attribute; the rest is in the ledger, under the reference


@dataclass(frozen=True, slots=True)
class Called:
    """A call as its row says; ``arguments`` only where contents are told."""

    tool: str
    version: str = ""
    effect: str = ""
    decision: str = ""
    reasons: tuple[str, ...] = ()
    approval: str = ""
    digest: str = ""
    arguments: Any = None  # Any: JSON


UNKNOWN_CALL = Called("(unknown)")


def of_run(run: UUID) -> Told:
    """Return what every span of a run says."""
    return {"agentops.run.id": str(run)}


def of_entries(start: StoredEntry, end: StoredEntry) -> Told:
    """Return where in the ledger the span is written, and where in the run it stands."""
    told: Told = {"agentops.ledger.first_seq": start.seq, "agentops.ledger.last_seq": end.seq}
    for name in ("step", "call", "attempt"):
        if isinstance(start.facts.get(name), int):
            told[f"agentops.{name}"] = start.facts[name]
    return told


def of_chat(start: StoredEntry, end: StoredEntry, provider: str) -> Told:
    """Return what is said of a model call: which model, for how much."""
    asked, got = start.facts, end.facts
    told: Told = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": str(asked.get("model", "")),
        "agentops.price_version": str(asked.get("price_version", "")),
    }
    for name in ("role", "why", "provider"):
        _add(told, f"agentops.model.{name}", asked.get(name))
    _add(told, "gen_ai.request.max_tokens", asked.get("max_completion_tokens"))
    if end.kind in (e.STEP_DECIDED, e.SUMMARY_WRITTEN):
        _add(told, "gen_ai.response.model", got.get("model"))
        _add(told, "gen_ai.response.id", got.get("response_id"))
        if reason := got.get("finish_reason"):
            told["gen_ai.response.finish_reasons"] = [str(reason)]
        told |= _usage(got.get("usage") or {})
        told["agentops.calls"] = len(got.get("calls") or [])
        told |= _content("gen_ai.output.messages", _answer(end))
    elif end.kind == e.EMBEDDING_MADE:
        _add(told, "gen_ai.response.model", got.get("model"))
        _add(told, "gen_ai.embeddings.dimension.count", got.get("dimension"))
        _add(told, "gen_ai.usage.input_tokens", (got.get("usage") or {}).get("input"))
    return told | _cost(got)


def _usage(usage: dict[str, Any]) -> Told:  # Any: JSON
    """Return tokens; cached ones are a part of the input, as the conventions have it."""
    told: Told = {}
    _add(told, "gen_ai.usage.input_tokens", usage.get("input"))
    _add(told, "gen_ai.usage.output_tokens", usage.get("output"))
    _add(told, "gen_ai.usage.cache_read.input_tokens", usage.get("cached"))
    _add(told, "gen_ai.usage.cache_creation.input_tokens", usage.get("cache_write"))
    _add(told, "gen_ai.usage.reasoning.output_tokens", usage.get("reasoning"))
    return told


def _cost(facts: dict[str, Any]) -> Told:  # Any: JSON
    told: Told = {"agentops.cost.estimated": bool(facts.get("estimated"))}
    if (usd := facts.get("usd")) is not None:
        told["agentops.cost.usd"] = float(usd)
    return told


def _answer(end: StoredEntry) -> Any:  # Any: JSON, as the conventions' schema of messages has it
    if not isinstance(end.content, dict):
        return None
    parts = [{"type": "text", "content": end.content["text"]}] if end.content.get("text") else []
    parts += [
        {"type": "tool_call", "name": call.get("tool"), "arguments": call.get("arguments")}
        for call in end.content.get("calls") or []
    ]
    return [{"role": "assistant", "parts": parts, "finish_reason": end.facts.get("finish_reason", "")}]


def of_tool(start: StoredEntry, end: StoredEntry, called: Called) -> Told:
    """Return what is said of an attempt, or of a call that had none: which tool, why it might, what became of it."""
    told: Told = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": called.tool,
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": f"{start.facts.get('step')}:{start.facts.get('call')}",
        "agentops.outcome": end.kind.partition(".")[2],
        **_rules(called),
    }
    for name, fact in (("agentops.key", "key"), ("agentops.permit", "permit")):
        _add(told, name, start.facts.get(fact))
    _add(told, "agentops.child.run.id", end.facts.get("child"))
    _add(told, "agentops.code", end.facts.get("code"))
    told |= _content("gen_ai.tool.call.arguments", called.arguments)
    value = end.content.get("value") if isinstance(end.content, dict) else None
    return told | _content("gen_ai.tool.call.result", value)


def _rules(called: Called) -> Told:
    told: Told = {"agentops.reasons": list(called.reasons)} if called.reasons else {}
    _add(told, "agentops.tool.version", called.version)
    _add(told, "agentops.effect", called.effect)
    _add(told, "agentops.decision", called.decision)
    _add(told, "agentops.approval.id", called.approval)
    _add(told, "agentops.arguments.digest", called.digest)
    return told


def of_wait(start: StoredEntry, end: StoredEntry, called: Called) -> Told:
    """Return what is said of the time in which a person was waited for."""
    told: Told = {
        "gen_ai.tool.name": called.tool,
        "agentops.outcome": end.kind.partition(".")[2],
        **_rules(called),
    }
    for name in ("approval", "confirmation"):
        _add(told, f"agentops.{name}.id", start.facts.get(name))
    _add(told, "agentops.approval.verdict", end.facts.get("verdict"))
    _add(told, "agentops.code", end.facts.get("code"))
    return told


def of_ending(end: StoredEntry) -> Told:
    """Return how a run ended, and its last words where contents are told."""
    told: Told = {"agentops.run.state": e.ENDINGS[end.kind], "agentops.ledger.last_seq": end.seq}
    _add(told, "agentops.run.reason", end.facts.get("reason"))
    said = end.content.get("answer") if isinstance(end.content, dict) else None
    message = [{"role": "assistant", "parts": [{"type": "text", "content": said}]}] if said else None
    return told | _content("gen_ai.output.messages", message)


def _add(told: Told, name: str, value: Any) -> None:  # Any: JSON
    """Say what there is; an absent attribute means that nothing is known."""
    if value is not None and value != "":
        told[name] = value if isinstance(value, (str, int, float, bool)) else str(value)


def _content(name: str, value: Any) -> Told:  # Any: JSON
    if value is None:
        return {}
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return {name: text if len(text) <= CONTENT_LIMIT else text[: CONTENT_LIMIT - 1] + "…"}
