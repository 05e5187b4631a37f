"""Celery tasks: ids in, one call, and the answer to "again?"."""

from __future__ import annotations

from uuid import UUID

from celery import Task, shared_task
from celery.signals import worker_shutting_down
from django.conf import settings
from django.utils import timezone

from agentops.database import borrowed
from agentops.messages import send_after_commit
from identities.models import KillSwitch
from runs import admission, extensions, lease_rows, retention, review_notices, withdrawals
from runs.campaigns import close_due_campaigns
from runs.driver import drive as drive_run
from runs.driver import drive_in_turn
from runs.evaluation import evaluating
from runs.fulfilment import judging
from runs.indicators import watching
from runs.leases import stopping
from runs.memory.meaning import making
from runs.memory.meaning.provider import MAKE_VECTORS, hint_vectors_after_commit
from runs.metrics import counting
from runs.queues import DRIVE, RUN_QUEUES, queue_of, send_due
from runs.schedules import firing as schedules
from runs.telemetry import exporting

WAKE_BATCH = 1_000
# A few sweeps: while workers are behind, the same runs are sent again and again.
SWEPT_EXPIRES_S = 10.0


@shared_task(name=DRIVE, bind=True)
def drive(self: Task[[str], None], run_id: str) -> None:
    """Drive a run for one time slice; when there is more to do, say so to whoever is free.

    That run, for whom something has happened to it; by a message of a queue of runs the one whose turn it is.
    """
    in_turn = (self.request.delivery_info or {}).get("routing_key") in RUN_QUEUES
    again = (drive_in_turn if in_turn else drive_run)(UUID(run_id))
    if again is not None:
        send_after_commit(DRIVE, str(again.run_id), queue=queue_of(again.priority))


@shared_task(name="runs.sweep")
def sweep() -> int:
    """Find what is due, abandoned, decided without being told, or to be let in, and send it round again."""
    with borrowed() as connection, connection.cursor() as cursor:
        due = lease_rows.find_due(cursor, settings.SWEEP_BATCH)
        due += admission.find_admissible(cursor)[: settings.SWEEP_BATCH]
    send_due(due, expires_s=SWEPT_EXPIRES_S)
    return len(due)


@shared_task(name="runs.start_due")
def start_due() -> int:
    """Start the runs whose time has come; return how many began."""
    return schedules.start_due(timezone.now())


@shared_task(name="runs.export_spans")
def export_spans() -> int:
    """Send what runs have done since to the collector of spans, if there is one; return of how many runs."""
    return exporting.export_due()


@shared_task(name="runs.count")
def count() -> int:
    """Add what runs have done since to what is counted of them; return how many entries that were."""
    return counting.count_all()


@shared_task(name="runs.judge")
def judge() -> int:
    """Judge the runs of tasks that have ended since by the checks of their type; return how many."""
    return judging.judge_ended(timezone.now())


@shared_task(name=MAKE_VECTORS)
def make_vectors() -> int:
    """Give notes their vectors, as many as are due for one at a time; return how many were tried."""
    tried = making.make_vectors(timezone.now())
    if tried == making.BATCH:
        hint_vectors_after_commit()
    return tried


@shared_task(name="runs.evaluate")
def evaluate() -> int:
    """Judge the cases of evaluations whose runs have ended, and start the next; return of how many evaluations."""
    return evaluating.carry_on()


@shared_task(name="runs.look_at_versions")
def look_at_versions() -> int:
    """Look at the versions whose runs have grown in number; return how many looks that were."""
    return watching.look_at_versions(now=timezone.now())


@shared_task(name="runs.trim")
def trim() -> int:
    """Delete the rows that are needed no longer; return how many."""
    return retention.trim(timezone.now())


@shared_task(name="runs.expire_extensions")
def expire_extensions() -> int:
    """Halt the runs at a limit that nobody has let go on in time; return how many."""
    return extensions.expire_extensions(now=timezone.now())


@shared_task(name="runs.tell_held_back")
def tell_held_back() -> int:
    """Tell where runs have begun to wait until reviewers have room; return of how many teams."""
    return review_notices.tell_held_back(now=timezone.now())


@shared_task(name="runs.close_campaigns")
def close_campaigns() -> int:
    """Take away the grants that nobody decided about in time; return how many campaigns were closed."""
    return close_due_campaigns(now=timezone.now())


@shared_task(name="runs.wake_agent")
def wake_agent(identity_id: str) -> int:
    """Drive the runs of an agent whose standing has changed, and those on its behalf, so that they notice at once."""
    _send_withdrawal("agent", identity_id)
    return _wake("agent", identity_id)


@shared_task(name="runs.wake_application")
def wake_application(application_id: str) -> int:
    """Drive the runs of an application that was revoked."""
    _send_withdrawal("application", application_id)
    return _wake("application", application_id)


@shared_task(name="runs.wake_person")
def wake_person(user_id: str) -> int:
    """Drive the runs that a person started whose account was closed."""
    _send_withdrawal("person", user_id)
    return _wake("person", user_id)


@shared_task(name="runs.wake_switched")
def wake_switched(switch_id: str) -> int:
    """Drive the runs that a kill switch concerns."""
    switch = KillSwitch.objects.get(pk=switch_id)
    _send_withdrawal(switch.scope, switch.target)
    return _wake(switch.scope, switch.target)


@shared_task(name="runs.withdraw_credentials")
def withdraw_credentials(scope: str, target: str) -> int:
    """End the credentials that calls under way hold, and that a stop concerns."""
    return withdrawals.withdraw_credentials(scope, target)


def _send_withdrawal(scope: str, target: str) -> None:
    """Send it apart: targets may be slow, and runs are to notice at once."""
    send_after_commit("runs.withdraw_credentials", scope, target, queue="critical")


def _wake(scope: str, target: str) -> int:
    """Ring all runs that it concerns, paused ones too; the sweeper finds those that are sent no message."""
    with borrowed() as connection, connection.cursor() as cursor:
        rung = lease_rows.ring_all(cursor, scope, target)
    for run_id in rung[:WAKE_BATCH]:
        send_after_commit(DRIVE, str(run_id), queue="critical")
    return len(rung)


@worker_shutting_down.connect
def stop_driving(**_: object) -> None:
    """Give runs back at the next command, so that another worker goes on with them."""
    stopping.set()
