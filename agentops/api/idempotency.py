"""Requests that may arrive twice and count once.

Source: draft-ietf-httpapi-idempotency-key-header-07. Act and answer are committed in one transaction, and
"in flight" is a lock of that transaction: a process that dies leaves neither half an answer nor a key that
stays taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.models import IdempotentAnswer
from agentops.api.refusals import ApiError
from agentops.canonical import keyed_digest
from agentops.errors import AgentOpsError

KEPT = timedelta(hours=24)
HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"

_KEY = re.compile(r"[\x20-\x7e]{1,255}")
_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')  # a string of RFC 8941

Body = dict[str, Any]  # Any: a JSON document


@dataclass(frozen=True, slots=True)
class Answer:
    """What an act is answered with."""

    status: int
    body: Body
    location: str = ""


def _unchanged(body: Body) -> Body:
    return body


@dataclass(frozen=True, slots=True)
class Operation:
    """What a key belongs to, and how its answer is kept.

    `name` is the route with its path parameters, `principal` the end user where the body names one. A repeated
    request may differ in members that are `unmarked`.
    `conceal` takes what is personal out of a body before it is kept, `restore` puts it back.
    """

    name: str
    principal: Sequence[str] = ()
    unmarked: Sequence[str] = ()
    conceal: Callable[[Body], Body] = _unchanged
    restore: Callable[[Body], Body] = _unchanged


def read_key(request: Request, *, required: bool = False) -> str | None:
    """Return the key, bare or quoted.

    Raises ApiError 400 when a required key is missing, or one is not 1 to 255 printable ASCII characters.
    """
    given = request.headers.get(HEADER)
    if given is None:
        if required:
            raise ApiError(400, "idempotency_key_missing", f"This operation needs an {HEADER} header.")
        return None
    given = given.strip(" \t")  # HTTP knows no other spaces: with one, the key is a bad one
    quoted = _QUOTED.fullmatch(given)
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else given
    if not _KEY.fullmatch(key):
        raise ApiError(400, "idempotency_key_invalid", f"{HEADER} has 1 to 255 printable ASCII characters.")
    return key


def answer_once(
    request: Request, operation: Operation, act: Callable[[], Answer], *, required: bool = False
) -> Response:
    """Perform an act at most once per key and return its answer, the kept one on a repetition.

    A refusal is not kept: it changed nothing, so the same request may be tried again under the same key.
    Raises ApiError 400 when a required key is missing or a key is malformed, 409 while the first request is
    in flight, 422 when the key came with another body.
    """
    key = read_key(request, required=required)
    if key is None:
        return _respond(act())
    answer, is_repeated = act_once(
        str(request.user.pk), key, _marked(request.data, operation), operation, act
    )
    return _respond(answer, {REPLAYED: "true"} if is_repeated else {})


def act_once(
    owner: str, key: str, marked: Any, operation: Operation, act: Callable[[], Answer]
) -> tuple[Answer, bool]:  # Any: JSON
    """Perform an act of its owner's at most once per key; return its answer, and whether it is the kept one.

    ``marked`` is what a repetition has to say alike. Raises as ``answer_once`` does.
    """
    scope = keyed_digest([owner, list(operation.principal), operation.name, key])
    fingerprint = keyed_digest(marked)
    with transaction.atomic():
        _take_lock(scope)
        kept = IdempotentAnswer.objects.filter(scope=scope).first()
        if kept and kept.created_at > timezone.now() - KEPT:
            return _replay(kept, fingerprint, operation), True
        try:
            answer = act()
        except AgentOpsError as error:
            # Raised again below, outside: what a service recorded about its refusal is to be committed.
            refusal = error
        else:
            _keep(scope, fingerprint, operation, answer)
            return answer, False
    raise refusal


def _marked(body: Any, operation: Operation) -> Any:  # Any: JSON
    if not operation.unmarked or not isinstance(body, dict):
        return body
    return {name: value for name, value in body.items() if name not in operation.unmarked}


def _take_lock(scope: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_try_advisory_xact_lock(%s)", [int.from_bytes(bytes.fromhex(scope)[:8], signed=True)]
        )
        if not cursor.fetchone()[0]:
            raise ApiError(
                409, "idempotency_key_in_flight", "The first request with this key is not done yet."
            )


def _keep(scope: str, fingerprint: str, operation: Operation, answer: Answer) -> None:
    IdempotentAnswer.objects.filter(scope=scope).delete()  # one that is over 24 hours old
    IdempotentAnswer.objects.create(
        scope=scope,
        fingerprint=fingerprint,
        status=answer.status,
        body={"location": answer.location, "body": operation.conceal(answer.body)},
    )


def _replay(kept: IdempotentAnswer, fingerprint: str, operation: Operation) -> Answer:
    if kept.fingerprint != fingerprint:
        raise ApiError(422, "idempotency_key_reused", "This key was used with another request body.")
    return Answer(kept.status, operation.restore(kept.body["body"]), kept.body["location"])


def _respond(answer: Answer, headers: Mapping[str, str] | None = None) -> Response:
    location = {"Location": answer.location} if answer.location else {}
    return Response(answer.body, status=answer.status, headers={**location, **(headers or {})})
