"""Rows that people describe: what is refused, and as what."""

from __future__ import annotations

import pytest
from django.db import connection

from agentops.errors import StateConflict, ValidationFailed
from agentops.rows import check_fields, insert_row, update_row
from identities.models import Team
from runs.models import AgentVersion


@pytest.mark.usefixtures("db")
def test_taken_name_is_a_conflict() -> None:
    insert_row(Team(slug="support", name="Support"))

    with pytest.raises(StateConflict, match="already_exists"):
        insert_row(Team(slug="support", name="Other"))
    assert Team.objects.get().name == "Support"


@pytest.mark.usefixtures("db")
def test_name_taken_in_between_is_the_same_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    insert_row(Team(slug="support", name="Support"))
    monkeypatch.setattr(Team, "validate_unique", lambda _: None)  # as if asked a moment earlier

    with pytest.raises(StateConflict, match="already_exists"):
        insert_row(Team(slug="support", name="Other"))
    assert connection.needs_rollback is False


def test_problems_name_their_fields() -> None:
    with pytest.raises(ValidationFailed) as refusal:
        check_fields(Team(slug="no spaces", name=""))
    assert {problem.split(":")[0] for problem in refusal.value.problems} == {"slug", "name"}


def test_nothing_is_demanded_of_a_column_that_takes_null() -> None:
    with pytest.raises(ValidationFailed) as refusal:
        check_fields(AgentVersion(max_steps=None, number=1))
    assert "max_steps" not in refusal.value.detail
    assert "identity" in refusal.value.detail


@pytest.mark.usefixtures("db")
def test_update_writes_what_differs_only() -> None:
    team = Team(slug="support", name="Support")
    insert_row(team)
    Team.objects.update(slug="renamed")  # by somebody else, meanwhile

    assert update_row(team, {"name": "Help desk"}) == {"name": ("Support", "Help desk")}
    assert update_row(team, {"name": "Help desk"}) == {}
    team.refresh_from_db()
    assert (team.slug, team.name) == ("renamed", "Help desk")
    with pytest.raises(ValidationFailed):
        update_row(team, {"name": "x" * 121})
