"""A tool's HTTP configuration: what may be said in it, and its form once taken apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from tools.adapters.http.audience import find_audience_faults
from tools.adapters.http.notations import HEADER_VALUE
from tools.adapters.http.origin import find_origin_faults
from tools.adapters.http.places import HEADER_NAME, Place, find_place_faults, parse_places
from tools.calls import AUDIENCE, CREDENTIAL
from tools.schemas import OUTPUT_LIMIT_BYTES

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
FORM = "application/x-www-form-urlencoded"
BODIES = ("json", "form", "none")
INHERITED = ("headers", "response_limit_bytes", "allow_private")  # by a read-back
OF_AN_INTERFACE = ("arguments", "content_type", "empty_statuses", "origin")
KNOWN = frozenset(
    {"method", "url", "body", "query", "read_back", *OF_AN_INTERFACE, *INHERITED, CREDENTIAL, AUDIENCE}
)
LARGEST_RESPONSE_LIMIT = 8 * OUTPUT_LIMIT_BYTES
KEY_NAME = "idempotency_key"  # in a URL: the call's key instead of an argument
HAPPENED = "happened"  # in a read-back: what its answer has to hold
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
        "tracestate",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "x-agent",
        "x-principal",
    }
)


_PLACEHOLDER = re.compile(r"\{([A-Za-z_][\w-]*)\}")
_DOT_SEGMENT = re.compile(r"(?:^|[/\\])\.{1,2}(?:[/\\;]|$)")
_JSON_TYPE = re.compile(r"application/(?:[A-Za-z0-9.-]{1,64}\+)?json")
SECRET_NAME = re.compile(
    r"\bauth\b|authoriz|cookie|token|secret|api[-_]?key|password|credential", re.IGNORECASE
)


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
    has_body: bool
    query: frozenset[str] | None
    headers: tuple[tuple[bytes, bytes], ...]
    limit_bytes: int
    allow_private: bool
    places: dict[str, Place] | None = None
    content_type: str = "application/json"

    @property
    def is_form(self) -> bool:
        """Whether the body is a form."""
        return self.content_type == FORM

    def takes_in_query(self, name: str) -> bool:
        return not self.has_body if self.query is None else name in self.query


def find_faults(config: Mapping[str, Any]) -> list[str]:  # Any: whatever was typed in
    """Return what has to be put right in a configuration, worded as remedies."""
    faults = [f"remove {name!r}: unknown" for name in sorted(config.keys() - KNOWN)]
    method, body = config.get("method"), config.get("body", _default_body(config))
    if not isinstance(method, str) or method not in METHODS:
        faults.append(f"set method to one of {', '.join(sorted(METHODS))}")
    if body not in BODIES or (method in ("GET", "HEAD") and body != "none"):
        faults.append('set body to "json", "form" or "none" (GET and HEAD have none)')
    query = config.get("query", [])
    if not isinstance(query, list) or not all(isinstance(name, str) for name in query):
        faults.append("set query to a list of argument names")
    limit = config.get("response_limit_bytes", OUTPUT_LIMIT_BYTES)
    if type(limit) is not int or not 0 < limit <= LARGEST_RESPONSE_LIMIT:
        faults.append(f"set response_limit_bytes to a number from 1 to {LARGEST_RESPONSE_LIMIT}")
    if type(config.get("allow_private", False)) is not bool:
        faults.append("set allow_private to true or false")
    faults += _find_url_faults(config.get("url"))
    faults += _find_header_faults(config.get("headers", {}))
    faults += _find_interface_faults(config) if not faults else []
    read_back = config.get("read_back")
    if read_back is not None:
        faults += _find_read_back_faults(read_back)
    return faults + (find_audience_faults(config) if AUDIENCE in config and not faults else [])


def _find_interface_faults(config: Mapping[str, Any]) -> list[str]:
    """Return what has to be put right in what only an interface of somebody else's needs."""
    faults = find_origin_faults(config["origin"]) if "origin" in config else []
    if "arguments" in config:
        placeholders = set(_PLACEHOLDER.findall(urlsplit(config["url"]).path))
        faults += find_place_faults(config, placeholders)
        faults += _find_header_faults(_sample_headers(config)) if not faults else []
    elif config.get("body") == "form":
        faults.append("name the arguments of the form in arguments")
    kind = config.get("content_type", "application/json")
    if not isinstance(kind, str) or not _JSON_TYPE.fullmatch(kind):
        faults.append("set content_type to a type of JSON, such as application/merge-patch+json")
    empty = config.get("empty_statuses", [])
    if not isinstance(empty, list) or not all(type(code) is int and 200 <= code < 300 for code in empty):
        faults.append("set empty_statuses to a list of codes from 200 to 299")
    return faults


