"""A remote agent's skill as a tool's configuration: what may be said in it, and its form once taken apart.

``{"server": id, "skill": "refunds", "digest": …, "agent": "Refunds", "url": "https://far.example/a2a/refunds"}``, and
as for other tools ``audience``, ``credential``, ``allow_private``, ``response_limit_bytes``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from tools.adapters.http.audience import find_audience_faults
from tools.adapters.http.config import LARGEST_RESPONSE_LIMIT, find_address_faults
from tools.adapters.http.origin import is_id
from tools.calls import AUDIENCE, CREDENTIAL
from tools.schemas import OUTPUT_LIMIT_BYTES

ADAPTER = "a2a"
Course = Literal["wait", "fail"]
COURSES = ("wait", "fail")
# What a person may say beside what the card says.
OWN = frozenset({"on_auth_required", "on_input_required", "error_is_refusal", "response_limit_bytes"})
KNOWN = OWN | {
    "server",
    "skill",
    "digest",
    "agent",
    "url",
    "token_header",
    "allow_private",
    AUDIENCE,
    CREDENTIAL,
}
LONGEST_NAME = 128

_DIGEST = re.compile(r"[0-9a-f]{64}")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")


@dataclass(frozen=True, slots=True)
class Remote:
    """Where an agent is, and what follows from how its tasks stand.

    ``token_header``: the header that its card names for a user's token, "" for Authorization. ``is_refusal``: a task
    that failed has surely done nothing.
    """

    agent: str
    skill: str
    url: str
    token_header: str
    allow_private: bool
    limit_bytes: int
    on_auth: Course
    on_input: Course
    is_refusal: bool


def find_faults(config: Mapping[str, Any]) -> list[str]:  # Any: whatever was typed in
    """Return what has to be put right in a configuration, worded as remedies."""
    faults = [f"remove {name!r}: unknown" for name in sorted(config.keys() - KNOWN)]
    if not is_id(config.get("server")):
        faults.append("set server to the id of a server that speaks A2A")
    for name in ("skill", "agent"):
        if not isinstance(config.get(name), str) or not 0 < len(config[name]) <= LONGEST_NAME:
            faults.append(f"set {name} to what the agent's card says")
    if not isinstance(config.get("digest"), str) or not _DIGEST.fullmatch(config["digest"]):
        faults.append("set digest to that of the description that was accepted")
    faults += _find_course_faults(config)
    faults += find_address_faults(config.get("url"))
    return faults + (find_audience_faults(config) if AUDIENCE in config and not faults else [])


def _find_course_faults(config: Mapping[str, Any]) -> list[str]:  # Any: as above
    faults = []
    for name in ("on_auth_required", "on_input_required"):
        if config.get(name, "wait") not in COURSES:
            faults.append(f"set {name} to wait or fail")
    for name in ("allow_private", "error_is_refusal"):
        if type(config.get(name, False)) is not bool:
            faults.append(f"set {name} to true or false")
    header = config.get("token_header", "Authorization")
    if not isinstance(header, str) or not _HEADER.fullmatch(header):
        faults.append("leave token_header as the card says")
    limit = config.get("response_limit_bytes", OUTPUT_LIMIT_BYTES)
    if type(limit) is not int or not 0 < limit <= LARGEST_RESPONSE_LIMIT:
        faults.append(f"set response_limit_bytes to a number from 1 to {LARGEST_RESPONSE_LIMIT}")
    return faults


def parse_remote(config: Mapping[str, Any]) -> Remote:
    """Take a configuration apart that has no faults.

    By default a task that waits for people there is waited for, and one that asks something fails: nobody here would
    answer.
    """
    return Remote(
        agent=config["agent"],
        skill=config["skill"],
        url=config["url"],
        token_header=config.get("token_header", ""),
        allow_private=config.get("allow_private", False),
        limit_bytes=config.get("response_limit_bytes", OUTPUT_LIMIT_BYTES),
        on_auth=config.get("on_auth_required", "wait"),
        on_input=config.get("on_input_required", "fail"),
        is_refusal=config.get("error_is_refusal", False),
    )


def have_one_origin(one: str, other: str) -> bool:
    """Return whether two addresses are of one scheme, host and port."""
    try:
        return _origin(one) == _origin(other)
    except ValueError:
        return False


def _origin(address: str) -> tuple[str, str | None, int]:
    parts = urlsplit(address)
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
