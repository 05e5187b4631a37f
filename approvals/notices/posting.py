"""Posting to an address that somebody named: where `agentops.outgoing` lets us connect to, once, no redirects."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

import httpcore2

from agentops.outgoing import AddressRefused
from agentops.threads import BoundedThreads, Overrun, Raised, Saturated
from identities.oauth.fetching import Guarded

TIME_S = 15.0  # the standard asks for 15 to 30
PLACES = 8  # of a process: a dead endpoint keeps one, and only for its time

_threads = BoundedThreads(limit=PLACES, name="notices")


class NotPosted(Exception):
    """It did not get there; ``result`` says why: a status, or a word."""

    def __init__(self, result: str) -> None:
        super().__init__(result)
        self.result = result


class NoPlace(Exception):
    """All places are taken; nothing was sent."""


def post(url: str, body: bytes, headers: Mapping[str, str], *, allow_private: bool) -> str:
    """Return the status, one of 2xx; raises NotPosted, or NoPlace before anything was sent."""
    try:
        status = _threads.run(lambda: _post(url, body, headers, allow_private), TIME_S)
    except Saturated:
        raise NoPlace from None
    except Overrun:
        raise NotPosted("timeout") from None
    except Raised as raised:
        raise NotPosted(_word_for(raised.error)) from None
    if not 200 <= status < 300:
        raise NotPosted(str(status))
    return str(status)


def _word_for(error: BaseException) -> str:
    match error:
        case AddressRefused():
            return "private_address"
        case httpcore2.TimeoutException() | TimeoutError():
            return "timeout"
        case httpcore2.NetworkError() | OSError():
            return "unreachable"
        case _:
            return "malformed_answer"


def _post(url: str, body: bytes, headers: Mapping[str, str], allow_private: bool) -> int:
    """Send it and return the status; of the answer nothing else is read, and where it points to is not followed."""
    backend = Guarded(allow_private=allow_private, loopback_only=urlsplit(url).scheme == "http")
    limits = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), TIME_S)}
    sent = {"Content-Type": "application/json", "User-Agent": "AgentOps", **headers}
    with (
        httpcore2.ConnectionPool(network_backend=backend) as pool,
        pool.stream("POST", url, headers=[*sent.items()], content=body, extensions=limits) as response,
    ):
        return int(response.status)
