"""No vector lets a run see what its full text would not: somebody else's, what waits for a person, what has expired."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from agentops.database import borrowed
from agentops.demo.planner.vectors import embed
from agentops.engine import events as e
from runs import erasure
from runs.memory.affected import find_affected
from runs.memory.meaning import making, ranking
from runs.memory.services import revert_memory
from runs.models import Memory, MemoryVector, Run
from runs.retention import trim
from tests.asking import kept_note
from tests.factories import AgentFactory, PrincipalFactory
from tests.rewriting import rewrite_text
from tests.runs.company import Company, says
from tests.runs.memory.desk import later, note, recalls
from tests.runs.memory.meaning.conftest import MODEL
from tests.runs.memory.meaning.test_making import unfollowed
from tests.runs.memory.meaning.thesaurus import meant

pytestmark = [pytest.mark.slow, pytest.mark.context]

NEAR = "Wants a refund."  # what is asked for, word for word
KINDS = ("own", "agent", "principal", "quarantined", "reverted", "deleted", "expired")


def place(run: Run, kind: str, number: int) -> Memory:
    """Have a note lie there whose vector is as near as can be, and which nobody is to see but of kind ``own``."""
    row: dict[str, Any] = {
        "state": "active",
        "label": "trusted",
        "text": f"{NEAR} {number}",
        "step": 50 + number,
        "written_at": timezone.now(),
    }
    if kind == "agent":
        row["identity"] = AgentFactory.create(team=run.team)
    elif kind == "principal":
        row["principal"] = PrincipalFactory.create(
            team=run.team, subject=f"other {row['written_at']} {number}"
        )
    elif kind == "expired":
        row |= {
            "written_at": row["written_at"] - timedelta(2),
            "expires_at": row["written_at"] - timedelta(1),
        }
    elif kind != "own":
        row |= {"state": kind, "text": "" if kind == "deleted" else row["text"]}
    made = kept_note(run, **row)
    # As if a vector had been made and was left, whatever the note has come to.
    had = {"model": MODEL, "dimension": 257, "numbers": [0.0] * 257, "due_at": None}
    MemoryVector.objects.update_or_create(memory=made, defaults=had)
    return made


def bring_near() -> None:
    """Let all vectors be that of what is asked for: then nothing but the filters keeps a note away."""
    MemoryVector.objects.exclude(model="").update(numbers=embed(NEAR, meant), dimension=257, due_at=None)


def entries(desk: Company, run: Run) -> set[str]:
    """Return the ids of all notes that a run was shown, as its record says."""
    return {each for facts in desk.facts(run, e.MEMORY_RECALLED) for each in facts["entries"]}


def look(desk: Company) -> set[str]:
    return entries(desk, later(desk, recalls("refund"), says("Done."), message=NEAR))


@pytest.mark.parametrize("kind", KINDS)
def test_only_ones_own_is_seen(clever: Company, kind: str) -> None:
    run = note(clever, "Has a dog.").run
    clever.is_mutant = True  # no stream tells of them
    placed = place(run, kind, 1)
    bring_near()
    assert (str(placed.pk) in look(clever)) == (kind == "own")


GUARDS = {
    "m.identity_id = %(identity)s": "agent",
    "m.principal_id = %(principal)s": "principal",
    "m.state = 'active'": "quarantined",
    "m.expires_at > %(now)s": "expired",
}


@pytest.mark.parametrize(("guard", "statement"), [*itertools.product(GUARDS, ("BEST", "MATCHING"))])
def test_without_the_condition_somebody_elses_is(
    clever: Company, monkeypatch: pytest.MonkeyPatch, guard: str, statement: str
) -> None:
    """The mutants, one for each filter."""
    run = note(clever, "Has a dog.").run
    making.make_vectors(timezone.now())
    clever.is_mutant = True
    if (
        guard == "m.state = 'active'"
    ):  # a row that is left is what the database sees to; the filter holds it off, too
        placed = place(run, "own", 1)
        with unfollowed():
            Memory.objects.filter(pk=placed.pk).update(state="reverted")
    else:
        placed = place(run, GUARDS[guard], 1)
    bring_near()
    rewrite_text(monkeypatch, ranking, statement, guard, "true")
    assert find(run, statement) >= {str(placed.pk)}


def find(run: Run, statement: str) -> set[str]:
    """Return which notes a statement finds for a run's agent and principal."""
    asked = {
        "identity": run.identity_id, "principal": run.principal_id, "now": timezone.now(), "most": 8,
        "words": NEAR, **ranking.describe(tuple(embed(NEAR, meant))),
    }  # fmt: skip
    with borrowed() as connection:
        return {str(row[0]) for row in connection.execute(getattr(ranking, statement), asked).fetchall()}


def test_without_the_condition_vectors_of_two_models_are_compared(
    clever: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant; those of another length the database itself refuses to compare."""
    entry = note(clever, "Has a dog.")
    making.make_vectors(timezone.now())
    MemoryVector.objects.update(model="embed-0")
    bring_near()
    assert str(entry.pk) not in find(entry.run, "MATCHING")
    rewrite_text(monkeypatch, ranking, "MATCHING", "v.model = %(model)s", "true")
    assert str(entry.pk) in find(entry.run, "MATCHING")


@given(st.lists(st.sampled_from(KINDS), max_size=12), st.sampled_from(["BEST", "MATCHING"]))
@settings(max_examples=40, deadline=None)
def check_what_is_found(run: Run, kinds: list[str], statement: str) -> None:
    MemoryVector.objects.all().delete()
    Memory.objects.filter(step__gte=50).delete()
    placed = [(kind, str(place(run, kind, number).pk)) for number, kind in enumerate(kinds)]
    bring_near()
    own = {pk for kind, pk in placed if kind == "own"}
    found = find(run, statement)
    assert not found & {pk for kind, pk in placed if kind != "own"}
    assert len(found & own) == min(len(own), 8)


def test_whatever_lies_there_only_ones_own_is_found(clever: Company) -> None:
    run = note(clever, "Has a dog.").run
    clever.is_mutant = True
    check_what_is_found(run)


# --- poisoned -----------------------------------------------------------------------------------------------------


def test_who_read_a_poisoned_note_is_listed_however_it_was_found(clever: Company) -> None:
    poisoned = note(clever, "Wants reimbursement always.")
    making.make_vectors(timezone.now())
    run = later(clever, message="A refund?")
    assert str(poisoned.pk) in entries(clever, run)
    assert [each.run_id for each in find_affected(poisoned, clever.cast.ada).readings] == [run.pk]
    revert_memory(actor=clever.cast.ada, memory=poisoned, reason="It is a trick.")
    assert str(poisoned.pk) not in look(clever)


# --- gone ---------------------------------------------------------------------------------------------------------


def test_what_expires_loses_its_vector(clever: Company) -> None:
    entry = note(clever, "Has a dog.")
    making.make_vectors(timezone.now())
    trim(entry.expires_at + timedelta(days=1))
    assert not MemoryVector.objects.exists()
    clever.is_mutant = True  # the clock was put forward


def test_who_is_erased_leaves_no_vector(clever: Company) -> None:
    entry = note(clever, "Has a dog.")
    making.make_vectors(timezone.now())
    assert MemoryVector.objects.exclude(numbers=None).count() == 1
    erasure.erase_principal(actor=clever.cast.ada, principal=entry.principal, reason="They asked for it.")
    assert not MemoryVector.objects.exists()
