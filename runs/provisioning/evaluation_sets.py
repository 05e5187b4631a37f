"""Evaluation sets: the cases that versions of an agent are tried by. Cases that were made of runs stay."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from runs.evaluation.sets import SetSpec, save_set
from runs.models import EvaluationSet
from runs.provisioning.session import Session, at


def apply_evaluation_sets(session: Session) -> None:
    """Give each listed agent its sets as the document has them; what is not listed stays as it is."""
    for slug, listed in session.section("evaluation_sets").items():
        for place, entry in enumerate(listed):
            with at(f"evaluation_sets/{slug}/{place}"):
                _apply(session, slug, entry)


def _apply(session: Session, slug: str, entry: Any) -> None:  # Any: checked against the document's schema
    agent = session.agent(slug)
    is_new = not EvaluationSet.objects.filter(identity=agent, name=entry["name"], dropped_at=None).exists()
    spec = SetSpec(
        entry["name"], entry["cases"], entry.get("description", ""), entry.get("gating", False),
        Decimal(str(entry.get("pass_rate", 1))),
    )  # fmt: skip
    row, changes = save_set(actor=session.actor, identity=agent, spec=spec)
    if is_new:
        session.created("evaluation set", str(row), {name: after for name, (_, after) in changes.items()})
    else:
        session.changed("evaluation set", str(row), changes)
