"""One thing about a tool's definition that invites mistakes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """``where`` is a JSON pointer into the input schema's properties, such as ``/address/city``; empty for the tool."""

    code: str
    severity: Severity
    where: str
    problem: str
    remedy: str
