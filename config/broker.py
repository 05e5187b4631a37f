"""What becomes of messages that a worker has taken and not done when it stops.

Messages are hints, so kombu keeps no copy of them at the broker (``ack_emulation``): to write each a second time and
to delete it again was half of what it costs to receive one, for a worker that dies. What that worker left the
sweeper finds, from the database and long before kombu would give the messages back. A worker that stops in order
puts back what it has taken.
"""

from __future__ import annotations

import logging
from typing import Any

import redis
from kombu.transport import virtual
from kombu.transport.redis import Channel

logger = logging.getLogger(__name__)


def put_back(channel: Channel, message: Any, leftmost: bool = False) -> None:  # Any: kombu's message
    """Send a message again that was taken and not done; with the broker gone, leave it to the sweeper.

    kombu gives back over channels whose connection it has closed itself after a loss. That raises AttributeError,
    which Celery takes for a fault in the worker: a broker that restarts would end it.
    """
    transport = channel.connection
    if transport is None or transport.client is None:
        return
    try:
        virtual.Channel._restore(channel, message)
    except redis.RedisError as error:
        logger.warning("a message could not be put back: %s", error)
