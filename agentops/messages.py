"""Hints to workers: messages whose loss costs time, never work.

What has to happen is in PostgreSQL, and a sweeper finds it there. So a publisher waits two seconds at the
most, and whatever goes wrong is logged and forgotten.
"""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from functools import lru_cache, partial
from typing import Any

from celery import current_app
from django.db import transaction
from kombu import Connection
from kombu.pools import producers

logger = logging.getLogger(__name__)

PUBLISH_TIMEOUT_S = 2.0
# In the order in which workers take from them: whatever waits in one is begun before anything in those after it.
QUEUES = ("critical", "high", "normal", "bulk")


def send_after_commit(task: str, *args: str, queue: str = "normal") -> None:
    """Send a task by name once the surrounding transaction has committed; at once when there is none.

    ``args`` are identifiers as text. Never raises for the broker's sake.
    """
    transaction.on_commit(partial(_publish, task, args, queue), robust=True)


def send_now(task: str, *args: str, queue: str = "normal", expires_s: float) -> bool:
    """Send a task by name that is of no use any more after a while; return whether the broker took it."""
    return _publish(task, args, queue, expires_s)


def count_waiting(*queues: str) -> int:
    """Return how many messages wait there for a worker to be free; 0 where the broker does not say."""
    try:
        with _producer() as producer:
            # Its public way looks for the queue without the prefix of its key, and finds none.
            return sum(producer.channel._size(queue) for queue in queues)
    except Exception as error:  # a boundary: whoever waits there would not be served by a broker that is gone
        logger.warning("whether anybody waits in %s is not known: %s", ", ".join(queues), error)
        return 0


def _publish(task: str, args: tuple[str, ...], queue: str, expires_s: float | None = None) -> bool:
    try:
        with _producer() as producer:
            current_app.send_task(
                task, args=args, queue=queue, producer=producer, retry=False, expires=expires_s
            )
    except Exception as error:  # a boundary: the broker's troubles are not those of the act that is committed
        logger.warning("%s was not sent, the sweeper will find what is due: %s", task, error)
        return False
    return True


def _producer() -> AbstractContextManager[Any]:  # Any: its channel has what its type does not tell
    pool = producers[_connection_to(current_app.conf.broker_write_url)]
    lent: AbstractContextManager[Any] = pool.acquire(block=True, timeout=PUBLISH_TIMEOUT_S)
    return lent


@lru_cache(maxsize=4)  # to put one together takes as long as to send a message
def _connection_to(url: str) -> Connection:
    """Return the connection to a broker with limits that a consumer, which waits for hours, must not have.

    It names a pool and is never opened itself: whoever forks inherits no socket with it.
    """
    limits = {
        "socket_timeout": PUBLISH_TIMEOUT_S,
        "socket_connect_timeout": PUBLISH_TIMEOUT_S,
        "retry_on_timeout": False,
        # Kombu's own default is to connect again for ever.
        "max_retries": 0,
        "interval_start": 0,
        "interval_step": 0,
        "interval_max": 0,
    }
    options = {**current_app.conf.broker_transport_options, **limits}
    return current_app.connection_for_write(url, transport_options=options)
