"""A turn of the planner: reserve the worst case, ask, settle, record what it decided."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from typing import Any

from django.conf import settings

from agentops.amounts import plain_decimal
from agentops.canonical import keyed_digest
from agentops.engine import events as e
from agentops.engine.budgets import DrawFirst, Rates, Reservation, Shortfall, plan_reservation
from agentops.engine.decide import LOST
from agentops.errors import NotFound, StateConflict, ValidationFailed
from runs import escrow, planning
from runs.authority import heed_standing
from runs.lookups.offering import offer_tools
from runs.planner import Planner, build_planner
from runs.planner.answers import PlannerAnswer, PlannerFailure, ProposedCall, Usage
from runs.planner.estimates import upper_bound_tokens
from runs.planner.messages import Message, PlannerRequest, ToolSchema
from runs.planner.prices import Price, cost
from runs.session import Session
from runs.shown_digests import digest_offer, digest_prompt
from runs.slots import waiting_outside
from runs.telemetry.places import CHAT
from runs.versions import VersionSpec, dearest_rates, read_price
from runs.window import Block, system_message

BACKOFF_BASE_S, BACKOFF_CAP_S = 0.5, 20.0
# Facts outlive erasure, and an invented name may hold anything. No tool can have this one.
UNKNOWN_TOOL = "(unknown)"


@cache
def planner_of(kind: str) -> Planner:
    """Return this process's planner of a kind."""
    if kind == "null":
        return build_planner(
            "null", latency_s=settings.NULL_PLANNER_LATENCY_S, steps=settings.NULL_PLANNER_STEPS
        )
    return build_planner(
        "openai",
        base_url=settings.OPENAI_BASE_URL,
        api_key=settings.OPENAI_API_KEY,
        total_timeout_s=settings.MODEL_TIMEOUT_S,
    )


def ask_planner(session: Session, step: int, attempt: int) -> None:
    """Reserve, commit the reservation (C1), ask, and note the decision or the failure."""
    if not heed_standing(session, afresh=False):
        return
    version = session.version
    try:
        price = read_price(version.model)
    except NotFound as error:
        _note_unpriced(session, error)
        return
    planning.freeze_by_words(session)
    declaring = planning.is_declaring(session)
    window = planning.show_words(session) if declaring else session.window()
    offered = (planning.DECLARE_PLAN,) if declaring else offer_tools(session)
    reservation = _reserve(session, window, price, offered)
    if reservation is None:
        return
    shown = {**count_redacted(window), **digest_shown(version, window, offered)}
    _note_request(session, step, attempt, price, reservation, shown)
    session.commit()
    span = session.context.traceparent_of(CHAT, step, attempt)
    request = _request(session, window, reservation, offered, span)
    with waiting_outside():
        started = time.monotonic()
        answer = planner_of(version.planner).ask(request)
        latency_ms = round((time.monotonic() - started) * 1000)
    session.read_clock()
    if isinstance(answer, PlannerFailure):
        _note_failure(session, step, attempt, answer, price, latency_ms)
    else:
        cut_by = _find_cut(answer, reservation)
        _note_decision(session, step, answer, price, latency_ms, cut_by)


def _note_unpriced(session: Session, error: NotFound) -> None:
    session.note(e.BUDGET_EXHAUSTED, {"limit": "price", "left": "0", "needed": error.detail})


def _reserve(
    session: Session, window: list[Block], price: Price, offered: tuple[ToolSchema, ...]
) -> Reservation | None:
    version = session.version
    prompt = bound_prompt(version, window, offered)
    return hold(session, prompt, version.max_completion_tokens, dearest_rates(price))


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


def hold(session: Session, prompt_tokens: int, completion_tokens: int, rates: Rates) -> Reservation | None:
    """Return the reservation, for which a draw may have been noted; None when a budget is exhausted, which is noted."""
    plan = plan_call(session, prompt_tokens, completion_tokens, rates)
    if isinstance(plan, Shortfall):
        escrow.note_exhausted(session, plan)
        return None
    return plan


def plan_call(
    session: Session, prompt_tokens: int, completion_tokens: int, rates: Rates
) -> Reservation | Shortfall:
    """Return the reservation of a model call, for which a draw may have been noted, or what the run lacks for it."""

    def plan_now() -> Reservation | DrawFirst | Shortfall:
        return plan_reservation(
            session.state, prompt_tokens=prompt_tokens, completion_tokens=completion_tokens, rates=rates,
            now=session.now,
        )  # fmt: skip

    plan = plan_now()
    if isinstance(plan, DrawFirst):
        escrow.draw(session, plan.wanted)
        plan = plan_now()
    if isinstance(plan, DrawFirst):
        raise StateConflict("undrawn", f"run {session.context.run_id} drew, and holds too little")
    return plan


def count_redacted(blocks: Iterable[Block]) -> dict[str, int]:
    """Return, as a fact, of how many values something was taken out before a model saw them; none where of none."""
    count = sum(block.redacted for block in blocks)
    return {"redacted": count} if count else {}


