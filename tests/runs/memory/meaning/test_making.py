"""Notes get their vectors after they were written: what is sent, what it costs, and what is done where it fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from celery import current_app
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from agentops.ledger.store import read_entries
from identities.models import AgentIdentity, KillSwitch
from runs.memory.meaning import making, paying, provider
from runs.memory.services import delete_memory, release_memory, revert_memory
from runs.models import AgentVersion, BudgetWindow, Memory, MemoryVector
from runs.routing.providers import find_target
from runs.tasks import make_vectors
from tests.factories import BudgetFactory, PriceFactory
from tests.ledger.forging import as_owner
from tests.rewriting import rewrite
from tests.runs.company import Company
from tests.runs.memory.desk import note, note_from_a_stranger, republish
from tests.runs.memory.meaning.conftest import MODEL
from tests.runs.planner.provider import Conversation, reply, vectors
from tools.breaker import breaker

pytestmark = [pytest.mark.slow, pytest.mark.context]

DOG = "Has a dog."
DOWN = reply({"error": {}}, 503)
TOKENS = len(DOG) // 4


def make(later: timedelta = timedelta()) -> int:
    return making.make_vectors(timezone.now() + later)


def told(memory: Memory) -> list[dict[str, Any]]:
    """Return what the note's own stream says of its vectors."""
    with connection.cursor() as cursor:
        return [each.facts for each in read_entries(cursor, memory.pk) if each.kind == "memory.embedded"]


def has_vector(memory: Memory) -> bool:
    return MemoryVector.objects.filter(memory=memory).exclude(numbers=None).exists()


# --- made ---------------------------------------------------------------------------------------------------------


def test_a_note_gets_its_vector_and_the_record_says_what_it_has_cost(clever: Company) -> None:
    entry = note(clever, DOG)
    assert not has_vector(entry)
    assert make() == 1
    vector = MemoryVector.objects.get(memory=entry)
    assert (vector.model, vector.dimension, vector.due_at, vector.code) == (MODEL, 257, None, "")
    assert sum(number**2 for number in vector.numbers or ()) == pytest.approx(1)
    assert told(entry) == [
        {
            "run": str(entry.run_id), "requested_model": MODEL, "model": "embed-1-2026", "dimension": 257,
            "price_version": "embed-prices-1", "tokens": TOKENS, "usd": str(Decimal(TOKENS) / 10**6),
            "estimated": False, "kept": True,
        }
    ]  # fmt: skip
    assert clever.provider.embedded[-1].body["input"] == DOG
    assert make(timedelta(days=1)) == 0, "once is enough"


