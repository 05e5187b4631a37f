"""What a call was allowed on is compared when its attempt is written: nobody acts on an old look."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from django.utils import timezone

from agentops.engine.breaker import Admission
from agentops.ledger.store import Cursor
from runs import guards, journal, session
from runs.actions import executing
from runs.guards import Guard
from runs.journal import Appended, Write
from runs.models import Run
from tests.rewriting import rewrite_appends
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.deeds import meanwhile
from tests.runs.test_authority import (
    Loss,
    close_account,
    let_the_grant_run_out,
    make_it_a_draft,
    retire_tool,
    take_permission,
)
from tools import assessment, execution
from tools.calls import ToolSpec
from tools.caps import reserve_caps
from tools.models import EffectRecord
from tools.standing import read_standing

LOSSES: list[tuple[Loss, str]] = [
    (take_permission, "no_object_permission"),
    (close_account, "account_inactive"),
    (let_the_grant_run_out, "grant_expired"),
    (retire_tool, "tool_retired"),
    (make_it_a_draft, "identity_draft"),
]


def lose_behind_the_assessment(
    company: Company, monkeypatch: pytest.MonkeyPatch, tool: str, loss: Loss
) -> tuple[str, str]:
    """Take something away when the second call has been allowed and is about to be written."""
    admit, asked = execution.admit, []

    def take_and_admit(spec: ToolSpec, *, forced_open: bool) -> Admission:
        asked.append(spec.name)
        if len(asked) == 2:
            loss(company)
        return admit(spec, forced_open=forced_open)

    monkeypatch.setattr(execution, "admit", take_and_admit)
    company.add_tool("refund")
    company.add_tool(tool, effect="read" if tool == "look_up" else "reversible")
    run = company.run(proposes(("refund", ORDER)), proposes((tool, ORDER)), says("Done."))
    assert asked[:2] == ["refund", tool]
    return company.states(run)[1]


@pytest.mark.parametrize("tool", ["look_up", "cancel"])
@pytest.mark.parametrize(("loss", "code"), LOSSES, ids=[loss.__name__ for loss, _ in LOSSES])
def test_an_attempt_is_not_written_on_an_old_look(
    company: Company, monkeypatch: pytest.MonkeyPatch, tool: str, loss: Loss, code: str
) -> None:
    assert lose_behind_the_assessment(company, monkeypatch, tool, loss) == ("refused", code)
    assert company.world.attempts == ["refund"]


def test_without_the_comparison_it_is_made(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant."""
    company.is_mutant = True
    rewrite_appends(monkeypatch, "n.seen IS DISTINCT FROM", "false AND n.seen IS DISTINCT FROM")
    assert lose_behind_the_assessment(company, monkeypatch, "cancel", take_permission) == ("succeeded", "ok")


# --- reads that were looked at before -----------------------------------------------------------------------


def look_up_twice(company: Company, between: Callable[[], object] = lambda: None) -> list[tuple[str, str]]:
    company.add_reads()
    company.world.mishaps.extend([meanwhile(between)])
    other = {"order_id": "A-2"}
    run = company.run(proposes(("look_up", ORDER)), proposes(("look_up", other)), says("Done."))
    return company.states(run)


def count_looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    looks, read = [], read_standing

    def look(*arguments: Any) -> Any:
        looks.append("look")
        return read(*arguments)

    monkeypatch.setattr(assessment, "read_standing", look)
    return looks


