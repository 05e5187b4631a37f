"""Time-ordered identifiers (UUID version 7, RFC 9562): every row and every ledger stream is named by one."""

from __future__ import annotations

import os
import time
import uuid
from functools import lru_cache


def new_id() -> uuid.UUID:
    """Return a UUIDv7: 48 bits of Unix milliseconds, then 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10))
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return uuid.UUID(int=value)


def text_of(name: uuid.UUID) -> str:
    """Return an id as text. A step names the same few some twenty times: they are written out once."""
    return _write_out(name.int)


@lru_cache(maxsize=1024)
def _write_out(number: int) -> str:
    return str(uuid.UUID(int=number))


def first_id_at(milliseconds: int) -> uuid.UUID:
    """Return the smallest UUID of that Unix millisecond: a lower bound for ranges over time."""
    return uuid.UUID(int=milliseconds << 80)
