"""A turn of the planner: reserve the worst case, ask, settle, record what it decided."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from itertools import chain
from typing import Any

from django.conf import settings

from agentops.canonical import keyed_digest
from agentops.engine import events as e
from agentops.engine.budgets import Reservation
from agentops.engine.decide import LOST
from agentops.engine.retry import RETRY_AFTER_LIMIT_S
from agentops.errors import ValidationFailed
from runs import escrow, planning
from runs.authority import heed_standing
from runs.charging import (
    CIRCUIT_OPEN,
    NOTHING,
    charge,
    charge_lost,
    describe_priced,
    describe_route,
    describe_usage,
)
from runs.lookups.offering import offer_tools
from runs.memory.reading import recall_at_start
from runs.planner import Planner, build_planner
from runs.planner.answers import PlannerAnswer, PlannerFailure, ProposedCall
from runs.planner.estimates import upper_bound_tokens
from runs.planner.messages import Message, PlannerRequest, ToolSchema
from runs.routing.choosing import NoRoute, Route, find_other, find_route, want_turn
from runs.routing.providers import DEFAULT, endpoint_of
from runs.session import Session
from runs.shown_digests import digest_offer, digest_prompt
from runs.slots import waiting_outside
from runs.telemetry.places import CHAT
from runs.versions import VersionSpec
from runs.window import Block, system_message

BACKOFF_BASE_S, BACKOFF_CAP_S = 0.5, 20.0
# Facts outlive erasure, and an invented name may hold anything. No tool can have this one.
UNKNOWN_TOOL = "(unknown)"


@cache
def planner_of(kind: str, provider: str = DEFAULT) -> Planner:
    """Return this process's planner of a kind; one that asks a provider has its address and key."""
    if kind == "null":
        return build_planner(
            "null", latency_s=settings.NULL_PLANNER_LATENCY_S, steps=settings.NULL_PLANNER_STEPS
        )
    base_url, api_key = endpoint_of(provider)
    return build_planner(
        "openai", base_url=base_url, api_key=api_key, total_timeout_s=settings.MODEL_TIMEOUT_S
    )


def ask_planner(session: Session, step: int, attempt: int) -> None:
    """Choose a model, reserve, commit the reservation (C1), ask, and note the decision or the failure."""
    if not heed_standing(session, afresh=False):
        return
    version = session.version
    planning.freeze_by_words(session)
    declaring = planning.is_declaring(session)
    if not declaring:  # not before the plan is frozen: what is recalled may be a stranger's
        recall_at_start(session)
    window = planning.show_words(session) if declaring else session.window()
    offered = (planning.DECLARE_PLAN,) if declaring else offer_tools(session)
    shown = {**count_redacted(window), **digest_shown(version, window, offered)}
    route = find_route(session, want_turn(session, bound_prompt(version, window, offered)))
    if isinstance(route, NoRoute):
        _note_no_route(session, step, attempt, route)
        return
    with route.until_asked():
        _note_request(session, step, attempt, route, shown)
        session.commit()
        span = session.context.traceparent_of(CHAT, step, attempt)
        request = _request(session, window, route, offered, span)
    with waiting_outside(begins_step=True):
        started = time.monotonic()
        answer = planner_of(version.planner, route.target.provider).ask(request)
        latency_ms = round((time.monotonic() - started) * 1000)
        route.tell(answer)
    session.read_clock()
    if isinstance(answer, PlannerFailure):
        _note_failure(session, step, attempt, answer, route, latency_ms)
    else:
        _note_decision(session, step, answer, route, latency_ms)


def _note_no_route(session: Session, step: int, attempt: int, lacking: NoRoute) -> None:
    """Note why no model is asked: at a limit of a budget the run stops, for one that is down it waits."""
    if lacking.unpriced is not None:
        facts = {"limit": "price", "left": "0", "needed": lacking.unpriced.detail}
        session.note(e.BUDGET_EXHAUSTED, facts)
    elif lacking.short is not None:
        escrow.note_exhausted(session, lacking.short)
    elif lacking.retry_at is not None:
        _note_all_open(session, step, attempt, lacking.retry_at, lacking.facts)


