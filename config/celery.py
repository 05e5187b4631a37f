"""The Celery application. Messages are hints: what must not be lost is in PostgreSQL."""

from __future__ import annotations

import os
import sys

from celery import Celery
from celery.signals import beat_init, setup_logging, worker_init
from django.conf import settings
from kombu.transport.redis import Channel

from config.broker import put_back

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

Channel._restore = put_back  # type: ignore[method-assign, assignment]  # its own looks for copies at the broker

app = Celery("agentops")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_logging(**_: object) -> None:
    """Keep what the settings say: Celery would set the level of its own command line over LOG_LEVEL."""


@worker_init.connect
def give_way(**_: object) -> None:
    """Let the machine's other processes before this worker by as much as WORKER_NICE says."""
    os.nice(settings.WORKER_NICE)


@worker_init.connect
@beat_init.connect
def check_start(**_: object) -> None:
    """End the process if this is production and a guardrail is missing.

    Celery logs what a receiver raises and goes on, except for an exit: so nothing else may come out of here.
    """
    try:
        from runs.preflight import refuse_unsafe_start  # the apps are loaded by now

        refuse_unsafe_start()
    except Exception as refusal:
        sys.exit(str(refusal) or repr(refusal))