def _sample_headers(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the headers that arguments go into, each with a value that is fine; one that is fixed has none."""
    fixed = {name.lower() for name in config.get("headers", {})}
    places = (parse_places(config["arguments"]) or {}).values()
    named = [place.name for place in places if place.where == "header"]
    return {name: None if name.lower() in fixed else "any" for name in named}


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
        has_body=config.get("body", _default_body(config)) != "none",
        query=None if query is None else frozenset(query),
        headers=tuple((n.encode(), v.encode()) for n, v in config.get("headers", {}).items()),
        limit_bytes=config.get("response_limit_bytes", OUTPUT_LIMIT_BYTES),
        allow_private=config.get("allow_private", False),
        places=parse_places(config.get("arguments")),
        content_type=FORM if config.get("body") == "form" else config.get("content_type", "application/json"),
    )


def parse_read_back(config: Mapping[str, Any]) -> Endpoint | None:
    """Take the read-back apart; None if there is none. It inherits all that is not its own address."""
    read_back = config.get("read_back")
    if read_back is None:
        return None
    inherited = {name: config[name] for name in INHERITED if name in config}
    address = {"method": "GET", "url": read_back["url"], "body": "none"}
    return parse_endpoint({**inherited, **address})


def _default_body(config: Mapping[str, Any]) -> str:
    return "json" if config.get("method") in ("POST", "PUT", "PATCH") else "none"


def find_address_faults(text: object) -> list[str]:
    """Return what has to be put right in an address that takes no arguments."""
    faults = _find_url_faults(text)
    if isinstance(text, str) and re.search(r"[{}]", text):
        faults.append("remove {argument} from the url: it takes none")
    return faults


def find_base_faults(text: str) -> list[str]:
    """Return what has to be put right in an address that paths are added to."""
    faults = find_address_faults(text)
    return faults or (["remove the query from the url"] if urlsplit(text).query else [])


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
    if _DOT_SEGMENT.search(unquote(_PLACEHOLDER.sub("", url.path))):
        faults.append("remove the . and .. segments from the url")
    return faults


def _find_header_faults(headers: object) -> list[str]:
    if not isinstance(headers, dict):
        return ["set headers to an object of names and texts"]
    faults = []
    for name, value in headers.items():
        if not isinstance(name, str) or not HEADER_NAME.fullmatch(name):
            faults.append(f"remove the header {str(name)[:64]!r}: it is no name of a header")
        elif name.lower() in SET_FOR_EVERY_CALL:
            faults.append(f"remove the header {name!r}: it is set for every call")
        elif SECRET_NAME.search(name):
            faults.append(f"remove the header {name!r}: credentials are leased per call, never catalogued")
        elif not isinstance(value, str) or not HEADER_VALUE.fullmatch(value):
            faults.append(f"set the header {name!r} to at most 512 printable ASCII characters")
    return faults


def _find_read_back_faults(read_back: object) -> list[str]:
    if not isinstance(read_back, dict) or read_back.get("method", "GET") != "GET":
        return ['set read_back to {"method": "GET", "url": …}']
    faults = [f"remove {name!r}: unknown" for name in sorted(read_back.keys() - {"method", "url", HAPPENED})]
    if HAPPENED in read_back:
        faults += _find_happened_faults(read_back[HAPPENED])
    elif f"{{{KEY_NAME}}}" not in str(read_back.get("url")):
        faults.append(f"name {{{KEY_NAME}}} in the url, or say in {HAPPENED} what its answer has to hold")
    return [f"read_back: {fault}" for fault in faults + _find_url_faults(read_back.get("url"))]


def _find_happened_faults(happened: object) -> list[str]:
    """Return what has to be put right in what is expected of an answer, worded as remedies."""
    if not isinstance(happened, dict) or not happened:
        return ['set happened to {"/pointer": value, …}']
    return [
        f"happened: write {pointer[:64]!r} as a JSON pointer, such as /status"
        for pointer in happened
        if not pointer.startswith("/")
    ]
