"""Decision tables: created, drafted, published after their test cases, and retired."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from agentops.canonical import plain_digest
from agentops.errors import StateConflict, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.rows import check_fields, insert_row
from identities.changes import clear_change
from identities.factors import require_fresh_factor
from identities.models import Team, User
from identities.policies import require
from tools.decisions.cases import check_cases, run_cases
from tools.decisions.deciding import Decider, compile_definition, find_doubts
from tools.decisions.definitions import as_definition, as_model, read_definition, write_definition
from tools.decisions.dmn import export_model, import_model
from tools.models import DecisionTable, DecisionTableVersion
from tools.services.changes.tables import PUBLISHER, describe_table

ADD_TABLE = "tools.add_decisiontable"
DRAFT_TABLE = "tools.add_decisiontableversion"
LONGEST_ACKNOWLEDGEMENT = 300
State = DecisionTableVersion.State


@dataclass(frozen=True, slots=True)
class TableDraft:
    """What a version says: see ``tools.decisions.definitions`` and ``tools.decisions.cases``.

    ``source`` is the DMN document that it comes from.
    """

    definition: Mapping[str, Any]  # Any: JSON, checked here
    cases: Sequence[Mapping[str, Any]] = ()
    effective_from: datetime | None = None
    effective_until: datetime | None = None
    source: str = ""


@transaction.atomic
def create_table(*, actor: User, team: Team, slug: str, name: str) -> DecisionTable:
    """Name a decision that a team makes by rules; it decides nothing yet."""
    require(actor, ADD_TABLE, team)
    table = DecisionTable(team=team, slug=slug, name=name)
    check_fields(table)
    insert_row(table)
    _record(table, "table.created", actor, {"team": str(team.id), "slug": slug})
    return table


@transaction.atomic
def save_table(
    *, actor: User, table: DecisionTable, draft: TableDraft, seen: str = ""
) -> DecisionTableVersion:
    """Keep a draft: the table's one draft, changed, or its next version. Cells may be wrong until it is published.

    ``seen`` is the digest of the draft that the person had before them. Raises StateConflict if somebody has changed
    that meanwhile, ValidationFailed for what is no table, no model or no test case.
    """
    locked = _lock(table)
    require(actor, DRAFT_TABLE, locked.team)
    definition = write_definition(read_definition(draft.definition))
    present = locked.versions.filter(state=State.DRAFT).first()
    if present is not None and seen and present.digest != seen:
        raise StateConflict(
            "draft_changed", "somebody has changed this draft since you opened it: look again"
        )
    version = present or DecisionTableVersion(table=locked, number=_next_number(locked), created_by=actor)
    version.definition, version.digest = definition, plain_digest(definition)
    version.cases, version.source = check_cases(draft.cases), draft.source
    version.effective_from, version.effective_until = draft.effective_from, draft.effective_until
    if draft.effective_from and draft.effective_until and draft.effective_until <= draft.effective_from:
        raise ValidationFailed("invalid_dates", "effective_until: after effective_from")
    check_fields(version)
    version.save()
    _record(locked, "table.drafted", actor, {"version": version.number, "digest": version.digest})
    return version


@transaction.atomic
def publish_table(
    *, actor: User, version: DecisionTableVersion, acknowledgement: str = ""
) -> DecisionTableVersion:
    """Let a draft decide, from its effective date on; it does not change any more.

    ``acknowledgement`` is why it may, although no rule covers something, or several do. Raises ValidationFailed for
    wrong cells, for test cases that come out otherwise, and for gaps and overlaps that nobody acknowledges;
    StateConflict unless it is a draft; SecondPersonNeeded.
    """
    table = _lock(version.table)
    locked = table.versions.select_for_update().get(pk=version.pk)
    locked.table = table
    require(actor, PUBLISHER, table.team)
    require_fresh_factor(actor)
    if locked.state != State.DRAFT:
        raise StateConflict("not_a_draft", f"{locked} is {locked.state}: make a new draft")
    now = timezone.now()
    if locked.effective_until is not None and locked.effective_until <= now:
        raise ValidationFailed("invalid_dates", "effective_until: this moment has passed")
    decider = compile_definition(read_definition(locked.definition))
    _refuse_failing(locked, decider)
    acknowledged = _acknowledge(decider, acknowledgement)
    cleared = clear_change(actor, describe_table(locked, acknowledged))
    locked.state, locked.published_by, locked.published_at = State.PUBLISHED, actor, now
    locked.acknowledgement = acknowledged
    locked.save(update_fields=["state", "published_by", "published_at", "acknowledgement"])
    facts = {"version": locked.number, "digest": locked.digest, "acknowledged": bool(acknowledged), **cleared}
    _record(table, "table.published", actor, facts, acknowledged)
    return locked


@transaction.atomic
def retire_table(*, actor: User, version: DecisionTableVersion, reason: str = "") -> DecisionTableVersion:
    """Take a published version out of use. Earlier ones do not come back: nothing is decided until one is published."""
    table = _lock(version.table)
    locked = table.versions.select_for_update().get(pk=version.pk)
    require(actor, PUBLISHER, table.team)
    if locked.state != State.PUBLISHED:
        raise StateConflict("not_published", f"{locked} is {locked.state}")
    locked.state, locked.retired_at = State.RETIRED, timezone.now()
    locked.save(update_fields=["state", "retired_at"])
    _record(table, "table.retired", actor, {"version": locked.number, "digest": locked.digest}, reason)
    return locked


def import_table(
    *, actor: User, table: DecisionTable, document: bytes, decides: str = "", seen: str = ""
) -> DecisionTableVersion:
    """Make a draft of a DMN document, 1.3 to 1.5; test cases of the draft before it stay.

    Raises ValidationFailed with the line of what cannot be read, or where it is not clear which decision is meant.
    """
    require(actor, DRAFT_TABLE, table.team)
    definition = as_definition(import_model(document), decides)
    compile_definition(definition)
    latest = table.versions.order_by("-number").first()
    draft = TableDraft(
        write_definition(definition), latest.cases if latest else (), source=document.decode("utf-8-sig")
    )
    return save_table(actor=actor, table=table, draft=draft, seen=seen)


def export_table(version: DecisionTableVersion) -> bytes:
    """Return a version as a DMN 1.5 document."""
    return export_model(as_model(read_definition(version.definition), version.table.name).model)


def _refuse_failing(version: DecisionTableVersion, decider: Decider) -> None:
    failed = [f"{each.name}: {each.problem}" for each in run_cases(decider, version.cases) if each.problem]
    if failed:
        raise ValidationFailed("cases_failed", "; ".join(failed), problems=failed)


def _acknowledge(decider: Decider, acknowledgement: str) -> str:
    """Return the reason that has to be on record, none where there is nothing to acknowledge."""
    doubts = list(find_doubts(decider))
    if not doubts:
        return ""
    if not acknowledgement.strip():
        detail = f"{'; '.join(doubts)}: change that, or say why it is meant so"
        raise ValidationFailed("gaps_or_overlaps", detail, problems=doubts)
    if len(acknowledgement) > LONGEST_ACKNOWLEDGEMENT:
        raise ValidationFailed("invalid_reason", f"at most {LONGEST_ACKNOWLEDGEMENT} characters")
    return acknowledgement


def _next_number(table: DecisionTable) -> int:
    return int(table.versions.aggregate(last=Max("number"))["last"] or 0) + 1


def _lock(table: DecisionTable) -> DecisionTable:
    return DecisionTable.objects.select_for_update(of=("self",)).select_related("team").get(pk=table.pk)


def _record(
    table: DecisionTable, kind: str, actor: User, facts: Mapping[str, object], reason: str = ""
) -> None:
    content = {"reason": reason} if reason else None
    record(table.id, "decision_table", Draft(kind, timezone.now(), dict(facts), content, actor.id))
