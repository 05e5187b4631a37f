"""Receiving a call of an agent outside: recognised where it was made before, else appended to its run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from agentops.canonical import keyed_digest
from agentops.engine import events as e
from agentops.engine.state import UNREAD_LIMIT, RunState
from agentops.errors import NotFound, StateConflict, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.messages import send_after_commit
from approvals.confirmations.asking import void_confirmation
from approvals.models import Confirmation
from approvals.services import void_request
from identities.oauth.bearers import Delegate
from runs import lease_rows
from runs.gateway.conversations import name_conversation, open_conversation
from runs.models import ReceivedCall, Run, ToolCall
from runs.planner.calls import read_calls
from runs.queues import DRIVE, queue_of
from runs.services import append_to_run
from runs.steering import write_by_person

KEY_LIMIT = 200
WHY_LIMIT = 2_000


@dataclass(frozen=True, slots=True)
class Foreign:
    """A call as an agent outside makes it. ``arguments`` is the text of a JSON object, as it came.

    ``key``: what its client calls this very call, to be known again; ``why``: the agent's own words for people.
    """

    tool: str
    arguments: str
    conversation: str = ""
    key: str = ""
    why: str = ""
    traceparent: str = ""
    tracestate: str = ""


@transaction.atomic
def receive_call(*, caller: Delegate, foreign: Foreign) -> tuple[ReceivedCall, bool]:
    """Take a call into its conversation's run, whose driver sees to it; return by what it is found, and if it is new.

    A call with a known key is that call; so is one without a key that says the same as one whose end the client was
    not yet told: it is asking for that. Raises PolicyDenied, StateConflict, ValidationFailed: nothing was written.
    """
    _check(foreign)
    conversation = name_conversation(foreign.conversation)
    run = open_conversation(caller, conversation, foreign.traceparent, foreign.tracestate)
    key = keyed_digest(["key", foreign.key]) if foreign.key else ""
    digest = digest_of(foreign)
    known = _find_known(run, key, digest)
    return (known, False) if known else (_append(caller, run, foreign, key, digest), True)


def find_received(*, caller: Delegate, foreign: Foreign, run_id: str, number: int) -> ReceivedCall:
    """Return a call that this very caller has made; raises NotFound, or ValidationFailed for another call."""
    found = find_own(caller, run_id, number)
    if found.digest != digest_of(foreign):
        raise ValidationFailed("key_reused", "this state is of another call")
    return found


def find_own(caller: Delegate, run_id: str, number: int) -> ReceivedCall:
    """Return a call that this very caller has made; raises NotFound."""
    own = ReceivedCall.objects.filter(
        run__identity=caller.agent, run__principal=caller.principal, run__application=caller.application
    )
    try:
        found = own.filter(run_id=UUID(run_id), number=number).first()
    except ValueError:
        found = None
    if found is None:
        raise NotFound("unknown_call", "no such call was received from you")
    return found


@transaction.atomic
def withdraw_call(*, caller: Delegate, received: ReceivedCall) -> bool:
    """Take back a call that waits for people, who need not decide any more, or is held; return whether it did.

    One that is being made, or has been, stays: nobody can take an effect back by asking.
    """
    call = ToolCall.objects.filter(run_id=received.run_id, step=received.number).first()
    if call is not None and call.state == "held":
        return _veto(caller, call)
    if call is None or not (withdrawn := _withdraw_question(call)):
        return False
    with connection.cursor() as cursor:
        lease_rows.ring(cursor, received.run_id)
    send_after_commit(DRIVE, str(received.run_id), queue="critical")
    return withdrawn


def _withdraw_question(call: ToolCall) -> bool:
    """Withdraw what people or the end user are asked about a call that waits for them."""
    why, now = "withdrawn_by_caller", timezone.now()
    if call.state == "waiting" and call.approval_id is not None:
        return void_request(call.approval_id, code=why, now=now)
    asked = Confirmation.objects.filter(subject_ref=str(call.run_id), key=call.key, state="waiting").first()
    return call.state == "confirming" and asked is not None and void_confirmation(asked.pk, code=why, now=now)


def _veto(caller: Delegate, call: ToolCall) -> bool:
    account, where = caller.agent.service_account, {"step": call.step, "call": call.number}
    try:
        append_to_run(account, call.run, e.CALL_VETOED, where, {"reason": "taken back by its caller"})
    except StateConflict:  # it goes out this moment
        return False
    return True


def digest_of(foreign: Foreign) -> str:
    """Return the digest by which the same call is known again."""
    return keyed_digest([foreign.tool, foreign.arguments])


def _check(foreign: Foreign) -> None:
    if len(foreign.key) > KEY_LIMIT or not foreign.key.isprintable():
        raise ValidationFailed("bad_key", f"a key has at most {KEY_LIMIT} printable characters")
    if len(foreign.why) > WHY_LIMIT:
        raise ValidationFailed("why_too_long", f"at most {WHY_LIMIT} characters")


def _find_known(run: Run, key: str, digest: str) -> ReceivedCall | None:
    if not key:
        waiting = ReceivedCall.objects.filter(run=run, digest=digest, key="", answered_at=None)
        return waiting.order_by("number").first()
    known = ReceivedCall.objects.filter(run=run, key=key).first()
    if known is not None and known.digest != digest:
        raise ValidationFailed("key_reused", "this key was used for another call")
    return known


def _append(caller: Delegate, run: Run, foreign: Foreign, key: str, digest: str) -> ReceivedCall:
    now, content = timezone.now(), _content(foreign)
    with connection.cursor() as cursor:
        after = write_by_person(
            cursor, run, lambda before: _draft(before, now, content, caller, len(foreign.arguments))
        )
        lease_rows.ring(cursor, run.pk)
    send_after_commit(DRIVE, str(run.pk), queue=queue_of(run.priority))
    number = after.step + len(after.inbox)
    return ReceivedCall.objects.create(
        run=run, number=number, key=key, digest=digest, received_at=now, delegation_id=caller.delegation_id
    )


def _draft(before: RunState, now: datetime, content: dict[str, Any], caller: Delegate, size: int) -> Draft:
    """Return the entry, or refuse what the run would not take up: its budget and its patience are bounded."""
    number = before.step + len(before.inbox) + 1
    if before.has_ended:
        raise StateConflict("conversation_ended", "the conversation ends this moment; call again")
    if number > before.limits.steps:
        raise StateConflict("budget_reached", f"a conversation has at most {before.limits.steps} calls")
    if len(before.inbox) >= UNREAD_LIMIT:
        raise StateConflict("too_many_calls", "calls of this conversation wait; call again later")
    return Draft(e.CALL_RECEIVED, now, {"step": number, "size": size}, content, caller.agent.pk)


def _content(foreign: Foreign) -> dict[str, Any]:  # Any: JSON
    """Return the call as a planner's would be recorded: read with suspicion, its fault beside it."""
    [call] = read_calls(
        [{"function": {"name": foreign.tool, "arguments": foreign.arguments}}], cut_short=False
    )
    return {
        "tool": call.name,
        "arguments": call.arguments,
        "raw": call.raw_arguments if call.problem else None,
        "problem": call.problem,
        "problem_detail": call.problem_detail,
        "why": foreign.why,
    }
