"""What verifying finds."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Fault:
    """Where a stream stops fitting: ``seq`` is the first bad or missing entry. Of a checkpoint: its id and number."""

    stream: UUID
    seq: int
    # missing, reordered, edited, content_edited, truncated, extended, rewritten, unreadable, unrecorded, forged
    code: str
    detail: str
