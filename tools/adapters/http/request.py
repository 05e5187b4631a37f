"""From a call's arguments to one HTTP request.

Where an argument goes says ``arguments``, see the module `places`. Without it: into the path if the URL names it in
braces, into the query if `query` lists it (or if there is neither a body nor such a list), and otherwise into the
JSON body. One that fits nowhere is refused: what a person approved has to be what is sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlencode

import agentops
from agentops.tracing import is_tracestate
from tools.adapters.http.config import KEY_NAME, Endpoint
from tools.adapters.http.notations import scalar_text, write_form, write_header, write_path, write_query
from tools.adapters.http.places import Place
from tools.calls import Call

_MORE_THAN_A_SEGMENT = re.compile(r"[/\\]|^\.{1,2}(?:;|$)")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
PLAIN_HEADERS = (
    (b"Accept-Encoding", b"identity"),  # nothing to inflate: the limit on the answer is a limit on memory
    (b"User-Agent", f"agentops/{agentops.__version__}".encode()),
)


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    scheme: str
    host: str
    port: int | None
    target: str
    headers: list[tuple[bytes, bytes]]
    body: bytes | None
    limit_bytes: int
    allow_private: bool = False  # whether the target may be in a network that the operator has named


def build_request(endpoint: Endpoint, call: Call, *, reading_back: bool = False) -> Request:
    """Return the request of one attempt. Raises ValueError for an argument that cannot be sent."""
    if endpoint.places is not None:
        return _build_placed(endpoint, endpoint.places, call)
    left = dict(call.arguments)
    path = _fill_path(endpoint.path, left, call.key)
    if reading_back:
        left = {}  # the key alone names the effect
    pairs = [
        pair for name in left if endpoint.takes_in_query(name) for pair in _query_pairs(name, left[name])
    ]
    query = [endpoint.static_query, urlencode(pairs, quote_via=quote)]
    rest = {name: value for name, value in left.items() if not endpoint.takes_in_query(name)}
    if rest and not endpoint.has_body:
        raise ValueError(f"there is no place in the request for {', '.join(sorted(rest))[:200]}")
    return _make_request(endpoint, call, path, query, _json(rest) if endpoint.has_body else None)


def _build_placed(endpoint: Endpoint, places: dict[str, Place], call: Call) -> Request:
    """Return the request of a call whose every argument has a place of its own."""
    if unplaced := sorted(call.arguments.keys() - places.keys()):
        raise ValueError(f"there is no place in the request for {', '.join(unplaced)[:200]}")
    given = {name: (places[name], value) for name, value in call.arguments.items()}
    path = "".join(
        write_path(part, call.arguments.get(part), _path_text) if i % 2 else part
        for i, part in enumerate(endpoint.path)
    )
    taken = {place.name for place in places.values() if place.where == "query"}
    query = [endpoint.static_query]
    headers = []
    for name, (place, value) in given.items():
        if place.where == "query":
            query += write_query(name, place, value, taken)
        elif place.where == "header" and value is not None:
            headers.append((place.name.encode(), write_header(name, value).encode()))
    in_body = {place.name: value for place, value in given.values() if place.where == "body"}
    body = _placed_body(endpoint, places, in_body) if endpoint.has_body else None
    return _make_request(endpoint, call, path, query, body, headers)


def _placed_body(endpoint: Endpoint, places: dict[str, Place], values: dict[str, Any]) -> bytes | None:
    if endpoint.is_form:
        return write_form(values)
    if any(place.where == "body" and not place.name for place in places.values()):
        return _json(values[""]) if values else None  # the body is optional: nothing is not null
    return _json(values)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _make_request(
    endpoint: Endpoint,
    call: Call,
    path: str,
    query: list[str],
    body: bytes | None,
    headers: Sequence[tuple[bytes, bytes]] = (),
) -> Request:
    asked = "&".join(part for part in query if part)
    return Request(
        method=endpoint.method,
        scheme=endpoint.scheme,
        host=endpoint.host,
        port=endpoint.port,
        target=f"{path}?{asked}" if asked else path,
        headers=[*_headers(endpoint, call, body), *headers],
        body=body,
        limit_bytes=endpoint.limit_bytes,
        allow_private=endpoint.allow_private,
    )


def _fill_path(parts: tuple[str, ...], left: dict[str, Any], key: str) -> str:
    """Return the path with its placeholders filled, taking the arguments used out of `left`."""
    values = {name: key if name == KEY_NAME else _path_text(name, left.get(name)) for name in parts[1::2]}
    for name in values:
        left.pop(name, None)
    return "".join(quote(values[part], safe="") if i % 2 else part for i, part in enumerate(parts))


def _path_text(name: str, value: object) -> str:
    """Return an argument as text for one path segment, and never more than one.

    Percent-encoding alone would not do: servers and proxies decode %2F, merge slashes and resolve "..",
    some of them twice, and DELETE /orders/%2F becomes DELETE /orders.
    """
    text = scalar_text(name, value)
    if not text or not text.isprintable() or _MORE_THAN_A_SEGMENT.search(unquote(unquote(text))):
        raise ValueError(f"{name} cannot be part of an address: put such arguments into query or body")
    return text


def _query_pairs(name: str, value: object) -> list[tuple[str, str]]:
    if value is None:
        return []
    items = value if isinstance(value, list) else [value]
    return [(name, scalar_text(name, item)) for item in items]


def _headers(endpoint: Endpoint, call: Call, body: bytes | None) -> list[tuple[bytes, bytes]]:
    headers = [
        (b"Host", endpoint.netloc.encode()),
        (b"Accept", b"application/json, application/problem+json"),
        *PLAIN_HEADERS,
        *endpoint.headers,
        *call_headers(call),
    ]
    if body is not None:
        headers += [
            (b"Content-Type", endpoint.content_type.encode()),
            (b"Content-Length", str(len(body)).encode()),
        ]
    return headers


def call_headers(call: Call) -> list[tuple[bytes, bytes]]:
    """Return what every request of a call says of it, and by what it is let in."""
    principal = f"{quote(call.principal_issuer, safe=':/@')}|{quote(call.principal_subject, safe=':/@')}"
    return [
        (b"Idempotency-Key", quote(call.key, safe=":").encode()),
        (b"X-Principal", principal.encode()),
        (b"X-Agent", quote(call.identity_name).encode()),
        *_trace_headers(call),
        *(given.header_line() for given in (call.token, call.credential) if given is not None),
    ]


def _trace_headers(call: Call) -> list[tuple[bytes, bytes]]:
    """Return the W3C Trace Context of the call: what would be none is left out, and a state without a parent."""
    if not _TRACEPARENT.fullmatch(call.traceparent):
        return []
    headers = [(b"Traceparent", call.traceparent.encode())]
    if call.tracestate and is_tracestate(call.tracestate):
        headers.append((b"Tracestate", call.tracestate.encode()))
    return headers
