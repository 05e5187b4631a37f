"""What is written from the OpenAPI document: the Python client's types, methods, and blocking half."""

from __future__ import annotations

from pathlib import Path

from agentops.api.generation.blocking import write_blocking
from agentops.api.generation.methods import write_operations
from agentops.api.generation.types import Json, write_types

CLIENT = Path(__file__).resolve().parents[2] / "client"


def write_client(document: Json) -> dict[Path, str]:
    """Return the text of each file of the client that nobody writes by hand."""
    return {
        CLIENT / "types.py": write_types(document),
        CLIENT / "operations.py": write_operations(document),
        CLIENT / "blocking.py": write_blocking((CLIENT / "waiting.py").read_text()),
    }