def _note_all_open(
    session: Session, step: int, attempt: int, retry_at: datetime, routed: dict[str, Any]
) -> None:
    """Note an attempt for which nobody was there: it waits, and counts, like one that failed."""
    wait_s = min(RETRY_AFTER_LIMIT_S, max(0.0, (retry_at - session.now).total_seconds()))
    # Those who wait for the same model do not all come back at once.
    delay_s = wait_s + random.random() * BACKOFF_BASE_S  # noqa: S311  jitter, not a secret
    facts = {
        "step": step,
        "attempt": attempt,
        "code": CIRCUIT_OPEN,
        "asked": False,
        "retryable": True,
        "delay_ms": round(delay_s * 1000),
        "latency_ms": 0,
        "tokens": 0,
        "usd": "0",
        "estimated": False,
        **routed,
    }
    session.note(e.MODEL_FAILED, facts, {"detail": "the circuit of each of its models is open"})


def bound_prompt(version: VersionSpec, window: Sequence[Block], offered: tuple[ToolSchema, ...]) -> int:
    """Return an upper bound of the tokens of a prompt."""
    shown = version.schema_tokens
    if offered is not version.schemas:
        shown = max(shown, upper_bound_tokens((), offered))
    prompt = shown + len(version.instructions.encode()) * 2 + 1024
    return prompt + sum([block.tokens for block in window])


def digest_shown(
    version: VersionSpec, window: Sequence[Block], offered: tuple[ToolSchema, ...]
) -> dict[str, str]:
    """Return, as facts, the digests of all messages and of all functions that a planner is sent."""
    of_offer = version.offer_digest if offered == version.schemas else digest_offer(offered)
    of_prompt = digest_prompt(system_message(version.instructions), [block.digest for block in window])
    digests = {"prompt": of_prompt, "offered": of_offer}
    return {name: digest for name, digest in digests.items() if digest}


def messages_of(version: VersionSpec, window: Sequence[Block]) -> tuple[Message, ...]:
    """Return all messages that a planner is sent."""
    return (system_message(version.instructions), *chain.from_iterable([b.messages for b in window]))


def count_redacted(blocks: Iterable[Block]) -> dict[str, int]:
    """Return, as a fact, of how many values something was taken out before a model saw them; none where of none."""
    count = sum(block.redacted for block in blocks)
    return {"redacted": count} if count else {}


def _note_request(session: Session, step: int, attempt: int, route: Route, shown: dict[str, Any]) -> None:
    facts = {"step": step, "attempt": attempt, **describe_route(route), **shown}
    session.note(e.MODEL_REQUESTED, {**facts, **session.lookups.take_trail()})


def _request(
    session: Session,
    window: list[Block],
    route: Route,
    offered: tuple[ToolSchema, ...],
    traceparent: str,
) -> PlannerRequest:
    version = session.version
    return PlannerRequest(
        model=route.target.model,
        messages=messages_of(version, window),
        tools=offered,
        max_completion_tokens=route.reservation.max_completion_tokens,
        timeout_s=time_left(session),
        traceparent=traceparent,
        tracestate=session.context.trace_state,
        temperature=version.temperature,
    )


def time_left(session: Session) -> float:
    """Return how long the model may take: a call that outlasts the run's deadline is of no use."""
    left = session.state.limits.seconds - session.state.used.worked_ms / 1000
    longest: float = settings.MODEL_TIMEOUT_S
    return max(1.0, min(longest, left))


def settle_lost_answer(session: Session, step: int, attempt: int) -> None:
    """Charge a model call whose answer died with its driver in full, and go on."""
    facts = {
        "step": step,
        "attempt": attempt,
        "code": LOST,
        "retryable": True,
        "delay_ms": 0,
        **charge_lost(session),
        "latency_ms": 0,
    }
    session.note(e.MODEL_FAILED, facts, {"detail": "the driver died before the answer was recorded"})


