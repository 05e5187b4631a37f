"""The null tool: takes about 200 bytes, returns about 500 and when it was called, does nothing."""

from __future__ import annotations

import time
from typing import Any

_PADDING = "y" * 440


def noop(turn: int, padding: str) -> dict[str, Any]:
    """Return an answer of a realistic size."""
    return {"ok": True, "turn": turn, "received": len(padding), "padding": _PADDING, "at": time.time()}
