"""Publishing a decision table as a governed change: it decides about money, and no table is milder than another."""

from __future__ import annotations

from typing import Any

from identities.changes import Change, as_json
from identities.models import User
from tools.decisions.definitions import read_definition
from tools.decisions.differences import describe_differences
from tools.models import DecisionTableVersion

PUBLISH_TABLE = "decision_table.publish"
PUBLISHER = "tools.change_decisiontableversion"

Row = dict[str, Any]  # Any: columns


def describe_table(version: DecisionTableVersion, acknowledgement: str) -> Change:
    """Describe what will decide, beside what was published before, with every difference in words."""
    previous = latest_published(version)
    before = None if previous is None else {"number": previous.number, "digest": previous.digest}
    earlier = None if previous is None else read_definition(previous.definition)
    after = {
        "number": version.number,
        "digest": version.digest,
        "effective_from": version.effective_from,
        "effective_until": version.effective_until,
        "acknowledgement": acknowledgement,
        "differences": describe_differences(earlier, read_definition(version.definition)),
        "test_cases": len(version.cases),
    }
    return Change(
        verb=PUBLISH_TABLE,
        subject=str(version.table_id),
        team=version.table.team,
        permission=PUBLISHER,
        title=f"{version.table} decides as version {version.number} says",
        arguments={"version": str(version.id), "acknowledgement": acknowledgement},
        before=before,
        after=as_json(after),
        loosening=("digest",),
        undo=None if previous is None else {"like": str(previous.id)},
    )


def latest_published(version: DecisionTableVersion) -> DecisionTableVersion | None:
    """Return what was published last of the same table, retired or not."""
    others = DecisionTableVersion.objects.filter(table=version.table_id).exclude(state="draft")
    return others.exclude(pk=version.pk).order_by("-published_at", "-number").first()


def carry_out_table(actor: User, arguments: Row) -> object:
    """Publish the draft that a proposal names; to go back, publish anew what was published before."""
    from tools.services.tables import TableDraft, publish_table, save_table  # which describe themselves here

    if "like" in arguments:
        before = DecisionTableVersion.objects.select_related("table__team").get(pk=arguments["like"])
        draft = TableDraft(before.definition, before.cases, source=before.source)
        version = save_table(actor=actor, table=before.table, draft=draft)
        return publish_table(actor=actor, version=version, acknowledgement=before.acknowledgement)
    version = DecisionTableVersion.objects.get(pk=arguments["version"])
    return publish_table(actor=actor, version=version, acknowledgement=arguments["acknowledgement"])
