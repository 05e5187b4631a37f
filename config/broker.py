"""Receipts for messages of a broker that has gone away.

kombu 5.7 acknowledges and gives back messages over a channel whose connection it has closed itself after a
loss. That raises AttributeError, which Celery takes for a fault in the worker: a broker that restarts would
end every worker with a task in its hands. Such a receipt concerns nobody any more; the message counts as
unacknowledged at the broker and comes again, or is lost there, and either is fine: messages are hints.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from kombu.transport.redis import QoS


class Receipts(QoS):
    """Keep quiet on a channel that has lost its connection, and write all receipts through one client.

    kombu makes a client for each of them, which was a fifth of the consumer's work per message.
    """

    @cached_property
    def _client(self) -> Any:  # Any: kombu's client
        channel: Any = self.channel
        return channel._create_client()

    def pipe_or_acquire(self, pipe: Any = None, client: Any = None) -> Any:
        """Lend the pipe that is given, or one of the channel's client."""
        return super().pipe_or_acquire(pipe, client or self._client)

    def ack(self, delivery_tag: str) -> None:
        if self._reaches_broker():
            super().ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        if self._reaches_broker():
            super().reject(delivery_tag, requeue)

    def restore_unacked(self, client: Any = None) -> None:  # Any: kombu's client
        """Give back what was taken and not done."""
        if self._reaches_broker():
            super().restore_unacked(client)
        elif self._delivered is not None:
            self._delivered.clear()

    def _reaches_broker(self) -> bool:
        transport = self.channel.connection
        return transport is not None and transport.client is not None