def test_the_same_tool_is_looked_at_once_a_drive(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = count_looks(monkeypatch)
    assert look_up_twice(company) == [("succeeded", "ok")] * 2
    assert looks == ["look"]


def test_a_tool_that_was_looked_at_and_has_changed_is_looked_at_anew(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = count_looks(monkeypatch)

    def lower() -> None:
        company.grant(company.versions[0].tool, "DENY")

    assert look_up_twice(company, lower) == [("succeeded", "ok"), ("refused", "denied_by_grant")]
    assert looks == ["look", "look"]


def test_an_old_look_that_refuses_is_not_taken_at_its_word(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was kept says no, because somebody thought better of it since."""
    keep = session.Session.read_clock

    def forget_the_permission(self: session.Session) -> Any:
        for tool, answer in self.standings.items():
            self.standings[tool] = replace(answer, standing=replace(answer.standing, guarded=False))
        return keep(self)

    monkeypatch.setattr(session.Session, "read_clock", forget_the_permission)
    assert look_up_twice(company) == [("succeeded", "ok")] * 2


# --- keys ---------------------------------------------------------------------------------------------------


def refund_twice(company: Company, **terms: Any) -> Run:
    company.add_tool("refund", **terms)
    return company.run(proposes(("refund", ORDER)), proposes(("refund", {"order_id": "A-2"})), says("Done."))


@pytest.mark.parametrize(("terms", "looked"), [({}, 1), ({"dedupe_on": ["order_id"]}, 2)], ids=["", "dedupe"])
def test_a_write_is_looked_at_anew_where_its_like_may_be_known(
    company: Company, monkeypatch: pytest.MonkeyPatch, terms: dict[str, Any], looked: int
) -> None:
    looks = count_looks(monkeypatch)
    run = refund_twice(company, **terms)
    assert (company.states(run), len(looks)) == ([("succeeded", "ok")] * 2, looked)


def use_the_second_key(company: Company) -> tuple[str, str]:
    """Return what becomes of a call under whose key something else has happened already."""
    first = company.add_tool("refund")

    def use() -> None:
        run = Run.objects.get()
        EffectRecord.objects.create(
            key=f"{run.pk}:2:refund:1", identity=company.cast.agent, tool_version=first, args_digest="another",
            state="succeeded", stream_id=run.pk, started_at=timezone.now(),
        )  # fmt: skip

    company.world.mishaps.extend([meanwhile(use)])
    run = company.run(proposes(("refund", ORDER)), proposes(("refund", {"order_id": "A-2"})), says("Done."))
    return company.states(run)[1]


def test_a_key_that_is_known_after_all_is_looked_up(company: Company) -> None:
    assert use_the_second_key(company) == ("refused", "key_reused")
    assert company.world.attempts == ["refund"]


def test_without_looking_for_the_key_it_is_made_again(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant."""
    company.is_mutant = True
    rewrite_appends(monkeypatch, "f.key = n.key", "false")
    assert use_the_second_key(company) != ("refused", "key_reused")


# --- behind a lock ------------------------------------------------------------------------------------------


def lose_while_waiting_for_a_cap(company: Company, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The permission goes while the attempt, already written, waits for its cap."""
    company.add_tool("look_up", grant=None)
    version = company.add_tool("refund", grant=None)
    company.grant(version.tool, "ALLOW_WITH_CAPS", caps=[{"per": "day", "count": 5}])
    reserve = reserve_caps

    def wait_and_reserve(*arguments: Any) -> bool:
        take_permission(company)
        return reserve(*arguments)

    monkeypatch.setattr(executing, "reserve_caps", wait_and_reserve)
    return company.states(company.run(proposes(("refund", ORDER)), says("Done.")))


def test_what_changed_while_a_cap_was_waited_for_stops_the_attempt(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = lose_while_waiting_for_a_cap(company, monkeypatch)
    assert (found, company.world.attempts) == ([("refused", "no_object_permission")], [])


def append_first(
    connection: psycopg.Connection[Any], cursor: Cursor, write: Write, guards: Sequence[Guard]
) -> Appended:
    """Append, and wait for a cap only then."""
    result = journal.append(connection, write)
    assert all(guard(cursor) for guard in guards)
    return result


def test_where_the_cap_is_waited_for_afterwards_it_is_made(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant."""
    company.is_mutant = True
    monkeypatch.setattr(guards, "append_with", append_first)
    assert lose_while_waiting_for_a_cap(company, monkeypatch) == [("succeeded", "ok")]
