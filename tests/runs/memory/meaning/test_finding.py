"""Notes are found by their meaning beside their words; whatever keeps a run from that, their words will do."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from agentops.engine import events as e
from runs.memory.meaning import asking, making
from runs.models import BudgetWindow, Memory, MemoryVector, Run
from runs.replays.services import replay_run
from runs.routing import choosing
from runs.routing.providers import find_target
from runs.services import add_message
from runs.trace_titles import title_of
from tests.asking import kept_note
from tests.factories import BudgetFactory, PriceFactory
from tests.rewriting import rewrite, rewrite_text
from tests.runs.company import Company, says
from tests.runs.memory.desk import later, note, recalls, republish, shown
from tests.runs.memory.meaning.conftest import MODEL
from tests.runs.memory.meaning.thesaurus import meant
from tests.runs.planner.provider import Conversation, Turn, raw, reply, vectors
from tests.runs.test_driver import crash, drive_and_crash
from tools.breaker import breaker

pytestmark = [pytest.mark.slow, pytest.mark.context]

VOUCHER = "Prefers reimbursement as a voucher."
ASKS = "Can I have a refund?"  # shares no word with it, by any stem
BOTH = {"ways": ["words", "meaning"]}


def remember(desk: Company, *texts: str) -> list[Memory]:
    """Have runs note these, one each, and a worker give them their vectors."""
    notes = [note(desk, text) for text in texts]
    making.make_vectors(timezone.now())
    return notes


def recalled(desk: Company, run: Run) -> list[str]:
    return [each["text"] for each in desk.content(run, e.MEMORY_RECALLED)["notes"]]


def ways_of(desk: Company, run: Run) -> list[dict[str, Any]]:
    """Return by which ways each recall has found its notes."""
    told = desk.facts(run, e.MEMORY_RECALLED)
    return [{name: facts[name] for name in ("ways", "without") if name in facts} for facts in told]


@pytest.fixture(autouse=True)
def closed_breakers() -> Iterator[None]:
    breaker().reset(find_target(MODEL).breaker_id)
    yield
    breaker().reset(find_target(MODEL).breaker_id)


# --- found --------------------------------------------------------------------------------------------------------


def test_a_paraphrase_comes_first(clever: Company) -> None:
    remember(clever, VOUCHER, "Has a dog.", "Speaks Danish.")
    run = later(clever, message=ASKS)
    assert recalled(clever, run)[0] == VOUCHER
    assert ways_of(clever, run) == [BOTH]
    assert VOUCHER in shown(clever)


def test_by_words_alone_the_newest_does(clever: Company, settings: Settings) -> None:
    remember(clever, VOUCHER, "Has a dog.", "Speaks Danish.")
    settings.EMBEDDINGS_MODEL = ""
    run = later(clever, message=ASKS)
    assert recalled(clever, run)[0] == "Speaks Danish."
    assert ways_of(clever, run) == [{}]
    assert e.EMBEDDING_REQUESTED not in clever.kinds(run)


def test_the_planner_finds_it_too(clever: Company) -> None:
    remember(clever, VOUCHER)
    run = later(clever, recalls("refund"), recalls("xyzzy"), says("Done."))
    assert [[each["text"] for each in told["notes"]] for told in clever.observations()] == [[VOUCHER], []]
    assert clever.states(run) == [("succeeded", "recalled"), ("succeeded", "recalled")]
    assert ways_of(clever, run) == [BOTH, BOTH, BOTH]
    asked = clever.facts(run, e.EMBEDDING_REQUESTED)
    assert [(facts["step"], facts.get("for_call")) for facts in asked] == [(0, None), (1, 1), (2, 1)]


def test_words_and_meaning_count_together(clever: Company) -> None:
    """What both find stands before what one of them does, and of equals the newest is first."""
    remember(
        clever, "Has a hound.", "Refund by voucher.", "Asked about the refund before, in writing.", VOUCHER
    )
    found = recalled(clever, later(clever, message="refund by voucher"))
    assert found[0] == "Refund by voucher."
    assert found[-1] == "Has a hound."


def test_of_equals_the_newest_is_first(clever: Company) -> None:
    run = note(clever, "Has a dog.").run
    clever.is_mutant = True  # no stream tells of them
    at = timezone.now()
    row: dict[str, Any] = {"state": "active", "label": "trusted", "text": "Has a dog.", "written_at": at}
    made = [kept_note(run, step=9 + number, **row) for number in range(4)]
    making.make_vectors(timezone.now())
    orders = {
        tuple(each["id"] for each in clever.content(later(clever, message="dog"), e.MEMORY_RECALLED)["notes"])
        for _ in range(2)
    }
    (order,) = orders
    assert list(order)[:4] == [str(each.pk) for each in reversed(made)]


def test_a_note_without_a_vector_is_found_by_its_words(clever: Company) -> None:
    remember(clever, "Has a dog.")
    note(clever, "Wants a voucher.")
    assert recalled(clever, later(clever, message="A voucher, please."))[0] == "Wants a voucher."


# --- on the record ------------------------------------------------------------------------------------------------


def test_it_is_paid_by_the_run_and_told(clever: Company) -> None:
    remember(clever, VOUCHER)
    run = later(clever, message=ASKS)
    [asked], [made] = clever.facts(run, e.EMBEDDING_REQUESTED), clever.facts(run, e.EMBEDDING_MADE)
    [decided] = clever.facts(run, e.STEP_DECIDED)
    tokens = len(ASKS) // 4
    assert (asked["model"], asked["price_version"], asked["role"]) == (MODEL, "embed-prices-1", "embed")
    assert asked["reserved_tokens"] > tokens
    assert (made["tokens"], made["usd"], made["dimension"]) == (tokens, str(Decimal(tokens) / 10**6), 257)
    assert run.tokens == tokens + decided["tokens"]
    assert run.usd == Decimal(made["usd"]) + Decimal(decided["usd"])
    assert title_of(e.EMBEDDING_REQUESTED, asked, "").startswith("embed-1 is asked for the vector")
    [facts] = clever.facts(run, e.MEMORY_RECALLED)
    assert title_of(e.MEMORY_RECALLED, facts, "") == (
        "Recalls 1 notes of earlier runs, by their words and by their meaning"
    )


def test_the_provider_is_sent_the_request_and_nothing_else(clever: Company) -> None:
    republish(clever, memory="auto", redact=["card"])
    remember(clever, VOUCHER)
    before = len(clever.provider.embedded)
    run = later(clever, message=f"{ASKS} My card is 4111 1111 1111 1111.")
    [received] = clever.provider.embedded[before:]
    assert received.path == "/v1/embeddings"
    assert received.body == {
        "model": MODEL, "input": f"{ASKS} My card is [redacted card].", "encoding_format": "float",
    }  # fmt: skip
    assert received.headers["authorization"] == "Bearer sk-test"
    assert received.headers["traceparent"].split("-")[1] == run.trace_id
    assert clever.facts(run, e.EMBEDDING_REQUESTED)[0]["redacted"] == 1


def test_a_card_would_leave(clever: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant."""
    republish(clever, memory="auto", redact=["card"])
    remember(clever, VOUCHER)
    rewrite(monkeypatch, asking, "find_vector", "Redactor(session.version.redact)", "Redactor(())")
    monkeypatch.setattr("runs.memory.reading.find_vector", asking.find_vector)
    later(clever, message=f"{ASKS} My card is 4111 1111 1111 1111.")
    assert "4111" in clever.provider.embedded[-1].body["input"]


