"""A company whose agent proposes, and the person who reviews it."""

from __future__ import annotations

from typing import Any

from runs.changesets.reviewing import Verdict, apply_changes, decide_items, send_back
from runs.models import ChangeSet, Run, RunMode
from tests.runs.company import Company, proposes, says

REFUND, MAIL = (
    ("refund", {"order_id": "A-1"}),
    ("send_email", {"to": "ann@shop.example", "text": "Refunded."}),
)

LETTER = {
    "type": "object",
    "properties": {"to": {"type": "string"}, "text": {"type": "string"}},
    "required": ["to", "text"],
    "additionalProperties": False,
}
IRREVERSIBLE = {"input_schema": LETTER, "effect": "irreversible", "grant": "REQUIRE_APPROVAL"}


def prepare(company: Company, **changes: Any) -> None:
    """Add tools that read and that change something, whose calls Fiona may approve."""
    company.add_reads()
    for name in ("refund", "send_email", "cancel"):
        more: dict[str, Any] = changes if name == "refund" else IRREVERSIBLE if name == "send_email" else {}
        version = company.add_tool(name, **more)
        company.let_decide(version.tool)


def propose(company: Company, *calls: tuple[str, Any], **more: Any) -> ChangeSet:
    """Have a run propose these calls, a step for each, and offer them."""
    company.play(*(proposes(each) for each in calls or (REFUND, MAIL)), says("That is what I propose."))
    run = company.drive(company.start(mode=RunMode.PROPOSE, **more))
    return offered(run)


def offered(run: Run) -> ChangeSet:
    """Return what a run has put before reviewers."""
    found: ChangeSet = ChangeSet.objects.get(run=run, state="offered")
    return found


def review(company: Company, change_set: ChangeSet, **changes: Any) -> list[Verdict]:
    """Decide as Fiona, about all items unless told otherwise."""
    told: dict[str, Any] = {
        "actor": company.cast.fiona, "change_set": change_set, "digest": change_set.digest,
        "verdicts": {number + 1: "approve" for number in range(change_set.size)}, "reason": "looked at it",
        "channel": "api", "second_factor": True,
    }  # fmt: skip
    return decide_items(**(told | changes))


def comment(company: Company, change_set: ChangeSet, **changes: Any) -> ChangeSet:
    """Send it back as Fiona."""
    told: dict[str, Any] = {"actor": company.cast.fiona, "comments": {0: "Half of that will do."}}
    return send_back(change_set=change_set, **({"digest": change_set.digest} | told | changes))


def carry_out(company: Company, change_set: ChangeSet, **changes: Any) -> Run:
    """Have what was accepted carried out, to its end, as Fiona."""
    told: dict[str, Any] = {"actor": company.cast.fiona, "digest": change_set.digest}
    apply_changes(change_set=change_set, **(told | changes))
    return company.drive(Run.objects.get(pk=change_set.pk))
