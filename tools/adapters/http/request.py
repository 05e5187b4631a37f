"""From a tool's configuration and a call's arguments to one HTTP request.

Where an argument goes: into the path if the URL names it in braces, into the query if `query` lists it (or if
there is neither a body nor such a list), and otherwise into the JSON body. One that fits nowhere is refused:
what a person approved has to be what is sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlencode, urlsplit

import agentops
from tools.calls import Call
from tools.schemas import OUTPUT_LIMIT_BYTES

METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
KNOWN = frozenset({"method", "url", "body", "query", "headers", "response_limit_bytes", "read_back"})
LARGEST_RESPONSE_LIMIT = 8 * OUTPUT_LIMIT_BYTES
KEY_NAME = "idempotency_key"  # in a URL: the call's key instead of an argument
SET_FOR_EVERY_CALL = frozenset(
    {
        "accept",
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "host",
        "idempotency-key",
        "te",
        "traceparent",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "x-agent",
        "x-principal",
    }
)

_PLACEHOLDER = re.compile(r"\{([A-Za-z_][\w-]*)\}")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,510}[\x21-\x7e])?")
_SECRET_NAME = re.compile(
    r"\bauth\b|authoriz|cookie|token|secret|api[-_]?key|password|credential", re.IGNORECASE
)
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_DOT_SEGMENT = re.compile(r"(?:^|[/\\])\.{1,2}(?:[/\\;]|$)")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A configuration that has been checked and taken apart. `path` alternates literal text and names."""

    method: str
    scheme: str
    host: str
    port: int | None
    netloc: str
    path: tuple[str, ...]
    static_query: str
    json_body: bool
    query: frozenset[str] | None
    headers: tuple[tuple[bytes, bytes], ...]
    limit_bytes: int

    def takes_in_query(self, name: str) -> bool:
        return not self.json_body if self.query is None else name in self.query


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


def find_faults(config: Mapping[str, Any]) -> list[str]:  # Any: whatever was typed in
    """Return what has to be put right in a configuration, worded as remedies."""
    faults = [f"remove {name!r}: unknown" for name in sorted(config.keys() - KNOWN)]
    method, body = config.get("method"), config.get("body", _default_body(config))
    if method not in METHODS:
        faults.append(f"set method to one of {', '.join(sorted(METHODS))}")
    if body not in ("json", "none") or (method == "GET" and body == "json"):
        faults.append('set body to "json" or "none" (GET has none)')
    query = config.get("query", [])
    if not isinstance(query, list) or not all(isinstance(name, str) for name in query):
        faults.append("set query to a list of argument names")
    limit = config.get("response_limit_bytes", OUTPUT_LIMIT_BYTES)
    if type(limit) is not int or not 0 < limit <= LARGEST_RESPONSE_LIMIT:
        faults.append(f"set response_limit_bytes to a number from 1 to {LARGEST_RESPONSE_LIMIT}")
    faults += _find_url_faults(config.get("url"))
    faults += _find_header_faults(config.get("headers", {}))
    read_back = config.get("read_back")
    if read_back is not None:
        faults += _find_read_back_faults(read_back)
    return faults


def parse_endpoint(config: Mapping[str, Any]) -> Endpoint:
    """Take a configuration apart. Raises ValueError with what is wrong with it."""
    faults = find_faults(config)
    if faults:
        raise ValueError("; ".join(faults))
    url = urlsplit(config["url"])
    query = config.get("query")
    return Endpoint(
        method=config["method"],
        scheme=url.scheme,
        host=url.hostname or "",
        port=url.port,
        netloc=url.netloc,
        path=tuple(_PLACEHOLDER.split(url.path or "/")),
        static_query=url.query,
        json_body=config.get("body", _default_body(config)) == "json",
        query=None if query is None else frozenset(query),
        headers=tuple((n.encode(), v.encode()) for n, v in config.get("headers", {}).items()),
        limit_bytes=config.get("response_limit_bytes", OUTPUT_LIMIT_BYTES),
    )


def parse_read_back(config: Mapping[str, Any]) -> Endpoint | None:
    """Take the read-back apart; None if there is none. It inherits headers and limit."""
    read_back = config.get("read_back")
    if read_back is None:
        return None
    inherited = {name: config[name] for name in ("headers", "response_limit_bytes") if name in config}
    return parse_endpoint({**inherited, **read_back, "method": "GET", "body": "none"})


def build_request(endpoint: Endpoint, call: Call, *, reading_back: bool = False) -> Request:
    """Return the request of one attempt. Raises ValueError for an argument that cannot be sent."""
    left = dict(call.arguments)
    path = _fill_path(endpoint.path, left, call.key)
    if reading_back:
        left = {}  # the key alone names the effect
    pairs = [
        pair for name in left if endpoint.takes_in_query(name) for pair in _query_pairs(name, left[name])
    ]
    query = "&".join(part for part in (endpoint.static_query, urlencode(pairs, quote_via=quote)) if part)
    rest = {name: value for name, value in left.items() if not endpoint.takes_in_query(name)}
    if rest and not endpoint.json_body:
        raise ValueError(f"there is no place in the request for {', '.join(sorted(rest))[:200]}")
    text = json.dumps(rest, ensure_ascii=False, separators=(",", ":"))
    body = text.encode() if endpoint.json_body else None
    return Request(
        method=endpoint.method,
        scheme=endpoint.scheme,
        host=endpoint.host,
        port=endpoint.port,
        target=f"{path}?{query}" if query else path,
        headers=_headers(endpoint, call, body),
        body=body,
        limit_bytes=endpoint.limit_bytes,
    )


