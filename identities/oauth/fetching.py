"""Documents of others that are fetched: https, short, within seconds, without redirects, from where
`agentops.outgoing` lets us connect to.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpcore2

from agentops.outgoing import AddressRefused, resolve
from agentops.strict_json import MalformedJSON, parse_json

TIME_S = 5.0
SIZE_LIMIT = 256 * 1024
FORM = "application/x-www-form-urlencoded"
ACCEPT = {"Accept": "application/json", "Accept-Encoding": "identity"}


class NotFetched(Exception):
    """There is no document; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def fetch_json(url: str, *, allow_private: bool) -> dict[str, Any]:  # Any: JSON
    """Return the JSON object at an address; raises NotFetched."""
    return _ask(url, ACCEPT, None, allow_private=allow_private)


def post_form(
    url: str, form: Mapping[str, str], headers: Mapping[str, str], *, allow_private: bool
) -> dict[str, Any]:  # Any: JSON
    """Return the JSON object that answers a form; raises NotFetched."""
    told = {**ACCEPT, "Content-Type": FORM, **headers}
    return _ask(url, told, urlencode(form).encode(), allow_private=allow_private)


def _ask(
    url: str, headers: Mapping[str, str], content: bytes | None, *, allow_private: bool
) -> dict[str, Any]:  # Any: JSON
    parts = urlsplit(url)
    if parts.scheme != "https" and not (allow_private and parts.scheme == "http"):
        raise NotFetched("not_https")
    deadline = time.monotonic() + TIME_S
    backend = Guarded(allow_private=allow_private, loopback_only=parts.scheme == "http")
    try:
        with httpcore2.ConnectionPool(network_backend=backend) as pool:
            raw = _read(pool, url, headers, content, deadline)
        document = parse_json(raw)
    except AddressRefused:
        raise NotFetched("private_address") from None
    except (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError, OSError):
        raise NotFetched("unreachable") from None
    except (MalformedJSON, ValueError, httpcore2.UnsupportedProtocol):
        raise NotFetched("malformed") from None
    if not isinstance(document, dict):
        raise NotFetched("malformed")
    return document


def _read(
    pool: httpcore2.ConnectionPool,
    url: str,
    headers: Mapping[str, str],
    content: bytes | None,
    deadline: float,
) -> bytes:
    body = bytearray()
    limits = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), TIME_S)}
    asked = "GET" if content is None else "POST"
    with pool.stream(asked, url, headers=[*headers.items()], content=content, extensions=limits) as response:
        if response.status != 200:
            raise NotFetched("status")
        for chunk in response.iter_stream():
            body += chunk
            if len(body) > SIZE_LIMIT or time.monotonic() > deadline:
                raise NotFetched("too_large" if len(body) > SIZE_LIMIT else "unreachable")
    return bytes(body)


class Guarded(httpcore2.SyncBackend):
    """Connects where `agentops.outgoing` lets us, and without TLS to this machine only."""

    def __init__(self, *, allow_private: bool, loopback_only: bool) -> None:
        super().__init__()
        self._allow_private = allow_private
        self._loopback_only = loopback_only

    def refuses(self, addresses: Sequence[str]) -> bool:
        """Return whether what a host resolves to is none to connect to, beyond what is refused to all."""
        return self._loopback_only and not all(ip_address(text).is_loopback for text in addresses)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,  # Any: as socket.setsockopt takes them
    ) -> httpcore2.NetworkStream:
        """Connect to a host, all of whose addresses are allowed."""
        addresses = resolve(host, port, allow_private=self._allow_private, within_s=timeout or TIME_S)
        if self.refuses(addresses):
            raise AddressRefused(host)
        return super().connect_tcp(addresses[0], port, timeout, local_address, socket_options)
