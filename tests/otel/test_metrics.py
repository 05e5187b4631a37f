"""Metrics as Prometheus reads them: each entry counted once, how things stand, and nobody's data in a label."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from prometheus_client.parser import text_string_to_metric_families
from psycopg.errors import DivisionByZero
from pytest_django import Settings

from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from config.settings import check_metrics_token
from runs.metrics import counting, families
from runs.models import Count, CountMark, Run
from runs.tasks import count
from tests.otel.test_spans import SECRET, refund
from tests.runs.company import ISSUER, ORDER, SUBJECT, Company, proposes, says
from tests.runs.routing.tiers import BIG, SMALL, set_up, trip

pytestmark = pytest.mark.otel

TOKEN = "t" * 32
MOST_STATEMENTS = 10


@pytest.fixture(autouse=True)
def _token(settings: Settings) -> None:
    settings.METRICS_TOKEN = TOKEN


def ask(token: str = TOKEN) -> Any:  # Any: the test client's answer
    return Client().get("/metrics", headers={"authorization": f"Bearer {token}"})


def samples(text: str = "") -> dict[tuple[str, tuple[str, ...]], float]:
    """Return what is exposed by name and values of the labels, in the order of their names."""
    found = text_string_to_metric_families(text or ask().content.decode())
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in found
        for sample in family.samples
    }


def named(name: str) -> dict[tuple[str, ...], float]:
    return {labels: value for (found, labels), value in samples().items() if found == name}


def test_a_run_is_counted(company: Company) -> None:
    run = refund(company)
    entries = len(company.entries(run))
    assert count() == entries
    assert sum(named("agentops_ledger_entries_total").values()) == entries
    model = company.model
    assert named("gen_ai_client_inference_duration_seconds_count") == {("", "chat", model): 2}
    assert named("gen_ai_client_inference_usage_tokens_total") == {
        (model, "input"): 200,
        (model, "output"): 40,
    }
    assert named("agentops_model_cost_usd_total") == {(model,): pytest.approx(float(run.usd))}
    assert named("gen_ai_execute_tool_duration_seconds_count") == {("succeeded", "look_up"): 1}
    where = (company.cast.agent.slug, "completed", company.cast.team.slug)
    assert named("gen_ai_invoke_agent_duration_seconds_count") == {where: 1}


def test_each_entry_is_counted_once(company: Company) -> None:
    run = refund(company)
    count()
    assert count() == 0
    assert not CountMark.objects.exists()
    company.play(says("Hello."))
    company.drive(company.start())
    count()
    both = sum(len(company.entries(each)) for each in Run.objects.all())
    assert sum(named("agentops_ledger_entries_total").values()) == both > len(company.entries(run))


def test_who_dies_while_it_counts_has_counted_nothing(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = refund(company)
    with monkeypatch.context() as patch:
        patch.setattr(counting, "_DROP", "SELECT 1 / 0, %s::uuid[]")  # after all of it was written
        with pytest.raises(DivisionByZero):
            count()
    assert not Count.objects.exists()
    assert count() == len(company.entries(run))


def test_a_long_stream_is_counted_in_parts(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    run = refund(company)
    monkeypatch.setattr(counting, "ENTRIES", 2)
    assert count() == len(company.entries(run))


def test_buckets_hold_all_that_is_below(company: Company) -> None:
    refund(company)
    count()
    buckets = named("gen_ai_client_inference_duration_seconds_bucket")
    found = [value for _, value in sorted(buckets.items(), key=lambda item: float(item[0][3]))]
    assert len(found) == len(families.CALL_BUCKETS) + 1
    assert found == sorted(found)
    assert found[-1] == 2


def test_what_waits_is_told_as_it_stands(company: Company) -> None:
    company.let_decide(company.add_tool("refund", grant="REQUIRE_APPROVAL").tool)
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    team, agent = company.cast.team.slug, company.cast.agent.slug
    assert named("agentops_runs") == {(agent, "requires_action", team): 1}
    assert named("agentops_approvals_waiting") == {(team,): 1}
    assert named("agentops_approvals_oldest_waiting_seconds")[(team,)] >= 0
    assert named("agentops_uncounted_runs") == {(): 1}
    company.decide()
    company.drive(run)
    count()
    assert named("agentops_approvals_waiting") == {}
    assert named("agentops_approvals_settled_total") == {("refund", "granted"): 1}


def test_a_run_that_nobody_drives_makes_the_queue_late(company: Company) -> None:
    run = company.start()
    Run.objects.filter(pk=run.pk).update(wake_at=run.created_at.replace(year=run.created_at.year - 1))
    assert named("agentops_oldest_due_run_seconds")[()] > 86_400


def test_a_breaker_that_was_forced_open_is_seen(company: Company) -> None:
    tool = company.add_reads().tool
    type(tool).objects.filter(pk=tool.pk).update(forced_open_at=tool.created_at)
    assert named("agentops_breaker_state") == {("look_up", "forced_open", company.cast.team.slug): 1}


def test_no_label_holds_what_a_person_said_or_is(company: Company) -> None:
    company.add_reads()
    company.publish()
    company.play(proposes((f"invented_{SECRET}".replace("-", "_"), ORDER)), says(SECRET))
    company.drive(company.start(SECRET))
    count()
    text = ask().content.decode()
    for said in (SECRET, SECRET.replace("-", "_"), SUBJECT, ISSUER, str(Run.objects.get().pk)):
        assert said not in text
    assert "look_up" not in text


def test_statements_do_not_grow(company: Company) -> None:
    refund(company)
    count()
    with CaptureQueriesContext(connection) as asked:
        assert ask().status_code == 200
    assert len(asked) <= MOST_STATEMENTS


@pytest.mark.parametrize("token", ["", "x" * 32, TOKEN[:-1]])
def test_who_does_not_show_the_token_is_refused(company: Company, token: str) -> None:
    answer = ask(token)
    assert (answer.status_code, answer.content) == (401, b"")


def test_without_a_token_there_is_nothing_and_nothing_is_counted(
    company: Company, settings: Settings
) -> None:
    settings.METRICS_TOKEN = ""
    refund(company)
    assert ask("").status_code == 404
    assert not CountMark.objects.exists()
    assert count() == 0


def test_a_token_that_can_be_guessed_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured):
        check_metrics_token("short")
    assert check_metrics_token(TOKEN) == TOKEN
    assert check_metrics_token("") == ""


def test_without_the_look_at_the_token_everybody_reads(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hmac.compare_digest", lambda *_: True)
    with pytest.raises(AssertionError):
        test_who_does_not_show_the_token_is_refused(company, "x" * 32)


def test_without_the_move_entries_are_counted_again(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "_MOVE", "SELECT %s::uuid[], %s::int[]")
    monkeypatch.setattr(counting, "MOST_ROUNDS", 1)
    with pytest.raises(AssertionError):
        test_each_entry_is_counted_once(company)


def test_workers_that_count_at_once_count_each_entry_once(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "RUNS", 2)
    company.publish()
    company.play(says("Hello."))
    runs = [company.drive(company.start()) for _ in range(6)]
    with ThreadPoolExecutor(4) as pool:
        counted = sum(pool.map(lambda _: counting.count_all(), range(4)))
    assert counted == sum(len(company.entries(run)) for run in runs)
    assert sum(named("agentops_ledger_entries_total").values()) == counted


def test_facts_that_somebody_wrote_by_hand_add_nothing_and_stop_nothing(company: Company) -> None:
    run = company.start()
    strange = {"step": "one", "call": [], "latency_ms": "long", "usd": "1e400", "usage": {"input": "NaN"}}
    with transaction.atomic():
        record(run.pk, "run", Draft("step.decided", run.created_at, strange))
    assert count() == 2
    assert named("gen_ai_client_inference_duration_seconds_count") == {("", "chat", company.model): 1}
    assert named("agentops_model_cost_usd_total") == {}
    assert named("gen_ai_client_inference_usage_tokens_total") == {}


def test_a_model_that_is_down_is_seen_and_each_model_has_figures_of_its_own(company: Company) -> None:
    models = set_up(company, model_roles={"plan": [BIG, SMALL]})
    trip(BIG)
    models.play(says("Done."))
    company.drive(company.start())
    count()
    assert named("agentops_model_breaker_state") == {
        ("default", "big", "open"): 1,
        ("default", "small", "closed"): 1,
        ("default", company.model, "closed"): 1,
    }
    assert named("agentops_model_cost_usd_total") == {("small",): 0.00018}