def _default_body(config: Mapping[str, Any]) -> str:
    return "json" if config.get("method") in ("POST", "PUT", "PATCH") else "none"


def _find_url_faults(text: object) -> list[str]:
    try:
        url = urlsplit(text if isinstance(text, str) else "")
        port_is_valid = url.port is None or url.port > 0
    except ValueError:
        return ["correct the url: it cannot be parsed"]
    faults = []
    if url.scheme not in ("http", "https") or not url.hostname or not port_is_valid:
        faults.append("set url to a full http:// or https:// address")
    if "@" in url.netloc or url.fragment:
        faults.append("remove user, password and fragment from the url")
    if not isinstance(text, str) or not re.fullmatch(r"[\x21-\x7e]*", text):
        faults.append("percent-encode the url: only printable ASCII, without spaces")
    outside = SplitResult(url.scheme, url.netloc, "", url.query, url.fragment).geturl()
    if re.search(r"[{}]", outside + _PLACEHOLDER.sub("", url.path)):
        faults.append("put {argument} only into the url's path, with a plain name")
    if _DOT_SEGMENT.search(unquote(url.path)):
        faults.append("remove the . and .. segments from the url")
    return faults


def _find_header_faults(headers: object) -> list[str]:
    if not isinstance(headers, dict):
        return ["set headers to an object of names and texts"]
    faults = []
    for name, value in headers.items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            faults.append(f"remove the header {str(name)[:64]!r}: it is no name of a header")
        elif name.lower() in SET_FOR_EVERY_CALL:
            faults.append(f"remove the header {name!r}: it is set for every call")
        elif _SECRET_NAME.search(name):
            faults.append(f"remove the header {name!r}: credentials are leased per call, never catalogued")
        elif not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value):
            faults.append(f"set the header {name!r} to at most 512 printable ASCII characters")
    return faults


def _find_read_back_faults(read_back: object) -> list[str]:
    if not isinstance(read_back, dict) or read_back.get("method", "GET") != "GET":
        return ['set read_back to {"method": "GET", "url": …}']
    faults = [f"remove {name!r}: unknown" for name in sorted(read_back.keys() - {"method", "url"})]
    if f"{{{KEY_NAME}}}" not in str(read_back.get("url")):
        faults.append(f"name {{{KEY_NAME}}} in the url")
    return [f"read_back: {fault}" for fault in faults + _find_url_faults(read_back.get("url"))]


def _fill_path(parts: tuple[str, ...], left: dict[str, Any], key: str) -> str:
    """Return the path with its placeholders filled, taking the arguments used out of `left`."""
    values = {name: key if name == KEY_NAME else _path_text(name, left.get(name)) for name in parts[1::2]}
    for name in values:
        left.pop(name, None)
    path = "".join(quote(values[part], safe="") if i % 2 else part for i, part in enumerate(parts))
    if _DOT_SEGMENT.search(unquote(path)):
        raise ValueError("the arguments in the path form a . or .. segment")
    return path


def _path_text(name: str, value: object) -> str:
    """Return an argument as text for one path segment.

    Percent-encoding alone would not do: servers and proxies decode %2F and normalise "..", some of them
    twice.
    """
    text = _scalar_text(name, value)
    if not text or not text.isprintable() or _DOT_SEGMENT.search(unquote(unquote(text))):
        raise ValueError(f"{name} cannot be part of an address")
    return text


def _query_pairs(name: str, value: object) -> list[tuple[str, str]]:
    if value is None:
        return []
    items = value if isinstance(value, list) else [value]
    return [(name, _scalar_text(name, item)) for item in items]


def _scalar_text(name: str, value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise ValueError(f"{name} must be text, a number or a boolean to be part of an address")


def _headers(endpoint: Endpoint, call: Call, body: bytes | None) -> list[tuple[bytes, bytes]]:
    principal = f"{quote(call.principal_issuer, safe=':/@')}|{quote(call.principal_subject, safe=':/@')}"
    headers = [
        (b"Host", endpoint.netloc.encode()),
        (b"Accept", b"application/json, application/problem+json"),
        (b"Accept-Encoding", b"identity"),  # nothing to inflate: the limit on the answer is a limit on memory
        (b"User-Agent", f"agentops/{agentops.__version__}".encode()),
        (b"Idempotency-Key", quote(call.key, safe=":").encode()),
        (b"X-Principal", principal.encode()),
        (b"X-Agent", quote(call.identity_name).encode()),
        *endpoint.headers,
    ]
    if _TRACEPARENT.fullmatch(call.traceparent):
        headers.append((b"Traceparent", call.traceparent.encode()))
    if body is not None:
        headers += [(b"Content-Type", b"application/json"), (b"Content-Length", str(len(body)).encode())]
    return headers
