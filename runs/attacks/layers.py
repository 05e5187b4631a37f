"""Layers of the defence that attacks are replayed against, each as the keys of a document that switch it on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

PROVENANCE, ASKED_BY = "provenance", "asked_by"
PlanSource = Literal["words", "planner"]


@dataclass(frozen=True, slots=True)
class Layer:
    """Which parts of the defence are on: the plan, and the provenance of arguments."""

    name: str
    has_plan: bool = False
    has_provenance: bool = False

    def version_keys(self, plan: PlanSource) -> dict[str, Any]:
        """Return what the agent's version is given."""
        return {"plan": plan, "off_plan": "DENY"} if self.has_plan else {}

    def tool_keys(self, definition: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a tool is given of what it declares: a plan needs the words by which users ask for it."""
        stated = definition.get(PROVENANCE, {})
        if not self.has_provenance:
            stated = {ASKED_BY: stated[ASKED_BY]} if self.has_plan and ASKED_BY in stated else {}
        return {PROVENANCE: stated} if stated else {}


NONE = Layer("none")
PLAN = Layer("plan", has_plan=True)
LABELS = Layer("provenance", has_provenance=True)
ALL = Layer("all", has_plan=True, has_provenance=True)
LAYERS = (NONE, PLAN, LABELS, ALL)
