"""Decision tables: drafted, published as two people, in force from a date, and never changed after that."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import ProgrammingError, connection, transaction
from django.utils import timezone

from agentops.errors import PolicyDenied, StateConflict, ValidationFailed
from agentops.ledger.models import Entry
from identities.changes import activate, do_or_propose
from identities.models import ChangeProposal
from tests.cast import Cast
from tests.tools.decisions.shared_cases import FOLDER, model_bytes, needs_cases
from tests.tools.tables import CASES, eligibility, make_table, publish
from tools.decisions.definitions import as_model, read_definition
from tools.decisions.dmn import import_model
from tools.models import DecisionTable, DecisionTableVersion
from tools.services import TableDraft, create_table, import_table, publish_table, retire_table, save_table
from tools.services.tables import export_table
from tools.tables.in_force import find_by_id

pytestmark = [pytest.mark.django_db, pytest.mark.dmn]


def draft(cast: Cast, **changes: Any) -> DecisionTableVersion:
    values = {"definition": eligibility(), "cases": CASES, **changes}
    return save_table(actor=cast.alice, table=make_table(cast), draft=TableDraft(**values))


def in_force(table: DecisionTable, later: timedelta = timedelta()) -> int | None:
    connection.ensure_connection()
    found = find_by_id(connection.connection, table.pk, timezone.now() + later)
    return found.number if found else None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"cases": [{**CASES[0], "expect": {"amount": 49}}]}, "cases_failed"),
        ({"cases": [{**CASES[0], "expect": {"amount": True}}]}, "cases_failed"),
        ({"definition": eligibility(early="twenty")}, "invalid_table"),
        ({}, "gaps_or_overlaps"),
        ({"effective_until": timezone.now() - timedelta(days=1)}, "invalid_dates"),
    ],
)
def test_what_may_not_decide(cast: Cast, changes: dict[str, Any], code: str) -> None:
    version = draft(cast, **changes)
    with pytest.raises(ValidationFailed) as refused:
        publish_table(actor=cast.ada, version=version)
    assert refused.value.code == code


def test_an_overlap_is_told_and_a_reason_is_kept(cast: Cast) -> None:
    rules = eligibility()
    rules["rules"][1]["tests"] = ["-", ">= 14"]
    version = draft(cast, definition=rules, cases=[])
    with pytest.raises(
        ValidationFailed, match=r"no rule covers days: < 0; rules 1 and 2 both claim days: 14"
    ):
        publish_table(actor=cast.ada, version=version)
    done = publish_table(actor=cast.ada, version=version, acknowledgement="Fourteen is asked about.")
    assert done.acknowledgement == "Fourteen is asked about."
    entry = Entry.objects.get(stream_id=done.table_id, kind="table.published")
    assert (entry.facts["acknowledged"], entry.facts["digest"]) == (True, done.digest)
    assert "Fourteen" in str(entry.content)


def test_a_publication_takes_two_people_even_for_a_superuser(governed: Cast) -> None:
    version = draft(governed)
    proposal = do_or_propose(
        actor=governed.ada,
        act=lambda: publish_table(actor=governed.ada, version=version, acknowledgement="So."),
    )
    assert isinstance(proposal, ChangeProposal)
    assert proposal.after["differences"] == ["new"]
    assert in_force(version.table) is None
    with pytest.raises(PolicyDenied):
        activate(actor=governed.ada, proposal=proposal, second_factor=True)
    activate(actor=governed.alice, proposal=proposal, second_factor=True)
    assert in_force(version.table) == 1

    second = save_table(
        actor=governed.ada, table=version.table, draft=TableDraft(eligibility(early="60"), [])
    )
    waiting = do_or_propose(
        actor=governed.ada,
        act=lambda: publish_table(actor=governed.ada, version=second, acknowledgement="So."),
    )
    assert isinstance(waiting, ChangeProposal)
    assert waiting.after["differences"] == ["rule early: - | [0..14] ⇒ 50 → - | [0..14] ⇒ 60"]
    save_table(actor=governed.ada, table=version.table, draft=TableDraft(eligibility(early="6000"), []))
    done = activate(actor=governed.alice, proposal=waiting, second_factor=True)
    assert done.state != ChangeProposal.State.ACTIVATED  # who signs, signs what they saw
    assert in_force(version.table) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tools_decisiontableversion SET definition = '{}'",
        "UPDATE tools_decisiontableversion SET effective_until = now() + interval '1 day'",
        "UPDATE tools_decisiontableversion SET state = 'draft'",
        "UPDATE tools_decisiontableversion SET state = 'retired', retired_at = now(), cases = '[1]'",
        "DELETE FROM tools_decisiontableversion",
        "UPDATE tools_decisiontable SET slug = 'another'",
    ],
)
def test_what_was_published_stands(cast: Cast, statement: str) -> None:
    publish(cast, make_table(cast), eligibility())
    with pytest.raises(ProgrammingError, match=r"immutable|keeps"), transaction.atomic():
        connection.cursor().execute(statement)


def test_the_version_that_began_last_decides(cast: Cast) -> None:
    table, day = make_table(cast), timedelta(days=1)
    publish(cast, table, eligibility())
    now = timezone.now()
    later = publish(
        cast, table, eligibility(early="60"), effective_from=now + day, effective_until=now + 3 * day
    )
    assert [in_force(table, days * day) for days in (0, 2, 4)] == [1, 2, 1]
    retire_table(actor=cast.alice, version=later, reason="Cancelled.")  # before it began
    assert in_force(table, 2 * day) == 1
    third = publish(cast, table, eligibility(early="70"))
    retire_table(actor=cast.alice, version=third, reason="Wrong.")
    assert in_force(table) is None  # older rules do not come back by it
    with pytest.raises(StateConflict):
        retire_table(actor=cast.alice, version=third)


def test_rules_that_were_bent_past_the_guards_decide_nothing(cast: Cast) -> None:
    version = draft(cast, cases=[])
    DecisionTableVersion.objects.filter(pk=version.pk).update(definition=eligibility(early="5000"))
    version.refresh_from_db()
    publish_table(actor=cast.ada, version=version, acknowledgement="So.")
    with pytest.raises(StateConflict, match="not those that were published"):
        in_force(version.table)


def test_a_draft_that_somebody_changed_is_not_overwritten(cast: Cast) -> None:
    version = draft(cast)
    again = save_table(
        actor=cast.alice, table=version.table, draft=TableDraft(eligibility(early="60")), seen=version.digest
    )
    assert again.pk == version.pk
    with pytest.raises(StateConflict, match="changed this draft"):
        save_table(
            actor=cast.alice, table=version.table, draft=TableDraft(eligibility()), seen=version.digest
        )


@pytest.mark.parametrize(
    "definition", [[], {"inputs": 1}, {"model": 1}, {"rules": [{"tests": [1]}]}, {"x": 1}]
)
def test_what_is_no_table_is_not_kept(cast: Cast, definition: Any) -> None:
    with pytest.raises(ValidationFailed):
        draft(cast, definition=definition)


def test_nobody_of_another_team(cast: Cast) -> None:
    version = draft(cast)
    for attempt in (
        lambda: create_table(actor=cast.charlie, team=cast.team, slug="x", name="x"),
        lambda: save_table(actor=cast.charlie, table=version.table, draft=TableDraft(eligibility())),
        lambda: publish_table(actor=cast.charlie, version=version, acknowledgement="So."),
        lambda: import_table(actor=cast.charlie, table=version.table, document=b""),
        lambda: retire_table(actor=cast.charlie, version=version),
    ):
        with pytest.raises(PolicyDenied):
            attempt()
    assert not DecisionTable.objects.visible_to(cast.charlie)
    assert not DecisionTableVersion.objects.visible_to(cast.charlie)


@needs_cases
@pytest.mark.parametrize(
    "name", sorted(path.stem for path in (FOLDER / "models").glob("*.dmn")) or ["absent"]
)
def test_what_is_imported_is_exported_and_the_same(cast: Cast, name: str) -> None:
    table, document = make_table(cast), model_bytes(name)
    decides = import_model(document).decisions[-1].name
    first = import_table(actor=cast.alice, table=table, document=document, decides=decides)
    assert first.source
    model = as_model(read_definition(first.definition), table.name)
    again = import_table(actor=cast.alice, table=table, document=export_table(first), decides=model.decides)
    assert as_model(read_definition(again.definition), table.name) == model
