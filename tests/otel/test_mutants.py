"""Each guard taken out: the tests of the suite that are about it fail."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import Settings

from agentops.ledger.store import read_entries_for_people
from identities.oauth import fetching
from runs.models import SpanExport
from runs.telemetry import exporting, otlp, outbox, spans
from tests.otel import test_families, test_spans
from tests.otel.receiver import Receiver
from tests.runs.company import Company
from tests.runs.delegation.conftest import House

pytestmark = pytest.mark.otel


def _always_with_contents(patch: pytest.MonkeyPatch) -> None:
    read = read_entries_for_people

    def tell_all(*given: Any, **more: Any) -> Any:  # Any: as the function that it stands for
        return read(*given, **{**more, "contents": True})

    patch.setattr(exporting, "read_entries_for_people", tell_all)


def _ids_by_chance(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(spans, "derive_span_id", lambda *_: secrets.token_hex(8))


def _whatever_the_caller_wants(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("agentops.tracing.TraceContext.is_sampled", True)


def _moves_before_it_is_taken(patch: pytest.MonkeyPatch) -> None:
    send = exporting._send

    def move_first(due: outbox.Due) -> None:
        outbox.move(due, to=due.seq, open_seq=0, has_ended=True)
        send(due)

    patch.setattr(exporting, "_send", move_first)


def _goes_on_after_a_refusal(patch: pytest.MonkeyPatch) -> None:
    export_one = exporting._export_one

    def go_on(due: outbox.Due) -> bool:
        export_one(due)
        return True

    patch.setattr(exporting, "_export_one", go_on)


def _connects_anywhere(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(fetching, "resolve", lambda host, port, **_: [host])
    patch.setattr(otlp._Guarded, "refuses", lambda *_: False)


def _forgets_what_is_open(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(outbox.Due, "read_after", property(lambda due: due.seq))


Test = Callable[..., None]
GUARDS: dict[Callable[[pytest.MonkeyPatch], None], Test] = {
    _always_with_contents: test_spans.test_nothing_that_anybody_said_is_told,
    _ids_by_chance: test_spans.test_told_twice_it_is_the_same_spans,
    _whatever_the_caller_wants: test_spans.test_a_caller_who_wants_no_record_gets_none,
    _goes_on_after_a_refusal: test_spans.test_other_runs_are_given_back_when_one_is_not_taken,
    _forgets_what_is_open: test_spans.test_a_run_that_goes_on_is_told_of_as_far_as_it_went,
}


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.__name__.strip("_"))
def test_without_it_the_suite_is_red(
    company: Company, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, guard: Any
) -> None:
    guard(monkeypatch)
    with pytest.raises(AssertionError):
        GUARDS[guard](company, receiver)


def test_a_note_before_the_answer_loses_what_is_refused(
    company: Company, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    _moves_before_it_is_taken(monkeypatch)
    with pytest.raises(SpanExport.DoesNotExist):
        test_spans.test_a_collector_that_refuses_gets_it_later(company, receiver, 400)


def test_without_the_guard_of_addresses_it_connects(
    company: Company, receiver: Receiver, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    _connects_anywhere(monkeypatch)
    with pytest.raises(AssertionError):
        test_spans.test_a_collector_elsewhere_is_reached_within_the_operators_networks(
            company, receiver, settings
        )


def test_without_the_parents_span_the_child_stands_alone(
    company: Company, receiver: Receiver, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runs.lease_rows.RunContext.traceparent_of", lambda *_: "")
    company.expects_fault = company.is_mutant = True
    with pytest.raises(AssertionError):
        test_families.test_a_child_stands_below_the_call_that_made_it(receiver, house, company)


house = test_families.house
