"""From a text, JSON or YAML, to a document; and where it says that the interface is."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urljoin, urlsplit

from agentops.errors import ValidationFailed
from agentops.strict_json import MalformedJSON, decode_json
from agentops.strict_yaml import YamlLimits, read_yaml

SIZE_LIMIT_BYTES = 4 * 1024 * 1024
DEPTH_LIMIT = 64
LIMITS = YamlLimits(SIZE_LIMIT_BYTES, DEPTH_LIMIT, events=400_000, plain_keys=True)
VERSIONS = ("3.0.", "3.1.")
MOST_VARIABLES = 20
LONGEST_ADDRESS = 500

Node = dict[str, Any]  # Any: JSON


def read_document(text: str) -> Node:
    """Return the document of a text. Raises ValidationFailed for what is no OpenAPI 3.0 or 3.1, or too large."""
    value = _read_value(text.removeprefix("\ufeff"))
    version = value.get("openapi") if isinstance(value, dict) else None
    if not isinstance(version, str) or not version.startswith(VERSIONS):
        raise ValidationFailed("no_openapi", "it is no OpenAPI document of version 3.0 or 3.1")
    if not isinstance(value.get("paths", {}), dict):
        raise ValidationFailed("no_openapi", "its paths are no object")
    return dict(value)


def _read_value(text: str) -> Any:
    if len(text.encode(errors="surrogatepass")) > SIZE_LIMIT_BYTES:
        raise ValidationFailed("document_too_large", f"a document has at most {SIZE_LIMIT_BYTES >> 20} MiB")
    try:
        if text.lstrip().startswith("{"):
            return decode_json(text, max_depth=DEPTH_LIMIT)
        # Through JSON once more: what JSON cannot hold is refused alike, whichever of the two it was written in.
        return decode_json(json.dumps(read_yaml(text, LIMITS)), max_depth=DEPTH_LIMIT)
    except MalformedJSON as error:
        raise ValidationFailed("invalid_json", f"it is no usable JSON: {error}") from error


def server_of(place: Node, found_at: str = "") -> list[str]:
    """Return the addresses that ``servers`` of a document, a path or an operation name, most preferred first.

    Relative ones are taken from where the document was found; without that they say nothing, and are left out.
    """
    servers = place.get("servers")
    told = (
        [_fill(server) for server in servers if isinstance(server, dict)] if isinstance(servers, list) else []
    )
    whole = [_join(found_at, address) for address in told if address is not None]
    return [address.rstrip("/") for address in whole if urlsplit(address).scheme in ("http", "https")]


def _join(found_at: str, address: str) -> str:
    try:
        joined = urljoin(found_at, address)
        urlsplit(joined)
    except ValueError:
        return ""
    return joined if len(joined) <= LONGEST_ADDRESS else ""


def _fill(server: Node) -> str | None:
    """Return an address with the defaults of its variables."""
    address, variables = server.get("url"), server.get("variables")
    if not isinstance(address, str):
        return None
    for name, variable in list(variables.items())[:MOST_VARIABLES] if isinstance(variables, dict) else ():
        default = variable.get("default") if isinstance(variable, dict) else None
        address = address.replace("{" + name + "}", str(default)) if default is not None else address
    return None if "{" in address else address
