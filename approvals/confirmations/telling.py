"""Telling an application that a user is asked: a signed message, tried again until it is taken or of no use any more.

The message holds ids only: what the user is asked is fetched with the application's own key.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from agentops.canonical import canonical_json
from agentops.sealed_rows import place_of
from agentops.sealing import unseal
from agentops.webhooks import sign
from approvals.models import Confirmation, ConfirmationHook
from approvals.notices.posting import NoPlace, NotPosted, post

KIND = "confirmation.requested"
# After so many seconds each; what has expired by then is told no more.
SCHEDULE = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
BUSY_S = 5
# So long one who tells has it to themselves: longer than a try may take.
TAKEN_S = 60
GONE = "410"


def tell_application(confirmation: UUID) -> bool:
    """Tell an application of one question to a user of its; return whether it was taken now."""
    now = timezone.now()
    due = Confirmation.objects.filter(pk=confirmation, state="waiting", tell_at__lte=now)
    # Taken by one at a time: whoever moves the row has it.
    if not due.update(tell_at=now + timedelta(seconds=TAKEN_S), tells=F("tells") + 1):
        return False
    asked = Confirmation.objects.get(pk=confirmation)
    hook = ConfirmationHook.objects.filter(application=asked.application_id, ended_at=None).first()
    if hook is None:
        return _end(asked)
    return _try(asked, hook, now)


def tell_due(*, now: datetime, limit: int = 50) -> int:
    """Tell what is due: the first try of a message that was lost, or the next one; return how many were taken."""
    waiting = Confirmation.objects.filter(state="waiting", tell_at__lte=now).order_by("tell_at")
    return sum(tell_application(pk) for pk in list(waiting.values_list("pk", flat=True)[:limit]))


def _try(asked: Confirmation, hook: ConfirmationHook, now: datetime) -> bool:
    try:
        _send(asked, hook, now)
    except NoPlace:
        Confirmation.objects.filter(pk=asked.pk).update(
            tell_at=now + timedelta(seconds=BUSY_S), tells=F("tells") - 1
        )
        return False
    except NotPosted as refused:
        if refused.result == GONE:
            ConfirmationHook.objects.filter(pk=hook.pk, set_at=hook.set_at).update(ended_at=now)
            return _end(asked)
        return _put_off(asked, now)
    Confirmation.objects.filter(pk=asked.pk).update(tell_at=None, told_at=now)
    return True


def _put_off(asked: Confirmation, now: datetime) -> bool:
    if asked.tells > len(SCHEDULE):
        return _end(asked)
    later = now + timedelta(seconds=SCHEDULE[asked.tells - 1])
    Confirmation.objects.filter(pk=asked.pk, state="waiting").update(
        tell_at=later if later < asked.expires_at else None
    )
    return False


def _end(asked: Confirmation) -> bool:
    Confirmation.objects.filter(pk=asked.pk).update(tell_at=None)
    return False


@sensitive_variables("secret")
def _send(asked: Confirmation, hook: ConfirmationHook, now: datetime) -> None:
    message_id, sent_at = f"msg_{asked.pk}", int(now.timestamp())
    body = write_message(asked)
    secret = unseal(hook.sealed_secret, context=place_of(hook, "sealed_secret")).decode()
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": str(sent_at),
        "webhook-signature": sign(secret, message_id, sent_at, body),
    }
    post(hook.url, body, headers, allow_private=hook.allow_private)


def write_message(asked: Confirmation) -> bytes:
    """Return the body of the message: which run asks, under which id, and until when."""
    data = {
        "confirmation": str(asked.pk),
        "run": asked.subject_ref,
        "digest": asked.digest,
        "expires_at": asked.expires_at.isoformat(),
    }
    return canonical_json({"type": KIND, "timestamp": asked.created_at.isoformat(), "data": data})
