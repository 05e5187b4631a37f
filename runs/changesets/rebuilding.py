"""Bringing the rows of a run's change sets to where its stream says that they stand; the stream is the truth."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from agentops.engine import events as e
from agentops.engine.events import Event
from agentops.engine.fold import fold
from agentops.engine.state import RunState
from agentops.ledger.store import Cursor, StoredEntry, read_entries
from approvals.history import read_evidence_of
from approvals.models import ApprovalRequest
from runs.changesets.depending import find_targets
from runs.changesets.staging import WORSE
from runs.changesets.withdrawing import OPEN
from runs.models import ChangeItem, ChangeSet, Run, RunMode
from tools.catalogue import read_spec

State = ChangeSet.State


def rebuild_changes(cursor: Cursor, run: Run) -> None:
    """Write a run's change sets and their items anew; rows that are there keep what no entry tells."""
    if run.mode != RunMode.PROPOSE:
        return
    # At most one may be open at a time, also on the way.
    ChangeSet.objects.filter(run=run).update(state=State.VOIDED)
    state: RunState | None = None
    for entry in read_entries(cursor, run.pk):
        before, state = state, fold(state, Event(entry.seq, entry.kind, entry.facts, entry.at))
        _follow(run, entry, before, state)


def _follow(run: Run, entry: StoredEntry, before: RunState | None, after: RunState) -> None:
    if entry.kind == e.CALL_STAGED:
        _put_item(run, entry)
    elif entry.kind == e.CHANGES_OFFERED:
        offered = {"state": State.OFFERED, "offered_at": entry.at, "digest": entry.facts["digest"]}
        _find(after.change_set).update(**offered)
    elif entry.kind == e.CHANGES_SETTLED:
        _close(after.change_set, State.APPLIED if entry.facts["accepted"] else State.DECLINED, entry)
    elif before and before.change_set and before.change_set != after.change_set:
        _close(before.change_set, State.SUPERSEDED, entry)
    elif after.has_ended and after.change_set:
        _close(after.change_set, State.VOIDED, entry)


def _find(change_set: str) -> Any:  # Any: a queryset
    return ChangeSet.objects.filter(pk=UUID(change_set))


def _close(change_set: str, state: State, entry: StoredEntry) -> None:
    """Close an open one; whoever reviewed it is on record, and neither the user nor a driver has."""
    by = entry.actor if entry.kind in (e.CHANGES_SETTLED, e.CHANGES_SENT_BACK) else None
    _find(change_set).filter(state__in=OPEN).update(state=state, settled_at=entry.at, settled_by=by)


def _put_item(run: Run, entry: StoredEntry) -> None:
    facts, change_set = entry.facts, _open(run, entry)
    request = ApprovalRequest.objects.get(pk=UUID(facts["approval"]))
    told = {
        "step": facts["step"], "call": facts["call"], "seq": entry.seq, "tool_id": request.tool_id,
        "effect": facts["effect"], "depends_on": facts["depends_on"], "request": request,
        **_read_targets(request),
    }  # fmt: skip
    where = {"change_set": change_set, "number": facts["item"]}
    if not ChangeItem.objects.filter(**where).update(**told):
        ChangeItem.objects.create(**where, **told)
    worst = max(change_set.worst_effect, facts["effect"], key=WORSE.index)
    ChangeSet.objects.filter(pk=change_set.pk).update(size=facts["item"], worst_effect=worst)


def _open(run: Run, entry: StoredEntry) -> ChangeSet:
    """Return the item's change set, begun anew with its first item."""
    pk = UUID(entry.facts["change_set"])
    if entry.facts["item"] == 1:
        version = 1 + ChangeSet.objects.filter(run=run, created_at__lt=entry.at).exclude(pk=pk).count()
        begun = {
            "run": run, "team_id": run.team_id, "identity_id": run.identity_id, "version": version,
            "state": State.DRAFT, "size": 0, "worst_effect": "", "digest": "", "created_at": entry.at,
            "offered_at": None, "settled_at": None, "settled_by": None,
        }  # fmt: skip
        ChangeSet.objects.update_or_create(pk=pk, defaults=begun)
    found: ChangeSet = ChangeSet.objects.get(pk=pk)
    return found


def _read_targets(request: ApprovalRequest) -> dict[str, list[str]]:
    """Return what an item is about, by the call that people were shown; nothing where that was erased."""
    arguments = (read_evidence_of(request.pk) or {}).get("arguments")
    return {"targets": find_targets(read_spec(request.tool_version_id), arguments)} if arguments else {}
