"""Executing a permitted call: breaker, adapter, verdict. There is no other way to an adapter."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

from django.conf import settings

from agentops.engine.breaker import Admission, Transition
from agentops.engine.retry import wants_retry
from tools.adapters import get_adapter
from tools.adapters.base import Adapter, AdapterOptions, settle_poll, settle_read_back
from tools.assessment import Assessment
from tools.breaker import breaker, connect
from tools.calls import Call, ToolSpec
from tools.commands import parse_commands
from tools.credentials import Acting, find_acting, with_credential, with_token
from tools.credentials.material import Answer
from tools.outcomes import Outcome, accept_code, breaker_verdict, doubt, fail
from tools.permits import Permit, use_permit
from tools.places import Place, Places
from tools.recall import Recall

logger = logging.getLogger(__name__)

_places: dict[int, Places] = {}  # by process: a Redis client must not cross a fork


def admit(spec: ToolSpec, *, forced_open: bool) -> Admission:
    """Ask the tool's breaker; an allowed admission owes one ``execute`` or ``give_back``."""
    return breaker().admit(spec.tool_id, spec.breaker, forced_open=forced_open)


def give_back(spec: ToolSpec, admission: Admission) -> None:
    """Return an admission unused: the call was not made after all."""
    breaker().record(spec.tool_id, spec.breaker, None, admission.probe_token)


def take_place(spec: ToolSpec) -> Place | None:
    """Take a place of a tool with a limit of its own, None for others; one taken is left by ``execute``.

    Where its ``retry_at`` is set there was none.
    """
    if spec.max_concurrency is None:
        return None
    return places().take(spec.tool_id, spec.max_concurrency, spec.timeout_s)


def count_places(tool_id: UUID) -> int | None:
    """Return how many calls of a tool with a limit of its own are under way, None where the shared count is away."""
    return places().count(tool_id)


def places() -> Places:
    """Return this process's view of the shared places."""
    process = os.getpid()
    if process not in _places:
        _places[process] = Places(connect(settings.REDIS_URL), settings.REDIS_PREFIX)
    return _places[process]


def leave_place(place: Place | None) -> None:
    """Give a place back, as far as there is one."""
    if place is not None:
        _places[os.getpid()].leave(place)


def execute(
    assessment: Assessment,
    permit: Permit,
    admission: Admission,
    *,
    not_after: float = math.inf,
    recall: Recall | None = None,
    place: Place | None = None,
) -> tuple[Outcome, Transition | None]:
    """Make one attempt; return its outcome and the breaker's transition, if it caused one.

    `not_after`: the time on the leases' clock after which an effect must not be started any more. `recall`: by what
    the attempt is called back while it is under way. `place`: what is left as soon as it is over.
    Raises PolicyDenied unless the permit was issued for exactly this attempt and is unused.
    """
    try:
        use_permit(permit, assessment)
        call = replace(assessment.call, recall=recall)
        outcome = _attempt(call, assessment.acting, math.inf if call.spec.effect == "read" else not_after)
    finally:
        leave_place(place)
    return _settle(call, outcome, admission)


def _settle(call: Call, outcome: Outcome, admission: Admission) -> tuple[Outcome, Transition | None]:
    """Tell the breaker; what has happened has happened, whatever becomes of that."""
    spec = call.spec
    try:
        transition, left = breaker().settle(
            spec.tool_id,
            spec.breaker,
            breaker_verdict(outcome),
            admission.probe_token,
            retry=_wants_retry(spec, call.attempt, outcome),
        )
    except Exception:  # a fault of ours or of Redis' answer; a probe's lease runs out by itself
        logger.exception("the breaker of %s could not be told of %s", spec.name, outcome.code)
        return outcome, None
    return _with_word(outcome, left), transition


def ask_for_retry(spec: ToolSpec, attempt: int, outcome: Outcome) -> Outcome:
    """Return what a read-back found, with the retry budget's word on another attempt."""
    if not _wants_retry(spec, attempt, outcome):
        return outcome
    try:
        left = breaker().spend_retry(spec.tool_id, spec.breaker)
    except Exception:
        logger.exception("the retry budget of %s could not be asked", spec.name)
        return outcome
    return _with_word(outcome, left)