def _note_request(
    session: Session,
    step: int,
    attempt: int,
    price: Price,
    reservation: Reservation,
    shown: dict[str, Any],
) -> None:
    facts = {
        "step": step,
        "attempt": attempt,
        "model": session.version.model,
        "price_version": price.version,
        "reserved_tokens": reservation.tokens,
        "reserved_usd": plain_decimal(reservation.usd),
        "max_completion_tokens": reservation.max_completion_tokens,
        **shown,
        **session.lookups.take_trail(),
    }
    session.note(e.MODEL_REQUESTED, facts)


def _request(
    session: Session,
    window: list[Block],
    reservation: Reservation,
    offered: tuple[ToolSchema, ...],
    traceparent: str,
) -> PlannerRequest:
    version = session.version
    return PlannerRequest(
        model=version.model,
        messages=messages_of(version, window),
        tools=offered,
        max_completion_tokens=reservation.max_completion_tokens,
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
    state = session.state
    facts = {
        "step": step,
        "attempt": attempt,
        "code": LOST,
        "retryable": True,
        "delay_ms": 0,
        "tokens": state.reserved_tokens,
        "usd": plain_decimal(state.reserved_usd),
        "estimated": True,
        "latency_ms": 0,
    }
    session.note(e.MODEL_FAILED, facts, {"detail": "the driver died before the answer was recorded"})


def charge(session: Session, usage: Usage | None, price: Price) -> dict[str, Any]:
    """Return tokens and USD by the provider's usage; without one, the whole reservation, marked estimated."""
    if usage is None:
        state = session.state
        return {"tokens": state.reserved_tokens, "usd": plain_decimal(state.reserved_usd), "estimated": True}
    tokens, usd = usage.input_tokens + usage.output_tokens, cost(price, usage)
    taken = {"tokens": tokens, "usd": plain_decimal(usd), "estimated": False}
    if tokens > session.state.reserved_tokens or usd > session.state.reserved_usd:
        taken["overrun"] = True  # the provider took more than it was allowed
    return taken


def _note_failure(
    session: Session, step: int, attempt: int, failure: PlannerFailure, price: Price, latency_ms: int
) -> None:
    nothing = {"tokens": 0, "usd": "0", "estimated": False}
    known = failure.usage is not None or failure.charge == "estimated"
    taken = charge(session, failure.usage, price) if known else nothing
    ceiling = min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2 ** (attempt - 1))
    delay_s = max(random.random() * ceiling, failure.retry_after_s or 0.0)  # noqa: S311  jitter, not a secret
    facts = {
        "step": step,
        "attempt": attempt,
        "code": failure.code,
        "retryable": failure.retryable,
        "delay_ms": round(delay_s * 1000),
        "latency_ms": latency_ms,
        **taken,
    }
    session.note(e.MODEL_FAILED, facts, {"detail": failure.detail})


def _find_cut(answer: PlannerAnswer, reservation: Reservation) -> dict[str, Any]:
    """Return, as a fact, which limit of the run cut a final answer short: half a sentence completes nothing."""
    was_cut = answer.finish_reason == "length" and not answer.calls and reservation.clamped_by
    return {"cut_by": reservation.clamped_by} if was_cut else {}


def _note_decision(
    session: Session,
    step: int,
    answer: PlannerAnswer,
    price: Price,
    latency_ms: int,
    cut_by: dict[str, Any],
) -> None:
    facts = {
        "step": step,
        "model": answer.model[:120],
        "price_version": price.version,
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
        **cut_by,
        **charge(session, answer.usage, price),
    }
    content = {
        "thought": answer.thought,
        "text": answer.text,
        "refusal": answer.refusal,
        "calls": [keep_call(number, call) for number, call in enumerate(answer.calls, start=1)],
    }
    session.note(e.STEP_DECIDED, facts, content)


def describe_usage(measured: Usage | None) -> dict[str, int]:
    """Return, as facts, what a provider says it took."""
    usage = measured or Usage(0, 0, 0, 0, 0)
    return {
        "input": usage.input_tokens,
        "cached": usage.cached_input_tokens,
        "cache_write": usage.cache_write_tokens,
        "output": usage.output_tokens,
        "reasoning": usage.reasoning_tokens,
    }


def _size(answer: PlannerAnswer) -> int:
    return len(answer.text) + sum(len(call.raw_arguments) + len(call.name) + 40 for call in answer.calls)


def describe_call(number: int, call: ProposedCall, version: VersionSpec) -> dict[str, Any]:
    """Return the facts of a proposed call: they outlive its words."""
    problem: str | None = call.problem
    try:
        digest = keyed_digest([call.name, call.raw_arguments if problem else call.arguments])
    except ValidationFailed:  # integers beyond 2^53, lone surrogates: no exact JSON, so nothing to sign
        digest, problem = keyed_digest([call.name, ascii(call.raw_arguments)]), "malformed_arguments"
    own = (*version.built_in, e.DECLARE_PLAN, e.READ_RESULT)
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