def test_a_replay_asks_nobody_and_finds_no_difference(clever: Company) -> None:
    remember(clever, VOUCHER)
    run = later(clever, recalls("refund"), says("Done."), message=ASKS)
    asked = len(clever.provider.embedded)
    MemoryVector.objects.update(numbers=None, dimension=0)
    assert not replay_run(actor=clever.cast.alice, run=run).differences
    assert len(clever.provider.embedded) == asked


# --- when there is no vector --------------------------------------------------------------------------------------


def hang(conversation: Conversation) -> None:
    conversation.wait()


NOTHING: list[Any] = [{"embedding": []}]
FAULTS: dict[str, Turn] = {
    "planner_unavailable": reply({"error": {}}, 503),
    "planner_rate_limited": reply({"error": {}}, 429, Retry_After="60"),
    "planner_unauthorised": reply({"error": {}}, 401),
    "planner_rejected": reply({"error": {}}, 404),
    "planner_invalid_answer": vectors(data=NOTHING),
    "planner_connection_lost": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"),
    "planner_timeout": hang,
}


@pytest.mark.parametrize("code", FAULTS)
def test_whatever_is_wrong_with_the_endpoint_words_will_do(
    clever: Company, settings: Settings, code: str
) -> None:
    remember(clever, "Has a dog.", "Wants a voucher.", "Is deaf.")
    settings.EMBEDDINGS_TIMEOUT_S = 1.0
    clever.provider.embed = FAULTS[code]
    run = later(clever, recalls("dog"), says("Done."), message="A voucher, please.")
    assert run.state == "completed"
    assert recalled(clever, run) == ["Has a dog."]
    assert ways_of(clever, run) == [{"ways": ["words"], "without": code}] * 2
    failed = clever.facts(run, e.EMBEDDING_FAILED)
    assert [facts["code"] for facts in failed] == [code, code]
    assert run.tokens == sum(facts["tokens"] for facts in [*failed, *clever.facts(run, e.STEP_DECIDED)])
    [facts, _] = clever.facts(run, e.MEMORY_RECALLED)
    assert ", by their words alone: " in title_of(e.MEMORY_RECALLED, facts, "")


