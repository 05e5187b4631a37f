"""Lines to Redis: what is told is heard in its order, and a line that breaks spoils nothing."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from tools.redis_lines import MOST_OWED, Lines, pack


@pytest.fixture
def lines(worker_redis: redis.Redis) -> Lines:
    return Lines(worker_redis)


@pytest.mark.parametrize(
    "command", [("PING",), ("SET", "größe", ""), ("EVALSHA", "ab" * 20, 1, -5, "a\r\nb")]
)
def test_a_command_is_packed_as_redis_py_packs_it(
    worker_redis: redis.Redis, command: tuple[str | int, ...]
) -> None:
    connection: Any = worker_redis.connection_pool.get_connection()  # typed in part
    assert pack(*command) == b"".join(connection.pack_command(*command))


def test_what_is_told_is_heard_before_what_is_asked(lines: Lines) -> None:
    lines.ask(pack("SET", "told", 0))
    for _ in range(3):
        lines.tell(pack("INCR", "told"))
    assert lines.ask(pack("GET", "told")) == b"3"


def test_an_answer_is_never_taken_for_another_s(lines: Lines) -> None:
    """Even where what was told failed."""
    lines.ask(pack("SET", "word", "text"))
    lines.tell(pack("INCR", "word"))
    assert lines.ask(pack("ECHO", "mine")) == b"mine"
    with pytest.raises(redis.ResponseError):
        lines.ask(pack("INCR", "word"))
    assert lines.ask(pack("ECHO", "still mine")) == b"still mine"


def test_a_line_does_not_leave_any_number_of_answers_unread(lines: Lines) -> None:
    lines.ask(pack("SET", "told", 0))
    for _ in range(MOST_OWED * 3):
        lines.tell(pack("INCR", "told"))
    [line] = lines._idle
    assert line.owed <= MOST_OWED


def test_after_settling_up_everybody_sees_what_was_told(lines: Lines, worker_redis: redis.Redis) -> None:
    lines.ask(pack("SET", "told", 0))
    lines.tell(pack("INCR", "told"))
    lines.settle_up()
    assert worker_redis.get("told") == b"1"
    assert [line.owed for line in lines._idle] == [0]


@pytest.mark.parametrize("owes", [False, True])
def test_a_line_that_the_server_closed_is_opened_anew(
    lines: Lines, worker_redis: redis.Redis, owes: bool
) -> None:
    mine = lines.ask(pack("CLIENT", "ID"))
    if owes:
        lines.tell(pack("PING"))
    worker_redis.client_kill_filter(_id=str(mine))
    assert lines.ask(pack("ECHO", "again")) == b"again"
    assert lines.ask(pack("CLIENT", "ID")) != mine
    assert len(lines._idle) == 1


def test_what_is_told_on_a_broken_line_is_told_on_another(lines: Lines, worker_redis: redis.Redis) -> None:
    lines.ask(pack("SET", "told", 0))
    [line] = lines._idle
    line.connection._sock.close()
    lines.tell(pack("INCR", "told"))
    assert lines.ask(pack("GET", "told")) == b"1"
    assert line not in lines._idle
