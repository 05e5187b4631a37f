"""How connections are spread and reused."""

from __future__ import annotations

import threading
import time
from typing import Any

import httpcore2
import pytest

from runs.planner.openai_chat import OpenAIPlanner
from runs.planner.transport import BoundedTransport, _Exchange
from tests.runs.planner.provider import Provider, completion, raw, reply
from tests.runs.planner.questions import answered, failed, question


def test_pools_fill_one_after_the_other_and_then_evenly() -> None:
    transport = BoundedTransport()
    borrowed = [transport._borrow_pool() for _ in range(128 * 16 + 2)]
    pools = [loan.__enter__() for loan in borrowed]
    assert len({id(pool) for pool in pools[:16]}) == 1
    assert len({id(pool) for pool in pools[: 128 * 16]}) == 128
    assert pools[-1] is not pools[-2]
    for loan in borrowed:
        loan.__exit__(None, None, None)
    with transport._borrow_pool() as pool:
        assert pool is pools[0]
    transport.close()


def test_an_operation_gets_what_is_left_of_the_exchange_at_most() -> None:
    exchange = _Exchange(deadline=time.monotonic() + 1000)
    assert 0 < exchange.left_s(60_000) <= 1000
    assert 0 < exchange.left_s(None) <= 1000
    assert exchange.left_s(5) == 5
    with pytest.raises(httpcore2.ReadTimeout):
        _Exchange(deadline=time.monotonic()).left_s(5)


def test_a_connection_that_a_server_closed_is_not_used_again(
    provider: Provider, planner: OpenAIPlanner
) -> None:
    def last_answer(conversation: Any) -> None:
        reply(completion())(conversation)
        conversation.drop()

    provider.play(last_answer)
    for _ in range(5):
        provider.settled.clear()
        answered(planner.ask(question()))
        assert provider.settled.wait(30)
    assert len({received.client_port for received in provider.received}) == 5


def test_a_connection_serves_on_after_an_error_status(provider: Provider, planner: OpenAIPlanner) -> None:
    provider.play(reply({}, 500), reply({}, 429), reply(completion()))
    failed(planner.ask(question()))
    failed(planner.ask(question()))
    answered(planner.ask(question()))
    assert len({received.client_port for received in provider.received}) == 1


def test_a_fault_leaves_the_client_usable(provider: Provider, planner: OpenAIPlanner) -> None:
    provider.play(raw(b""), raw(b"x"), reply(b"x" * 5_000_000), reply(completion()))
    for _ in range(3):
        failed(planner.ask(question()))
    answered(planner.ask(question()))


def test_a_long_prompt_is_sent_whole(provider: Provider, planner: OpenAIPlanner) -> None:
    provider.play(reply(completion()))
    text = "ü" * 1_000_000
    answered(planner.ask(question(messages=({"role": "user", "content": text},))))
    assert provider.received[0].body["messages"][0]["content"] == text


def test_a_server_that_reads_nothing_is_left_in_time(provider: Provider, planner: OpenAIPlanner) -> None:
    """More than both socket buffers hold: the client blocks in the middle of its request."""
    provider.stop_reading.set()
    messages = ({"role": "user", "content": "x" * 40_000_000},)
    failure = failed(planner.ask(question(messages=messages, timeout_s=0.5)))
    assert (failure.code, failure.charge) == ("planner_timeout", "estimated")


def test_the_deadline_of_one_thread_is_not_another_s(provider: Provider, planner: OpenAIPlanner) -> None:
    """A short question fails in the middle of a long one, on connections of the same pool."""
    asked = threading.Event()

    def slow(conversation: Any) -> None:
        asked.set()
        gone.wait(30)
        reply(completion())(conversation)

    gone = threading.Event()
    provider.play(slow, lambda conversation: conversation.wait())
    outcomes: list[Any] = []
    patient = threading.Thread(target=lambda: outcomes.append(planner.ask(question(timeout_s=50.0))))
    patient.start()
    assert asked.wait(30)
    assert failed(planner.ask(question(timeout_s=0.2))).code == "planner_timeout"
    gone.set()
    patient.join()
    answered(outcomes[0])
