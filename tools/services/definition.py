"""What a tool version is defined by."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from agentops.canonical import plain_digest
from tools.models import ToolVersion

LATER = ("bound", "undo", "provenance", "resolvers", "max_concurrency", "preview")


@dataclass(frozen=True, slots=True)
class ToolDefinition:
    """Everything that defines how a tool behaves. Fields are those of ToolVersion; times in seconds."""

    description: str
    effect: str
    idempotency: str
    adapter: str
    input_schema: dict[str, Any]  # Any: JSON Schema nests
    config: dict[str, Any] = field(default_factory=dict)  # Any: each adapter defines its own
    output_schema: dict[str, Any] | None = None
    statement: str = ""
    timeout_s: float = 5.0
    max_attempts: int = 3
    backoff_base_s: float = 0.5
    backoff_cap_s: float = 30.0
    breaker: dict[str, Any] = field(default_factory=dict)  # Any: numbers, checked by BreakerSettings
    on_breaker_open: str = "halt"
    on_unknown: str = "wait"
    dedupe_on: tuple[str, ...] = ()
    dedupe_window_s: int = 86_400
    amount_argument: str = ""
    currency: str = ""
    bound: dict[str, Any] = field(default_factory=dict)  # Any: checked in tools.bindings
    undo: dict[str, Any] | None = None  # Any: checked by ``find_undo_faults``
    provenance: dict[str, Any] = field(default_factory=dict)  # Any: JSON, checked
    resolvers: dict[str, Any] = field(default_factory=dict)  # Any: checked by ``find_resolver_faults``
    max_concurrency: int | None = None
    preview: dict[str, Any] | None = None  # Any: checked by ``find_preview_faults``

    def values(self) -> dict[str, Any]:
        """Return the fields as a row and its digest hold them."""
        return {**asdict(self), "dedupe_on": list(self.dedupe_on)}

    def digest(self, tool_id: UUID, name: str) -> str:
        """Return the digest that names this behaviour of this tool."""
        values = self.values()
        for later in LATER:
            if not values[later]:  # as it was named before there was a word for it
                del values[later]
        return plain_digest({"tool": str(tool_id), "name": name, **values})


def definition_of(version: ToolVersion) -> ToolDefinition:
    """Return the definition that a stored version was made of."""
    values = {name: getattr(version, name) for name in ToolDefinition.__dataclass_fields__}
    return ToolDefinition(**{**values, "dedupe_on": tuple(version.dedupe_on)})
