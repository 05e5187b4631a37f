"""The run in which the calls of an agent outside stand: one for each of its conversations with a user."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from agentops.canonical import keyed_digest
from agentops.errors import StateConflict, ValidationFailed
from agentops.tracing import continue_trace
from identities.oauth.bearers import Delegate
from runs.bounds import Bounds
from runs.models import Run, RunKind, RunState
from runs.policies import may_connect
from runs.starting import create_run, find_principal, published_version, record_start, refuse_stopped

NAME_LIMIT = 200


def name_conversation(name: str) -> str:
    """Return the digest of what a client calls a conversation; raises ValidationFailed for an unusable name.

    A client that names none has one at a time with each user.
    """
    if len(name) > NAME_LIMIT or not name.isprintable():
        detail = f"a conversation's name has at most {NAME_LIMIT} printable characters"
        raise ValidationFailed("bad_conversation", detail)
    return keyed_digest(["conversation", name])


def open_conversation(caller: Delegate, conversation: str, traceparent: str, tracestate: str) -> Run:
    """Return the conversation's run, locked; called within the transaction of what is written to it.

    Raises PolicyDenied, StateConflict: nothing may be called now. One that was ended by a budget or by people is
    not begun anew before it would have been idle for long enough: it would have the whole budget again.
    """
    found = _latest(caller, conversation)
    if found is not None and not found.has_ended:
        return found
    if found is not None:
        _refuse_early(found)
    try:
        with transaction.atomic():
            return _start(caller, conversation, traceparent, tracestate)
    except IntegrityError:  # another call has opened it this moment
        begun = _latest(caller, conversation)
        if begun is None or begun.has_ended:
            raise
        return begun


def _latest(caller: Delegate, conversation: str) -> Run | None:
    runs = Run.objects.select_for_update(of=("self",)).filter(
        kind=RunKind.EXTERNAL,
        identity=caller.agent,
        principal=caller.principal,
        application=caller.application,
        conversation=conversation,
    )
    return runs.order_by("-id").first()


def _refuse_early(ended: Run) -> None:
    if ended.state == RunState.COMPLETED or ended.ended_at is None:
        return
    again_at = ended.ended_at + timedelta(seconds=settings.GATEWAY_IDLE_S)
    if timezone.now() < again_at:
        why = f"{ended.state} ({ended.status_reason or 'no reason given'})"
        detail = (
            f"this conversation is {why}; a new one may begin at {again_at.isoformat(timespec='seconds')}"
        )
        raise StateConflict("conversation_ended", detail)


def _start(caller: Delegate, conversation: str, traceparent: str, tracestate: str) -> Run:
    agent, named = caller.agent, caller.principal
    version = published_version(agent)
    may_connect(version, caller.proof).enforce()
    principal = find_principal(agent, named.issuer, named.subject)
    refuse_stopped(principal, version)
    run = create_run(
        actor=agent.service_account, version=version, principal=principal, application=caller.application,
        trace=continue_trace(traceparent, tracestate), bounds=Bounds(), proof=caller.proof, conversation=conversation,
    )  # fmt: skip
    asserted_by = "application" if caller.application else "agent"
    record_start(run, agent.service_account, "", asserted_by, idle_s=settings.GATEWAY_IDLE_S)
    return Run.objects.select_for_update().get(pk=run.pk)
