"""The keys of a local stack: made once, kept in the data directory, readable by their owner only.

In production they come from the environment and this file does not exist.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

FILE_NAME = "keys.json"
NAMES = ("SECRET_KEY", "AGENTOPS_DIGEST_KEY", "AGENTOPS_SEALING_KEYS")
PREFIXES = {"AGENTOPS_SEALING_KEYS": "local:"}  # a sealing key has a name


def load_or_create_keys(data: Path) -> dict[str, str]:
    """Return the keys of a data directory, creating what is missing."""
    path = data / FILE_NAME
    keys: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    missing = [name for name in NAMES if name not in keys]
    if missing:
        keys |= {name: PREFIXES.get(name, "") + secrets.token_urlsafe(48) for name in missing}
        write_private(path, json.dumps(keys, indent=1))
    return keys


def write_private(path: Path, text: str) -> None:
    """Replace a file by one that only its owner can read, in one step."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    unfinished.replace(path)
