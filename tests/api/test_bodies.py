from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx2
import pytest
from django.db import connection

from agentops.api import bodies
from tests.api.conftest import Callers
from tests.api.live import serve_api

LIMIT = 1_048_576
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def address(transactional_db: None) -> Iterator[str]:
    with serve_api() as served:
        yield served
    connection.close()


def post(address: str, callers: Callers, content: object) -> httpx2.Response:
    headers = {
        "Authorization": f"Bearer {callers.fiona.bearer}",
        "Content-Type": "application/json",
        "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01",
    }
    return httpx2.post(f"{address}/api/v1/step-up", content=content, headers=headers, timeout=30)  # type: ignore[arg-type]  # streamed


def test_a_body_over_the_limit_is_told_so_however_it_is_sent(address: str, callers: Callers) -> None:
    declared = post(address, callers, b"x" * (LIMIT + 1))
    chunked = post(address, callers, iter([b"x" * 65_536] * 40))
    for answer in (declared, chunked):
        assert (answer.status_code, answer.headers["Content-Type"]) == (413, "application/problem+json")
        assert answer.json()["code"] == "body_too_large"
        assert answer.headers["traceparent"][3:35] == TRACE


def test_a_body_at_the_limit_reaches_the_api(address: str, callers: Callers) -> None:
    answer = post(address, callers, b" " * (LIMIT - 2) + b"{}")
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


def test_a_chunked_body_is_read_like_any_other(address: str, callers: Callers) -> None:
    sent = json.dumps({"otp": "000000"}).encode()
    answer = post(address, callers, iter([sent[:5], sent[5:]]))
    assert (answer.status_code, answer.json()["code"]) == (403, "wrong_second_factor")


def test_a_gross_excess_is_refused_before_it_is_sent(address: str) -> None:
    target = urlsplit(address)
    with socket.create_connection((target.hostname or "", target.port or 0), timeout=20) as client:
        head = (
            f"POST /api/v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: {bodies.DRAINED + 1}\r\n\r\n"
        )
        client.sendall(head.encode())
        answer = b""
        while block := client.recv(65_536):
            answer += block
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"body_too_large" in answer


def test_a_client_that_goes_away_leaves_the_server_well(address: str, callers: Callers) -> None:
    target = urlsplit(address)
    with socket.create_connection((target.hostname or "", target.port or 0), timeout=20) as client:
        client.sendall(b"POST /api/v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
    assert post(address, callers, b"{}").status_code == 422
