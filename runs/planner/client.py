"""The shared `openai` client of this process, and one call with it. Imported lazily: openai takes 40 MB."""

from __future__ import annotations

import os
import threading

import httpx2
import openai

from runs.planner.answers import PlannerFailure
from runs.planner.faults import exchange_failure, status_failure
from runs.planner.transport import BoundedTransport, ExchangeFailed

ClientKey = tuple[str, str, str | None]  # base URL, API key, proxy URL

_clients: dict[ClientKey, openai.OpenAI] = {}
_lock = threading.Lock()


def post(
    key: ClientKey,
    path: str,
    body: bytes,
    *,
    trace: dict[str, str],
    connect_timeout_s: float,
    total_timeout_s: float,
) -> bytes | PlannerFailure:
    """Return the body of the provider's 200 to what is sent to a path, or the failure.

    The SDK's `post` is used rather than `chat.completions.create`: the latter checks every message and tool
    against its types again, 4 ms of CPU for a history of 20 messages, and would build a model that is then
    taken apart.
    """
    try:
        response = shared_client(key).post(
            path,
            cast_to=httpx2.Response,
            content=body,
            options={
                "headers": trace,
                "timeout": httpx2.Timeout(total_timeout_s, connect=connect_timeout_s, pool=connect_timeout_s),
            },
        )
    except openai.APIStatusError as error:
        return status_failure(error.status_code, error.response.headers, error.code or error.type)
    except openai.APIConnectionError as error:
        if isinstance(error.__cause__, ExchangeFailed):
            return exchange_failure(error.__cause__.fault, sent=error.__cause__.sent)
        # What httpx itself could not make sense of, after the exchange.
        return exchange_failure("lost", sent=True)
    return response.content


def shared_client(key: ClientKey) -> openai.OpenAI:
    """Return this process's client for an endpoint and key; thread-safe. Retries are the caller's."""
    with _lock:
        client = _clients.get(key)
        if client is None:
            client = _clients[key] = _build_client(*key)
        return client


def close_clients() -> None:
    """Close all connections of this process; the next call opens new ones."""
    with _lock:
        clients = list(_clients.values())
        _clients.clear()
    for client in clients:
        client.close()


def _build_client(base_url: str, api_key: str, proxy_url: str | None) -> openai.OpenAI:
    http_client = httpx2.Client(
        transport=BoundedTransport(proxy_url),
        headers={"Accept-Encoding": "identity"},
        # A redirect would hand the prompt to a host that nobody configured.
        follow_redirects=False,
    )
    return openai.OpenAI(base_url=base_url, api_key=api_key, max_retries=0, http_client=http_client)


def _forget_clients() -> None:
    """Start afresh in a forked child: sockets and locks of the parent are not its own."""
    global _lock
    _lock = threading.Lock()
    _clients.clear()


os.register_at_fork(after_in_child=_forget_clients)
