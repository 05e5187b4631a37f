"""What a checkpoint says, as bytes that are signed. Pure, so that a stand-alone verifier can repeat it.

The root is that of RFC 6962 (2.1), over one leaf per head that had moved: stream, seq and hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

FORMAT = "agentops-checkpoint/1"
NOTHING_BEFORE = bytes(32)


@dataclass(frozen=True, slots=True)
class Leaf:
    """Where a stream stood."""

    stream: UUID
    seq: int
    hash: bytes

    @property
    def data(self) -> bytes:
        return f"{self.stream}\n{self.seq}\n{self.hash.hex()}".encode()


@dataclass(frozen=True, slots=True)
class Statement:
    """A checkpoint without its signature; ``prev_digest`` is the digest of the one before it."""

    number: int
    at: datetime
    public_key: bytes
    heads: int
    root: bytes
    prev_digest: bytes

    def data(self) -> bytes:
        """Return what is signed."""
        at = self.at.astimezone(UTC).isoformat(timespec="microseconds")
        parts = (
            FORMAT, str(self.number), at, self.public_key.hex(), str(self.heads), self.root.hex(),
            self.prev_digest.hex(),
        )  # fmt: skip
        return "\n".join(parts).encode()

    def digest(self, signature: bytes) -> bytes:
        """Return what the next checkpoint binds, and what is kept elsewhere."""
        return hashlib.sha256(self.data() + b"\n" + signature.hex().encode()).digest()


def merkle_root(leaves: Iterable[Leaf]) -> bytes:
    """Return the root over leaves in the order of their streams; what is left over at a level goes up as it is."""
    level = [hashlib.sha256(b"\0" + leaf.data).digest() for leaf in leaves]
    if not level:
        return hashlib.sha256(b"").digest()
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        odd = level[-1:] if len(level) % 2 else []
        level = [hashlib.sha256(b"\1" + left + right).digest() for left, right in pairs] + odd
    return level[0]