def test_a_worker_is_told_at_once(clever: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr(provider, "send_now", lambda task, **_: sent.append(task))
    note(clever, DOG)
    note_from_a_stranger(clever)
    assert sent == [provider.MAKE_VECTORS], "none is due for what is in quarantine"
    assert current_app.tasks[sent[0]].name == make_vectors.name
    assert make_vectors() == 1


def test_without_a_model_nobody_is_told_or_asked(clever: Company, settings: Settings) -> None:
    settings.EMBEDDINGS_MODEL = ""
    note(clever, DOG)
    assert make() == 0
    assert not clever.provider.embedded


def test_without_pgvector_nobody_is_asked(clever: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    rewrite(monkeypatch, making, "_can_compare", "to_regtype('vector')", "to_regtype('no_such_type')")
    note(clever, DOG)
    assert make() == 0
    assert not clever.provider.embedded


def test_what_is_in_quarantine_is_sent_once_it_is_released(clever: Company) -> None:
    entry = note_from_a_stranger(clever, DOG)
    assert (make(), MemoryVector.objects.count()) == (0, 0)
    release_memory(actor=clever.cast.ada, memory=entry, reason="It is true.")
    assert (make(), has_vector(entry)) == (1, True)


def test_what_versions_take_out_does_not_leave(clever: Company) -> None:
    entry = note(clever, "Pays with 4111 1111 1111 1111.")
    AgentVersion.objects.filter(state="published").update(state="retired")
    clever.publish(price=False, memory="auto", redact=["card"])
    make()
    assert clever.provider.embedded[-1].body["input"] == "Pays with [redacted card]."
    assert entry.text == "Pays with 4111 1111 1111 1111."


def test_unless_it_does(clever: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant."""
    note(clever, "Pays with 4111 1111 1111 1111.")
    republish(clever, memory="auto", redact=["card"])
    rewrite(monkeypatch, making, "_redact", ".redact_text(memory.text)", ".redact_text('') or memory.text")
    make()
    assert "4111" in clever.provider.embedded[-1].body["input"]


# --- another model ------------------------------------------------------------------------------------------------


def test_another_model_sees_all_notes_anew(clever: Company, settings: Settings) -> None:
    entry = note(clever, DOG)
    make()
    settings.EMBEDDINGS_MODEL = "embed-2"
    PriceFactory.create(model="embed-2")
    clever.provider.embed = vectors(data=[{"embedding": [3.0, 4.0]}])
    assert make() == 1
    vector = MemoryVector.objects.get(memory=entry)
    assert (vector.model, vector.attempts) == ("embed-2", 1)
    assert vector.numbers == pytest.approx([0.6, 0.8])
    assert [facts["requested_model"] for facts in told(entry)] == [MODEL, "embed-2"]


# --- when none can be made ----------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def closed_breakers() -> None:
    breaker().reset(find_target(MODEL).breaker_id)


def test_what_fails_is_tried_again_later_and_later_and_not_for_ever(clever: Company) -> None:
    entry = note(clever, DOG)
    clever.provider.embed = DOWN
    waits = []
    for _ in range(making.MOST_ATTEMPTS + 2):
        breaker().reset(find_target(MODEL).breaker_id)
        now = timezone.now()
        MemoryVector.objects.exclude(due_at=None).update(due_at=now)
        making.make_vectors(now)
        vector = MemoryVector.objects.get(memory=entry)
        waits.append((vector.due_at - now).total_seconds() / 60 if vector.due_at else None)
    assert waits[:8] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert len(clever.provider.embedded) == making.MOST_ATTEMPTS
    assert (vector.code, has_vector(entry)) == ("planner_unavailable", False)


def test_what_will_never_do_is_not_tried_again(clever: Company) -> None:
    entry = note(clever, DOG)
    clever.provider.embed = reply({"error": {}}, 400)
    make()
    vector = MemoryVector.objects.get(memory=entry)
    assert (vector.code, vector.due_at) == ("planner_rejected", None)


def test_a_worker_that_dies_leaves_it_due(clever: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = note(clever, DOG)
    with monkeypatch.context() as patch:
        patch.setattr(making, "_keep", _die)
        with pytest.raises(KeyboardInterrupt):
            make()
    assert make() == 0, "another worker may still have it"
    assert make(timedelta(minutes=2)) == 1
    assert has_vector(entry)


def _die(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_model_that_is_down_is_left_alone(clever: Company) -> None:
    clever.provider.embed = DOWN
    for number in range(7):
        note(clever, f"Note {number}.")
    make()
    assert len(clever.provider.embedded) == 5
    assert set(MemoryVector.objects.values_list("code", flat=True)) == {
        "planner_unavailable",
        "planner_circuit_open",
    }


def test_without_a_price_nobody_is_asked(clever: Company, settings: Settings) -> None:
    settings.EMBEDDINGS_MODEL = "unpriced"
    entry = note(clever, DOG)
    assert make() == 1
    assert not clever.provider.embedded
    assert MemoryVector.objects.get(memory=entry).code == "unknown_price"


# --- who may not --------------------------------------------------------------------------------------------------


def stop(clever: Company, how: str, entry: Memory) -> None:
    if how == "agent":
        AgentIdentity.objects.filter(pk=entry.identity_id).update(state="suspended")
    else:
        target = {"everything": "", "principal": str(entry.principal_id), "provider": "openai"}[how]
        KillSwitch.objects.create(scope=how, target=target, thrown_by=clever.cast.ada)


HOWS = ("agent", "everything", "principal", "provider")


@pytest.mark.parametrize("how", HOWS)
def test_what_is_stopped_sends_nothing(clever: Company, how: str) -> None:
    entry = note(clever, DOG)
    stop(clever, how, entry)
    make()
    assert not clever.provider.embedded
    assert MemoryVector.objects.get(memory=entry).code == "stopped"


@pytest.mark.parametrize("how", HOWS)
def test_unless_nobody_looks(clever: Company, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant."""
    stop(clever, how, note(clever, DOG))
    rewrite(monkeypatch, making, "_make", "if _is_stopped(memory, now):", "if False:")
    make()
    assert clever.provider.embedded


# --- budgets ------------------------------------------------------------------------------------------------------


def test_it_is_charged_to_the_budgets_of_agent_and_team(clever: Company) -> None:
    BudgetFactory.create(team=clever.cast.team, max_usd=Decimal(5))
    BudgetFactory.create(team=clever.cast.team, identity=clever.cast.agent, max_tokens=10**6)
    entry = note(clever, DOG)
    before = {each.pk: (each.committed_tokens, each.committed_usd) for each in BudgetWindow.objects.all()}
    make()
    [facts] = told(entry)
    for window in BudgetWindow.objects.all():
        tokens, usd = before[window.pk]
        assert window.committed_tokens == tokens + facts["tokens"]
        assert window.committed_usd == usd + Decimal(facts["usd"])


def test_what_they_cannot_bear_waits(clever: Company) -> None:
    entry = note(clever, DOG)
    BudgetFactory.create(team=clever.cast.team, max_tokens=3)
    make()
    assert not clever.provider.embedded
    assert MemoryVector.objects.get(memory=entry).code == "budget_short"
    assert BudgetWindow.objects.get().committed_tokens == 0


def test_unless_it_is_not_held(clever: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant."""
    note(clever, DOG)
    BudgetFactory.create(team=clever.cast.team, max_tokens=3)
    rewrite(monkeypatch, paying, "_hold", "tokens < worst.tokens", "False")
    make()
    assert clever.provider.embedded


@pytest.mark.parametrize(("answer", "charged"), [(DOWN, 0), (vectors(usage=None), len(DOG) + 16)])
def test_what_is_not_known_is_charged_in_full_and_a_refusal_not(
    clever: Company, answer: Any, charged: int
) -> None:
    note(clever, DOG)
    BudgetFactory.create(team=clever.cast.team, max_tokens=10**6)
    clever.provider.embed = answer
    make()
    assert BudgetWindow.objects.get().committed_tokens == charged


# --- taken back meanwhile -----------------------------------------------------------------------------------------

ENDS = {
    "revert": lambda desk, entry: revert_memory(actor=desk.cast.ada, memory=entry, reason="It is a trick."),
    "delete": lambda desk, entry: delete_memory(actor=desk.cast.ada, memory=entry),
}


@pytest.mark.parametrize("end", ENDS)
def test_what_is_taken_back_loses_its_vector(clever: Company, end: str) -> None:
    entry = note(clever, DOG)
    make()
    ENDS[end](clever, entry)
    assert not MemoryVector.objects.filter(memory=entry).exists()


def end_meanwhile(clever: Company, entry: Memory, end: str) -> None:
    answer = vectors()

    def turn(conversation: Conversation) -> None:
        ENDS[end](clever, entry)
        answer(conversation)

    clever.provider.embed = turn


@pytest.mark.parametrize("end", ENDS)
def test_what_is_taken_back_meanwhile_gets_none(clever: Company, end: str) -> None:
    entry = note(clever, DOG)
    end_meanwhile(clever, entry, end)
    make()
    assert not MemoryVector.objects.exists()
    assert [facts["kept"] for facts in told(entry)] == [False], "it is paid all the same"


@contextmanager
def unfollowed() -> Iterator[None]:
    """Take the guard away for a while: rows of vectors are left whatever becomes of their notes."""
    with as_owner(triggers=True) as owner:
        owner.execute("ALTER TABLE runs_memory DISABLE TRIGGER runs_memory_has_vector")
    yield
    with as_owner(triggers=True) as owner:
        owner.execute("ALTER TABLE runs_memory ENABLE TRIGGER runs_memory_has_vector")


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_unless_the_database_does_not_see_to_it(clever: Company, when: str) -> None:
    """The mutant: what of the note is personal stays."""
    entry = note(clever, DOG)
    with unfollowed():
        if when == "meanwhile":
            end_meanwhile(clever, entry, "delete")
        make()
        if when == "before":
            ENDS["delete"](clever, entry)
        assert has_vector(entry)