def test_one_that_is_down_is_not_asked_again_and_again(clever: Company, settings: Settings) -> None:
    remember(clever, "Has a dog.")
    clever.provider.embed = FAULTS["planner_unavailable"]
    for _ in range(5):
        later(clever)
    asked = len(clever.provider.embedded)
    run = later(clever)
    assert ways_of(clever, run) == [{"ways": ["words"], "without": "planner_circuit_open"}]
    assert len(clever.provider.embedded) == asked


def test_without_a_price_nobody_is_asked(clever: Company, settings: Settings) -> None:
    remember(clever, "Has a dog.")
    settings.EMBEDDINGS_MODEL = "unpriced"
    MemoryVector.objects.update(model="unpriced")
    run = later(clever)
    assert (run.state, ways_of(clever, run)) == ("completed", [{"ways": ["words"], "without": "no_price"}])
    assert e.EMBEDDING_REQUESTED not in clever.kinds(run)


def test_what_the_run_cannot_afford_is_done_without(clever: Company, settings: Settings) -> None:
    remember(clever, "Has a dog.")
    PriceFactory.create(model="dear", input_usd_per_mtok=10**7)
    settings.EMBEDDINGS_MODEL = "dear"
    MemoryVector.objects.update(model="dear")
    run = later(clever)
    assert (run.state, ways_of(clever, run)) == ("completed", [{"ways": ["words"], "without": "no_budget"}])


def test_before_there_is_a_vector_nobody_is_asked(clever: Company) -> None:
    note(clever, "Has a dog.")
    asked = len(clever.provider.embedded)
    assert ways_of(clever, later(clever)) == [{"ways": ["words"], "without": "no_vectors"}]
    assert len(clever.provider.embedded) == asked


def test_without_a_key_nobody_is_asked(clever: Company, settings: Settings) -> None:
    remember(clever, "Has a dog.")
    settings.MODEL_PROVIDERS = {"backup": clever.provider.base_url}
    settings.EMBEDDINGS_MODEL = "backup/embed-1"
    PriceFactory.create(model="backup/embed-1")
    MemoryVector.objects.update(model="backup/embed-1")
    asked = len(clever.provider.embedded)
    assert ways_of(clever, later(clever)) == [{"ways": ["words"], "without": "no_endpoint"}]
    note(clever, "Is deaf.")
    making.make_vectors(timezone.now())
    assert MemoryVector.objects.get(numbers=None).code == "no_endpoint"
    assert len(clever.provider.embedded) == asked


