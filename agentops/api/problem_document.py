"""The problem document itself (RFC 9457), free of any framework: layers in front of Django use it too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

PROBLEM_MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule or field that said no; `pointer` is a field's place in the body, as in RFC 9457 (`#/name`)."""

    code: str
    detail: str = ""
    pointer: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """What a caller is told. Holds no stack, no SQL and no secret."""

    status: int
    code: str
    detail: str = ""
    reasons: tuple[Reason, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def document(self, path: str) -> dict[str, Any]:
        """Return the JSON members; `path` names the occurrence."""
        return {
            "type": f"urn:agentops:problem:{self.code}",
            "title": self.code.replace("_", " ").capitalize(),
            "status": self.status,
            "detail": self.detail or HTTPStatus(self.status).description or HTTPStatus(self.status).phrase,
            "instance": quote(path, safe="/:@!$&'()*+,;=~"),
            "code": self.code,
            "reasons": [
                {"code": reason.code, "detail": reason.detail, "pointer": reason.pointer}
                for reason in self.reasons
            ],
        }
