"""The Celery application. Messages are hints: what must not be lost is in PostgreSQL."""

from __future__ import annotations

import os

from celery import Celery
from celery.signals import beat_init, worker_init
from kombu.transport.redis import Channel

from config.broker import Receipts

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

Channel.QoS = Receipts

app = Celery("agentops")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect
@beat_init.connect
def check_start(**_: object) -> None:
    """Refuse to work in production with a guardrail missing."""
    from runs.preflight import refuse_unsafe_start  # the apps are loaded by now

    refuse_unsafe_start()