def test_without_pgvector_nobody_is_asked(clever: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(clever, "Has a dog.")
    rewrite_text(monkeypatch, asking, "_COMPARABLE", "to_regtype('vector')", "to_regtype('no_such_type')")
    run = later(clever)
    assert ways_of(clever, run) == [{"ways": ["words"], "without": "no_pgvector"}]
    assert recalled(clever, run) == ["Has a dog."]


def test_a_run_that_goes_by_older_rules_goes_by_words(
    clever: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(clever, "Has a dog.")
    monkeypatch.setattr("runs.starting.ENGINE_VERSION", 14)
    run = later(clever)
    assert (ways_of(clever, run), e.EMBEDDING_REQUESTED in clever.kinds(run)) == ([{}], False)


def test_vectors_of_another_model_are_not_compared(clever: Company) -> None:
    [first, second] = remember(clever, VOUCHER, "Has a dog.")
    MemoryVector.objects.filter(memory=first).update(model="embed-0")
    run = later(clever, recalls("refund"), says("Done."))
    assert recalled(clever, run) == []
    assert second.vector.model == MODEL


def test_nor_are_those_of_another_length(clever: Company) -> None:
    remember(clever, VOUCHER)
    clever.provider.embed = vectors(data=[{"embedding": [1.0, 0.0]}])
    run = later(clever, recalls("refund"), says("Done."))
    assert (run.state, recalled(clever, run)) == ("completed", [])


# --- while it is under way ----------------------------------------------------------------------------------------


def test_a_vector_that_died_with_its_driver_is_charged_and_asked_for_again(
    clever: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(clever, VOUCHER)
    clever.play(says("Done."))
    run = clever.start(ASKS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asking, "_note_made", crash)
        drive_and_crash(clever, run)
    run = clever.drive(run)
    [lost] = clever.facts(run, e.EMBEDDING_FAILED)
    asked, _ = clever.facts(run, e.EMBEDDING_REQUESTED)
    assert (run.state, lost["code"], lost["usd"]) == ("completed", "lost", asked["reserved_usd"])
    assert ways_of(clever, run) == [BOTH]


def test_what_is_said_meanwhile_is_read_and_the_vector_is_paid_for_once(
    clever: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(clever, VOUCHER)
    run, answer = clever.start(ASKS), vectors(meant)
    clever.play(says("Done."))

    def interrupt(conversation: Conversation) -> None:
        add_message(actor=clever.cast.application.service_account, run=run, text="Be quick.")
        answer(conversation)

    clever.provider.embed = interrupt
    before = len(clever.provider.embedded)
    run = clever.drive(run)
    assert run.state == "completed"
    assert len(clever.provider.embedded) == before + 1
    assert ways_of(clever, run) == [BOTH]
    assert "Be quick." in shown(clever)


def test_a_shared_budget_is_drawn_on(clever: Company) -> None:
    remember(clever, VOUCHER)
    BudgetFactory.create(team=clever.cast.team, max_usd=Decimal(5))
    run = later(clever, recalls("refund"), says("Done."), message=ASKS)
    assert run.state == "completed"
    assert BudgetWindow.objects.get().committed_usd == run.usd


def test_one_that_has_nothing_left_ends_the_run_as_with_any_other_call(clever: Company) -> None:
    remember(clever, VOUCHER)
    BudgetFactory.create(team=clever.cast.team, max_usd=Decimal("0.000001"))
    run = later(clever, message=ASKS)
    assert (run.state, clever.facts(run, e.BUDGET_EXHAUSTED)[0]["limit"]) == ("halted", "shared_usd")


def test_a_provider_that_takes_more_than_was_held_is_told_of(clever: Company) -> None:
    remember(clever, VOUCHER)
    clever.provider.embed = vectors(meant, usage={"prompt_tokens": 900, "total_tokens": 900})
    [made] = clever.facts(later(clever, message=ASKS), e.EMBEDDING_MADE)
    assert (made["overrun"], made["tokens"]) == (True, 900)


def test_without_usage_what_was_held_is_charged(clever: Company) -> None:
    remember(clever, VOUCHER)
    clever.provider.embed = vectors(meant, usage=None)
    run = later(clever, message=ASKS)
    [asked], [made] = clever.facts(run, e.EMBEDDING_REQUESTED), clever.facts(run, e.EMBEDDING_MADE)
    assert (made["estimated"], made["usd"]) == (True, asked["reserved_usd"])


def test_where_it_was_not_held_before_a_dear_one_is_paid_anyway(
    clever: Company, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: a completion of no token fits into any budget."""
    remember(clever, "Has a dog.")
    PriceFactory.create(model="dear", input_usd_per_mtok=10**7, output_usd_per_mtok=0)
    settings.EMBEDDINGS_MODEL = "dear"
    MemoryVector.objects.update(model="dear")
    clever.is_mutant = True
    changed = rewrite(monkeypatch, choosing, "want_vector", "prompt_tokens, 1)", "prompt_tokens, 0)")
    monkeypatch.setattr(asking, "want_vector", changed)
    assert e.EMBEDDING_MADE in clever.kinds(later(clever))
