"""Authorization details (RFC 9396) of our one type: a call of a tool, with the digest of its arguments."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Any

from agentops.canonical import canonical_json
from agentops.strict_json import MalformedJSON, parse_json
from identities.oauth.errors import OAuthError
from identities.oauth.metadata import TOOL_CALL
from identities.oauth.parameters import Parameters
from identities.oauth.tokens import Detail

MEMBERS = {"type", "actions", "identifier", "args_sha256"}
LONGEST = 200

_DIGEST = re.compile(r"[A-Za-z0-9_-]{43}")


def describe_call(tool: str, key: str, arguments: Mapping[str, Any]) -> Detail:  # Any: JSON
    """Return what binds a token to one call: the tool, the idempotency key, the arguments' digest."""
    return {
        "type": TOOL_CALL,
        "actions": [tool],
        "identifier": key,
        "args_sha256": digest_arguments(arguments),
    }


def digest_arguments(arguments: Mapping[str, Any]) -> str:  # Any: JSON
    """Return the SHA-256 (base64url) of the arguments' RFC 8785 text: without a key, for others verify it."""
    digest = hashlib.sha256(canonical_json(dict(arguments))).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def narrow_details(parameters: Parameters, parent: tuple[Detail, ...]) -> tuple[Detail, ...]:
    """Return the calls asked for, by default the parent's; raises OAuthError for one that is none of them."""
    if "authorization_details" not in parameters:
        return parent
    asked = _read(parameters["authorization_details"])
    if parent and any(detail not in parent for detail in asked):
        raise _refusal("broader_details")
    return asked


def _read(text: str) -> tuple[Detail, ...]:
    try:
        value = parse_json(text.encode())
    except (MalformedJSON, UnicodeEncodeError):
        raise _refusal("malformed_details") from None
    # One: a token that is for several calls is for none of them in particular.
    if not isinstance(value, list) or len(value) != 1 or not _is_call(value[0]):
        raise _refusal("malformed_details")
    return tuple(value)


def _is_call(detail: object) -> bool:
    if not isinstance(detail, dict) or detail.keys() != MEMBERS or detail["type"] != TOOL_CALL:
        return False
    actions = detail["actions"]
    texts = [*(actions if isinstance(actions, list) else ()), detail["identifier"], detail["args_sha256"]]
    return (
        isinstance(actions, list)
        and len(actions) == 1
        and all(isinstance(text, str) and 0 < len(text) <= LONGEST for text in texts)
        and bool(_DIGEST.fullmatch(detail["args_sha256"]))
    )


def _refusal(reason: str) -> OAuthError:
    return OAuthError("invalid_authorization_details", reason, f"One call of type {TOOL_CALL} is described.")
