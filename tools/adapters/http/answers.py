"""From what was seen of an exchange to an outcome; the table is in the package's docstring."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NoReturn

from agentops.strict_json import MalformedJSON, unique_object
from tools.adapters.base import NOT_EXECUTED, accept_value
from tools.adapters.http.wire import Exchange
from tools.calls import Call
from tools.outcomes import Outcome, call_back, doubt, fail, too_late
from tools.recall import CALLED_BACK

LONGEST_RETRY_AFTER_S = 86_400.0

_ETAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]{1,256}"')
_MEDIA_TYPE = re.compile(r"[\w.+-]{1,40}/[\w.+-]{1,60}")

LOST = {
    "timeout": "The tool did not answer in time.",
    "connection_lost": "The connection broke before the answer was complete.",
}


def judge(call: Call, exchange: Exchange, limit_bytes: int) -> Outcome:
    """Return the outcome of an attempt."""
    status = exchange.status
    if exchange.fault == CALLED_BACK and not 400 <= status < 500:
        why = call.recall.code if call.recall is not None else ""
        return call_back(call.spec.effect, why, sent=exchange.sent)
    if not exchange.sent:
        return _judge_unsent(exchange)
    if status == 0 or (exchange.fault in LOST and 200 <= status < 300):
        return doubt(call.spec.effect, exchange.fault, LOST[exchange.fault])
    if 200 <= status < 300:
        return _judge_success(call, exchange, limit_bytes)
    if 400 <= status < 500 and status != 408:
        return _judge_refusal(call, exchange)
    if status in (307, 308):  # "send the same there": it was not carried out here
        return fail("redirected", "The tool's address redirects; redirects are not followed.")
    retryable = status == 408 or status >= 500
    return doubt(
        call.spec.effect,
        f"http_{status}",
        _describe(exchange),
        retryable=retryable,
        retry_after_s=_retry_after_s(exchange),
    )


def judge_read_back(call: Call, exchange: Exchange, limit_bytes: int) -> Outcome:
    """Return what a read-back says; whatever is neither 200 nor 404 says nothing."""
    # A 404 in HTML is a proxy's or a router's, not the tool's word about a key.
    if exchange.status == 404 and "html" not in exchange.headers.get("content-type", ""):
        return fail(NOT_EXECUTED, "The tool knows no effect under this key.", retryable=True)
    if exchange.status in (200, 404) or not exchange.sent or exchange.status == 0:
        return judge(call, exchange, limit_bytes)
    return doubt(call.spec.effect, f"http_{exchange.status}", _describe(exchange))


def _judge_unsent(exchange: Exchange) -> Outcome:
    if exchange.fault == "saturated":
        return fail("saturated", "No connection was free in this process.", retryable=True)
    if exchange.fault == "too_late":
        return too_late()
    if exchange.fault == "address_refused":
        detail = "The tool's address is in a network that is not connected to; nothing was sent."
        return fail("address_refused", detail)
    detail = "The tool could not be reached; nothing was sent."
    return fail("unreachable", detail, retryable=True, counts_against_breaker=True)


def _judge_success(call: Call, exchange: Exchange, limit_bytes: int) -> Outcome:
    effect = call.spec.effect
    if exchange.fault == "too_large":
        detail = f"The answer is larger than {limit_bytes} bytes."
        return doubt(effect, "bad_output", detail, retryable=False)
    if not exchange.body and _may_be_empty(call, exchange.status):
        return accept_value(call, None, limit_bytes)
    try:
        if exchange.headers.get("content-encoding", "identity") != "identity":
            raise ValueError
        value = _DECODER.decode(exchange.body.decode())
    except MalformedJSON as error:
        return doubt(effect, "bad_output", f"The answer is ambiguous: {error}.", retryable=False)
    except (ValueError, RecursionError):
        # Retryable: an empty or HTML answer with a 2xx is the mark of a proxy or of a half-started server.
        return doubt(effect, "bad_output", f"The answer is not JSON{_name_kind(exchange)}.")
    return replace(accept_value(call, value, limit_bytes), etag=_read_etag(exchange))


def _read_etag(exchange: Exchange) -> str:
    """Return the entity tag of an answer (RFC 9110, 8.8.3), weak ones included; empty where there is none."""
    text = exchange.headers.get("etag", "").strip()
    return text if _ETAG.fullmatch(text) else ""


def _may_be_empty(call: Call, status: int) -> bool:
    """Whether nothing is an answer: by the status, the method, or what the tool's interface promises."""
    config = call.spec.config
    return (
        status in (204, 205) or config.get("method") == "HEAD" or status in config.get("empty_statuses", ())
    )


def _name_kind(exchange: Exchange) -> str:
    if not exchange.body:
        return " but empty"
    kind = exchange.headers.get("content-type", "").partition(";")[0].strip()
    return f" but {kind}" if _MEDIA_TYPE.fullmatch(kind) else ""


def _judge_refusal(call: Call, exchange: Exchange) -> Outcome:
    # 425 and 429: not carried out, may be sent again (RFC 8470, RFC 6585). 409 to a repeated key can mean
    # that the first request under it is still at work (draft-ietf-httpapi-idempotency-key-header).
    key_is_repeated = call.attempt > 1 and call.spec.idempotency == "honours_key"
    first_may_be_at_work = exchange.status == 409 and key_is_repeated
    return fail(
        f"http_{exchange.status}",
        _describe(exchange),
        retryable=exchange.status in (425, 429) or first_may_be_at_work,
        retry_after_s=_retry_after_s(exchange),
    )


def _describe(exchange: Exchange) -> str:
    """Return the title and detail of a problem (RFC 9457), or the bare status."""
    plain = f"The tool answered {exchange.status}."
    try:
        problem = json.loads(exchange.body)
    except (ValueError, RecursionError):
        return plain
    words = [problem.get("title"), problem.get("detail")] if isinstance(problem, dict) else []
    return ": ".join(word for word in words if isinstance(word, str) and word.strip()) or plain


def _retry_after_s(exchange: Exchange) -> float | None:
    """Return Retry-After in seconds (RFC 9110: a number or a date), at most a day; None if there is none."""
    text = exchange.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_RETRY_AFTER_S)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # a zone of twenty digits overflows
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max((aware - datetime.now(UTC)).total_seconds(), 0.0), LONGEST_RETRY_AFTER_S)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER: json.JSONDecoder = json.JSONDecoder(
    object_pairs_hook=unique_object, parse_constant=_refuse_constant
)
