"""Which operation of which document a configuration was made of, where it was made of one."""

from __future__ import annotations

import re
from uuid import UUID

KEYS = frozenset({"server", "operation", "digest"})
_DIGEST = re.compile(r"[0-9a-f]{64}")


def find_origin_faults(origin: object) -> list[str]:
    """Return what has to be put right, worded as remedies."""
    if not isinstance(origin, dict) or origin.keys() != KEYS:
        return ["set origin to the server, the operation and the digest that an import wrote"]
    server, operation, digest = (origin[name] for name in ("server", "operation", "digest"))
    if not is_id(server) or not isinstance(operation, str) or not _DIGEST.fullmatch(str(digest)):
        return ["leave origin as an import wrote it"]
    return []


def is_id(text: object) -> bool:
    """Return whether a text is an id in its usual spelling."""
    try:
        return isinstance(text, str) and str(UUID(text)) == text
    except ValueError:
        return False
