"""The effects of one tool server: a line of a file each, on disk before anybody hears of it."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Effect:
    """One change of the world: its name, whatever happens to keys, and its idempotency key."""

    effect: str
    key: str


class EffectFile:
    """The only writer of a file of effects; remembers which keys have taken effect."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._first: dict[str, Effect] = {}
        self._lock = threading.RLock()

    def perform(self, effect: Effect) -> None:
        """Let the effect happen: when this returns, no crash undoes it."""
        with self._lock:
            os.write(self._file, json.dumps(asdict(effect)).encode() + b"\n")
            os.fsync(self._file)
            self._first.setdefault(effect.key, effect)

    def perform_once(self, effect: Effect) -> Effect:
        """Let the effect happen unless its key has had one; return the effect that stands under the key."""
        with self._lock:
            known = self._first.get(effect.key)
            if known is None:
                self.perform(effect)
            return known or effect

    def find(self, key: str) -> Effect | None:
        """Return the first effect under a key."""
        with self._lock:
            return self._first.get(key)


def read_effects(path: Path) -> list[Effect]:
    """Return every effect of a server, in the order in which they happened."""
    if not path.exists():
        return []
    return [Effect(**json.loads(line)) for line in path.read_text().splitlines()]
