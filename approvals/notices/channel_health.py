"""How a channel's receiver does: one that is gone, or has not answered for a day, is stopped, for everybody to see."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from approvals.models import NoticeChannel

GONE = "410"
STREAM_KIND = "channel"
# Both have to be reached: a busy channel fails often within a minute, a quiet one seldom within a day.
MOST_FAILURES = 20
LONGEST_FAILING = timedelta(days=1)


def note_answered(channel: NoticeChannel) -> None:
    """Forget failures: it answers."""
    failing = NoticeChannel.objects.filter(pk=channel.pk, failures__gt=0)
    failing.update(failures=0, failing_since=None)


@transaction.atomic
def note_failed(channel: NoticeChannel, result: str, now: datetime) -> None:
    """Count a failure, and stop the channel if its receiver is gone or has failed for too long."""
    locked = NoticeChannel.objects.select_for_update(of=("self",)).get(pk=channel.pk)
    if locked.state != NoticeChannel.State.ACTIVE:
        return
    locked.failures, locked.failing_since = locked.failures + 1, locked.failing_since or now
    has_failed = locked.failures >= MOST_FAILURES and now - locked.failing_since >= LONGEST_FAILING
    if result == GONE or has_failed:
        locked.state = NoticeChannel.State.DISABLED
        locked.disabled_because = "gone" if result == GONE else "failing"
        facts = {"because": locked.disabled_because, "failures": locked.failures}
        record(locked.pk, STREAM_KIND, Draft("channel.disabled", now, facts))
    locked.save(update_fields=["state", "disabled_because", "failures", "failing_since"])
