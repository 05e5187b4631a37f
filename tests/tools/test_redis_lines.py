"""Lines to Redis: what is told is heard in its order, and a line that breaks spoils nothing."""

from __future__ import annotations

import pytest
import redis

from tools.redis_lines import MOST_OWED, Lines


@pytest.fixture
def lines(worker_redis: redis.Redis) -> Lines:
    return Lines(worker_redis)


def test_what_is_told_is_heard_before_what_is_asked(lines: Lines) -> None:
    lines.ask("SET", "told", 0)
    for _ in range(3):
        lines.tell("INCR", "told")
    assert lines.ask("GET", "told") == b"3"


def test_an_answer_is_never_taken_for_another_s(lines: Lines) -> None:
    """Even where what was told failed."""
    lines.ask("SET", "word", "text")
    lines.tell("INCR", "word")
    assert lines.ask("ECHO", "mine") == b"mine"
    with pytest.raises(redis.ResponseError):
        lines.ask("INCR", "word")
    assert lines.ask("ECHO", "still mine") == b"still mine"


def test_a_line_does_not_leave_any_number_of_answers_unread(lines: Lines) -> None:
    lines.ask("SET", "told", 0)
    for _ in range(MOST_OWED * 3):
        lines.tell("INCR", "told")
    [line] = lines._idle
    assert line.owed <= MOST_OWED


def test_after_settling_up_everybody_sees_what_was_told(lines: Lines, worker_redis: redis.Redis) -> None:
    lines.ask("SET", "told", 0)
    lines.tell("INCR", "told")
    lines.settle_up()
    assert worker_redis.get("told") == b"1"
    assert [line.owed for line in lines._idle] == [0]


@pytest.mark.parametrize("owes", [False, True])
def test_a_line_that_the_server_closed_is_opened_anew(
    lines: Lines, worker_redis: redis.Redis, owes: bool
) -> None:
    mine = lines.ask("CLIENT", "ID")
    if owes:
        lines.tell("PING")
    worker_redis.client_kill_filter(_id=str(mine))
    assert lines.ask("ECHO", "again") == b"again"
    assert lines.ask("CLIENT", "ID") != mine
    assert len(lines._idle) == 1


def test_what_is_told_on_a_broken_line_is_told_on_another(lines: Lines, worker_redis: redis.Redis) -> None:
    lines.ask("SET", "told", 0)
    [line] = lines._idle
    line.connection._sock.close()
    lines.tell("INCR", "told")
    assert lines.ask("GET", "told") == b"1"
    assert line not in lines._idle
