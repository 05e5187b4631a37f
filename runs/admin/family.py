"""The tree of sub-runs on the page of a run; it refreshes with the page."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from agentops.console.panels import Panel, register_panel
from identities.acting import acting_person
from runs.family import MOST_SHOWN, read_family
from runs.models import Run


def read_tree(request: HttpRequest, subject: Run) -> dict[str, Any] | None:
    """Return the tree that a run stands in; nothing where it stands alone."""
    members = read_family(acting_person(request), subject)
    return {"members": members, "is_cut": len(members) == MOST_SHOWN} if members else None


register_panel(
    Panel("runs.run", "Whom it acts for, and who acts for it", "runs/family.html", read_tree, 20, size="full")
)