def _note_failure(
    session: Session, step: int, attempt: int, failure: PlannerFailure, route: Route, latency_ms: int
) -> None:
    known = failure.usage is not None or failure.charge == "estimated"
    facts = {
        "step": step,
        "attempt": attempt,
        "code": failure.code,
        "retryable": failure.retryable,
        "delay_ms": 0 if find_other(session, route, failure) else _delay_ms(attempt, failure),
        "latency_ms": latency_ms,
        **describe_priced(route),
        **(charge(session, failure.usage, route.price) if known else NOTHING),
    }
    session.note(e.MODEL_FAILED, facts, {"detail": failure.detail})


def _delay_ms(attempt: int, failure: PlannerFailure) -> int:
    ceiling = min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2 ** (attempt - 1))
    jitter = random.random()  # noqa: S311  no secret
    delay_s: float = max(jitter * ceiling, failure.retry_after_s or 0.0)
    return round(delay_s * 1000)


def _find_cut(answer: PlannerAnswer, reservation: Reservation) -> dict[str, Any]:
    """Return, as a fact, which limit of the run cut a final answer short: half a sentence completes nothing."""
    was_cut = answer.finish_reason == "length" and not answer.calls and reservation.clamped_by
    return {"cut_by": reservation.clamped_by} if was_cut else {}


def _note_decision(session: Session, step: int, answer: PlannerAnswer, route: Route, latency_ms: int) -> None:
    facts = {
        "step": step,
        "model": answer.model[:120],
        **describe_priced(route),
        "finish_reason": answer.finish_reason[:40],
        "response_id": answer.response_id[:80],
        "latency_ms": latency_ms,
        "usage": describe_usage(answer.usage),
        "calls": [
            describe_call(number, call, session.version) for number, call in enumerate(answer.calls, start=1)
        ],
        "final": not answer.calls,
        "problem": answer.problem,
        "size": _size(answer),
        **_find_cut(answer, route.reservation),
        **charge(session, answer.usage, route.price),
    }
    content = {
        "thought": answer.thought,
        "text": answer.text,
        "refusal": answer.refusal,
        "calls": [keep_call(number, call) for number, call in enumerate(answer.calls, start=1)],
    }
    session.note(e.STEP_DECIDED, facts, content)


def _size(answer: PlannerAnswer) -> int:
    return len(answer.text) + sum(len(call.raw_arguments) + len(call.name) + 40 for call in answer.calls)


def describe_call(number: int, call: ProposedCall, version: VersionSpec) -> dict[str, Any]:
    """Return the facts of a proposed call: they outlive its words."""
    problem: str | None = call.problem
    try:
        digest = keyed_digest([call.name, call.raw_arguments if problem else call.arguments])
    except ValidationFailed:  # integers beyond 2^53, lone surrogates: no exact JSON, so nothing to sign
        digest, problem = keyed_digest([call.name, ascii(call.raw_arguments)]), "malformed_arguments"
    own = (*version.built_in, e.DECLARE_PLAN, e.READ_RESULT, e.REMEMBER, e.RECALL)
    known = call.name in version.catalogue or call.name in own
    tool = call.name if known else UNKNOWN_TOOL
    return {"call": number, "tool": tool, "args_digest": digest, "problem": problem}


def keep_call(number: int, call: ProposedCall) -> dict[str, Any]:
    """Return what a proposed call says, as erasable content."""
    return {
        "call": number,
        "tool": _printable(call.name),
        "arguments": call.arguments,
        "raw": call.raw_arguments if call.problem else None,
        "problem_detail": call.problem_detail,
    }


def _printable(name: str) -> str:
    """A name is the model's invention: keep it short and harmless, the model is shown it again."""
    return (
        "".join(char if char.isascii() and (char.isalnum() or char in "_-") else "_" for char in name[:64])
        or "_"
    )
