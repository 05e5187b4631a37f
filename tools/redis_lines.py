"""Lines to Redis for commands of the hot path: a step asks for a breaker's state, and tells how the call went.

redis-py's own way checks each connection before it is used and decides anew how to retry, which takes longer than
the command itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import redis

T = TypeVar("T")

MOST_OWED = 16  # answers that a line may leave unread


def pack(*arguments: str | int) -> bytes:
    """Return a command as Redis reads it: the count of its arguments, and the arguments (RESP)."""
    return b"*%d\r\n%b" % (len(arguments), pack_arguments(*arguments))


def pack_arguments(*arguments: str | int) -> bytes:
    """Return arguments as they stand in a command, each behind its length."""
    texts = [str(argument).encode() for argument in arguments]
    return b"".join([b"$%d\r\n%b\r\n" % (len(text), text) for text in texts])


@dataclass(slots=True)
class Line:
    """A connection; ``owed`` are the answers on it that nobody has read."""

    connection: Any  # Any: redis-py types its connections in part
    owed: int = 0
    is_open: bool = True

    def ask(self, command: bytes) -> Any:  # Any: whatever the command answers
        """Return the answer; raises redis.ResponseError for one that is an error."""
        self._send(command)
        self.read_owed()
        return self._read()

    def tell(self, command: bytes) -> None:
        """Leave the answer unread until the next one is wanted."""
        if self.owed >= MOST_OWED:
            self.read_owed()
        self._send(command)
        self.owed += 1

    def read_owed(self) -> None:
        while self.owed:
            self.owed -= 1
            with suppress(redis.ResponseError):
                self._read()

    def close(self) -> None:
        self.is_open = False
        self.connection.disconnect()

    def _send(self, command: bytes) -> None:
        try:
            self.connection.send_packed_command([command], check_health=False)
        except BaseException:  # half a command: nobody may go on with it
            self.close()
            raise

    def _read(self) -> Any:  # Any: as in ask
        try:
            return self.connection.read_response()
        except redis.ResponseError:
            raise
        except BaseException:  # half an answer
            self.close()
            raise


class Lines:
    """The lines of one client. Methods raise `redis.RedisError` when Redis does not answer."""

    def __init__(self, client: redis.Redis) -> None:
        self._pool = client.connection_pool
        self._idle: deque[Line] = deque()

    def ask(self, command: bytes) -> Any:  # Any: whatever the command answers
        """Send a command and wait for the answer."""
        return self._use(lambda line: line.ask(command))

    def tell(self, command: bytes) -> None:
        """Send a command whose answer nobody needs; with a line that breaks it may be lost."""
        self._use(lambda line: line.tell(command))

    def settle_up(self) -> None:
        """Wait until Redis has heard what it was told, on the lines that nobody is using."""
        for _ in range(len(self._idle)):
            with suppress(redis.ConnectionError, IndexError):  # one that is closed has nothing more to say
                self._try(self._idle.popleft(), Line.read_owed)

    def _use(self, use: Callable[[Line], T]) -> T:
        """Use an idle line, or a new one where there is none, or where a restarted server has closed it."""
        if self._idle:
            try:
                return self._try(self._idle.pop(), use)
            except (redis.ConnectionError, IndexError):  # closed, or taken by another thread meanwhile
                self._close_idle()
        return self._try(Line(self._pool.connection_class(**self._pool.connection_kwargs)), use)

    def _try(self, line: Line, use: Callable[[Line], T]) -> T:
        try:
            return use(line)
        finally:
            if line.is_open:
                self._idle.append(line)

    def _close_idle(self) -> None:
        while self._idle:
            try:
                self._idle.pop().close()
            except IndexError:
                return
