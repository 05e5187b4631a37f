"""What became of one attempt of a tool call.

`failed` means that it surely had no effect (or that the tool refused); `unknown` means that it may have had
one. Everything downstream rests on that line, so whoever is not sure says `unknown`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from agentops.engine.retry import Effect
from tools.recall import CALLED_BACK

Status = Literal["succeeded", "failed", "unknown"]
JSON = dict[str, Any] | list[Any] | str | int | float | bool | None  # Any: JSON nests, and tools decide what

DETAIL_LIMIT = 500  # characters; details go to the model and into the trace

_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")

# The call never reached the tool, so it says nothing about the tool's health.
NEVER_ASKED = frozenset(
    {
        "saturated",
        "too_late",
        "bad_config",
        "bad_argument",
        "not_allowed",
        "credential_unavailable",
        "token_unavailable",
        "token_refused",
        "address_refused",
    }
)
# The tool put the call off unread (RFC 8470, RFC 6585): a server that has too much to do may refuse so for long.
PUT_OFF = frozenset({"http_425", "http_429"})


@dataclass(frozen=True, slots=True)
class Part:
    """A picture, a sound or a file that came with a result. The result's value says its ``digest`` and size only."""

    digest: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One attempt's end. `retryable`: another attempt may come out differently.

    `detail` is for the model and for people, at most 500 characters; `retry_after_s` is the tool's own wish.
    `retry_budget_left`: the tool's retries of late leave room for another one. `has_blocks`: the value is a list of
    blocks of content, and `parts` what they refer to.
    `etag`: what the server of an HTTP answer calls the state that it answered. `receipt`: by what signed word whoever
    was called inside took the call. `remote`: the id of the task that an agent elsewhere works on by now, where the
    outcome is still to come (`unknown`): it is asked again after `retry_after_s`, and sent nothing more.
    """

    status: Status
    code: str
    detail: str = ""
    value: JSON = None
    retryable: bool = False
    retry_after_s: float | None = None
    counts_against_breaker: bool = False
    latency_ms: int = 0
    retry_budget_left: bool = True
    has_blocks: bool = False
    parts: Sequence[Part] = ()
    etag: str = ""
    receipt: str = ""
    remote: str = ""


def succeed(value: JSON) -> Outcome:
    return Outcome("succeeded", "ok", value=value)


def fail(
    code: str,
    detail: str,
    *,
    retryable: bool = False,
    retry_after_s: float | None = None,
    counts_against_breaker: bool = False,
) -> Outcome:
    """Report that the attempt surely had no effect."""
    return Outcome(
        "failed", code, bound_detail(detail), None, retryable, retry_after_s, counts_against_breaker
    )


def too_late() -> Outcome:
    """Report that the attempt was not started, because the right to it had run out meanwhile."""
    return fail("too_late", "The worker was held up for too long; nothing was sent.", retryable=True)


def doubt(
    effect: Effect, code: str, detail: str, *, retryable: bool = True, retry_after_s: float | None = None
) -> Outcome:
    """Report that the attempt reached the tool and went wrong there: `unknown`, but `failed` for a read."""
    status: Status = "failed" if effect == "read" else "unknown"
    return Outcome(status, code, bound_detail(detail), None, retryable, retry_after_s, True)


def call_back(effect: Effect, why: str, *, sent: bool) -> Outcome:
    """Report that the attempt was called back: the connection was closed, and who knows what the tool did before."""
    detail = f"The call was called back while it was under way: {why}."
    if not sent:
        return fail(CALLED_BACK, detail)
    return replace(doubt(effect, CALLED_BACK, detail, retryable=False), counts_against_breaker=False)


def accept_code(code: str) -> str:
    """Return a tool's code if it is one: codes stay in the ledger for ever, so no text gets into them."""
    return code if _CODE.fullmatch(code) else "tool_error"


def breaker_verdict(outcome: Outcome) -> bool | None:
    """Return what the breaker has to hear: the tool works, it does not, or (None) that is not known.

    A tool that refuses a call is a tool that works. One that puts it off, or from which the call was called back,
    has neither worked nor failed: as a
    success it would end a row of failures, and a probe that was put off would close the breaker.
    """
    if outcome.counts_against_breaker:
        return False
    return None if outcome.code in NEVER_ASKED | PUT_OFF or outcome.code == CALLED_BACK else True


def bound_detail(text: str) -> str:
    """Return one printable line of at most DETAIL_LIMIT characters: the text may be a stranger's."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text[: 2 * DETAIL_LIMIT]).split())
    return line if len(line) <= DETAIL_LIMIT else line[: DETAIL_LIMIT - 1] + "…"