def _with_word(outcome: Outcome, left: bool) -> Outcome:
    """Return an outcome with the retry budget's word, which nearly always is what it says already."""
    return outcome if outcome.retry_budget_left is left else replace(outcome, retry_budget_left=left)


def _wants_retry(spec: ToolSpec, attempt: int, outcome: Outcome) -> bool:
    return wants_retry(
        effect=spec.effect,
        idempotency=spec.idempotency,
        attempt=attempt,
        max_attempts=spec.max_attempts,
        outcome_status=outcome.status,
        retryable=outcome.retryable,
    )


def read_back(call: Call) -> Outcome | None:
    """Ask the tool what became of the call's key; makes no effect, so it needs no permit."""
    adapter = _adapter(call.spec)
    if adapter is None:
        return None
    try:
        answer = _with_papers(
            call,
            find_acting(call),
            lambda call: adapter.read_back(call, timeout_s=call.spec.timeout_s),
            asking=True,
        )
        if call.remote:
            return settle_poll(call, None if answer is None else _heed(answer))
        return None if answer is None else settle_read_back(_heed(answer))
    except Exception as error:  # it proves nothing about the effect that was asked about
        raised = _note_raised(call.spec, error)
        return settle_poll(call, raised) if call.remote else raised


def call_off(call: Call) -> bool:
    """Tell an agent elsewhere that its task is not needed any more; return whether it was told. Raises nothing."""
    adapter = _adapter(call.spec)
    tell = getattr(adapter, "call_off", None)
    if tell is None or not call.remote:
        return False
    try:
        told = _with_papers(
            call, find_acting(call), lambda call: tell(call, timeout_s=call.spec.timeout_s), asking=True
        )
    except Exception as error:  # nobody waits for its word: the run ends in any case
        logger.error("the task of %s was not called off: %s", call.spec.name, type(error).__name__)
        return False
    return told is not None and told.status == "succeeded"


def _with_papers(
    call: Call, acting: Acting | None, attempt: Callable[[Call], Answer], *, asking: bool = False
) -> Answer:
    """Make an attempt with what the tool's server asks for: a token of ours, a credential of its own."""
    return with_token(call, acting, lambda call: with_credential(call, attempt, asking=asking))


def _attempt(call: Call, acting: Acting | None, not_after: float) -> Outcome:
    adapter = _adapter(call.spec)
    if adapter is None:
        return fail("bad_config", f"the adapter {call.spec.adapter!r} of {call.spec.name} cannot be loaded")
    try:
        return _with_papers(
            call,
            acting,
            lambda call: _heed(adapter.invoke(call, timeout_s=call.spec.timeout_s, not_after=not_after)),
        )
    except Exception as error:  # an adapter promises to raise nothing; an effect must not depend on a promise
        return _note_raised(call.spec, error)


def _heed(answer: object) -> Outcome:
    """Return an adapter's answer; raises TypeError for one that is no outcome, as added adapters may give."""
    if not isinstance(answer, Outcome):
        raise TypeError(f"an adapter answers with an Outcome, not with {type(answer).__name__}")
    code = accept_code(answer.code)
    return answer if code == answer.code else replace(answer, code=code)


def _note_raised(spec: ToolSpec, error: Exception) -> Outcome:
    logger.error("the adapter %s raised", spec.adapter, exc_info=error)
    return doubt(spec.effect, "tool_error", f"The adapter failed with {type(error).__name__}.")


def _adapter(spec: ToolSpec) -> Adapter | None:
    try:
        return get_adapter(spec.adapter, adapter_options())
    except Exception as error:  # to load and to build one runs an installation's code
        logger.error("the adapter %s cannot be loaded", spec.adapter, exc_info=error)
        return None


def adapter_options() -> AdapterOptions:
    """Return what this installation decides about its adapters."""
    return AdapterOptions(
        python_modules=tuple(settings.TOOLS_PYTHON_MODULES),
        mcp_commands=tuple(parse_commands(settings.MCP_COMMANDS).items()),
        added=tuple(settings.TOOL_ADAPTERS.items()),
    )
