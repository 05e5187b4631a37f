"""Whether a tool's calls go to where their tokens are read: another server could use them there, once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from tools.calls import AUDIENCE

_DEFAULT_PORTS = {"https": 443, "http": 80}


def find_audience_faults(
    config: Mapping[str, Any],
) -> list[str]:  # Any: a configuration whose addresses are sound
    """Return what has to be put right for calls with a token, worded as remedies."""
    audience = config[AUDIENCE]
    if not isinstance(audience, str):
        return ["set audience to the address of a resource"]
    addresses = [config["url"], *([config["read_back"]["url"]] if config.get("read_back") else ())]
    faults = []
    if any(_origin(address) != _origin(audience) for address in addresses):
        faults.append("set url (and that of the read_back) to the audience's own scheme, host and port")
    if not config.get("allow_private", False) and urlsplit(audience).scheme != "https":
        faults.append("name an https audience: over http everybody on the way could use the token first")
    return faults


def _origin(address: str) -> tuple[str, str | None, int | None]:
    """Return the origin of an address (RFC 6454)."""
    try:
        parts = urlsplit(address)
        return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return "", None, None
