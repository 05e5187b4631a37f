"""Decision tables: drafted and published where they differ from the latest version."""

from __future__ import annotations

from typing import Any

from runs.provisioning.session import Session, at, parse_moment
from tools.decisions.definitions import read_definition, write_definition
from tools.models import DecisionTable, DecisionTableVersion
from tools.services import TableDraft, create_table, publish_table, save_table

State = DecisionTableVersion.State


def apply_decision_tables(session: Session) -> None:
    """Create tables, and publish what differs; where that takes a second person, the draft waits."""
    for slug, entry in session.section("decision_tables").items():
        with at(f"decision_tables/{slug}"):
            team = session.team(entry["team"])
            table = DecisionTable.objects.filter(team=team, slug=slug).first()
            before = table.versions.first() if table else None
            if table is None:
                table = create_table(actor=session.actor, team=team, slug=slug, name=entry["name"])
            after = _apply(session, table, before, entry)
            if before is None and after is not None:
                session.created("decision table", slug, {"version": after.number})
            else:
                numbers = {"version": (before.number, after.number)} if before and after else {}
                session.changed("decision table", slug, numbers)


def _apply(
    session: Session, table: DecisionTable, before: DecisionTableVersion | None, entry: dict[str, Any]
) -> DecisionTableVersion | None:
    """Return the version that was published, None where nothing differs, or a second person is missing."""
    draft = _draft(entry)
    same = before is not None and _says(before, draft)
    if same and before is not None and before.state == State.RETIRED:
        session.notes.append(f"{table.slug} v{before.number} is retired: that stays")
    if same and before is not None and before.state != State.DRAFT:
        return None
    version = before if same and before else save_table(actor=session.actor, table=table, draft=draft)
    reason = entry.get("acknowledgement", "")
    return session.govern(
        f"decision table {table.slug}",
        lambda: publish_table(actor=session.actor, version=version, acknowledgement=reason),
    )


def _draft(entry: dict[str, Any]) -> TableDraft:
    return TableDraft(
        write_definition(read_definition(entry["table"])),
        entry.get("cases", []),
        parse_moment(entry.get("effective_from")),
        parse_moment(entry.get("effective_until")),
    )


def _says(version: DecisionTableVersion, draft: TableDraft) -> bool:
    """Return whether a version is just what a document says."""
    names = ("definition", "cases", "effective_from", "effective_until")
    return all(getattr(version, name) == getattr(draft, name) for name in names)
