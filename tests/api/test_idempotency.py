from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from agentops.api import idempotency
from agentops.api.models import IdempotentAnswer
from agentops.api.tasks import drop_old_answers
from runs.models import AgentVersion, Run
from tests.api.caller import caller_of
from tests.api.conftest import Callers
from tests.cast import Cast

pytestmark = pytest.mark.usefixtures("version")

CUSTOMER = {"issuer": "https://shop.example", "subject": "canary-customer-77"}


def task(**changes: object) -> dict[str, Any]:
    return {"agent": "refunds-agent", "message": "Refund me.", "principal": CUSTOMER, **changes}


def test_a_repeated_request_gives_the_first_answer(callers: Callers) -> None:
    first = callers.app.post("/runs", task(), key="k1")
    again = callers.app.post("/runs", task(), key="k1")
    assert (first.status, again.status) == (201, 201)
    assert (again.body, again.headers["Location"]) == (first.body, first.headers["Location"])
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert Run.objects.count() == 1


def test_the_answer_is_the_first_one_even_when_the_run_has_gone_on(callers: Callers) -> None:
    first = callers.app.post("/runs", task(), key="k1")
    Run.objects.update(state="completed")
    assert callers.app.post("/runs", task(), key="k1").body == first.body


def test_members_in_another_order_are_the_same_body(callers: Callers) -> None:
    first = callers.app.post("/runs", task(), key="k1")
    turned = dict(reversed(task().items()))
    assert callers.app.post("/runs", turned, key="k1").body == first.body


def test_the_same_key_with_another_body_is_refused(callers: Callers) -> None:
    callers.app.post("/runs", task(), key="k1")
    refused = callers.app.post("/runs", task(message="Refund me twice."), key="k1")
    assert (refused.status, refused.code) == (422, "idempotency_key_reused")
    assert Run.objects.count() == 1


def test_a_key_belongs_to_client_principal_and_route(cast: Cast, callers: Callers) -> None:
    first = callers.app.post("/runs", task(), key="k1")
    other_user = callers.app.post("/runs", task(principal={**CUSTOMER, "subject": "someone-else"}), key="k1")
    assert (first.status, other_user.status, Run.objects.count()) == (201, 201, 2)
    cancelled = [
        callers.app.post(f"/runs/{answer.body['id']}/cancel", key="k1") for answer in (first, other_user)
    ]
    assert [answer.status for answer in cancelled] == [202, 202]
    assert cancelled[0].body["id"] != cancelled[1].body["id"]


def test_another_key_of_the_same_application_is_the_same_client(cast: Cast, callers: Callers) -> None:
    first = callers.app.post("/runs", task(), key="k1")
    rotated = caller_of(cast, cast.application.service_account)
    assert rotated.post("/runs", task(), key="k1").body == first.body


@pytest.mark.parametrize(
    ("header", "key"), [("abc", "abc"), ('"abc"', "abc"), ('"a\\"c"', 'a"c'), (" abc ", "abc")]
)
def test_keys_come_bare_and_quoted(callers: Callers, header: str, key: str) -> None:
    first = callers.app.post("/runs", task(), Idempotency_Key=header)
    assert first.status == 201
    quoted = json.dumps(key)
    assert callers.app.post("/runs", task(), Idempotency_Key=quoted).body == first.body


@pytest.mark.parametrize("header", ["", '""', "x" * 256, "sch\u00f6n", "a\tb", "\u00a0key"])
def test_a_malformed_key_is_refused(callers: Callers, header: str) -> None:
    refused = callers.app.post("/runs", task(), Idempotency_Key=header)
    assert (refused.status, refused.code) == (400, "idempotency_key_invalid")


def test_a_key_has_255_characters(callers: Callers) -> None:
    assert callers.app.post("/runs", task(), key="x" * 255).status == 201


def test_a_missing_key_is_refused_where_it_is_required(callers: Callers) -> None:
    refused = callers.app.post("/runs", task())
    assert (refused.status, refused.code) == (400, "idempotency_key_missing")
    assert not Run.objects.exists()


def test_a_refusal_is_not_kept(callers: Callers, version: AgentVersion) -> None:
    agent = version.identity
    agent.state = "suspended"
    agent.save()
    refused = callers.app.post("/runs", task(), key="k1")
    assert (refused.status, refused.code) == (409, "agent_not_active")
    agent.state = "active"
    agent.save()
    assert callers.app.post("/runs", task(), key="k1").status == 201


def test_after_a_day_the_key_is_free(callers: Callers) -> None:
    first = callers.app.post("/runs", task(), key="k1")
    IdempotentAnswer.objects.update(created_at=timezone.now() - timedelta(hours=24, seconds=1))
    second = callers.app.post("/runs", task(message="Something else."), key="k1")
    assert (second.status, second.body["id"] != first.body["id"]) == (201, True)


def test_until_the_day_is_over_the_answer_is_given_again(callers: Callers) -> None:
    started = timezone.now()
    with time_machine.travel(started, tick=False):
        first = callers.app.post("/runs", task(), key="k1")
    with time_machine.travel(started + timedelta(hours=23, minutes=59, seconds=59), tick=False):
        assert drop_old_answers() == 0
        again = callers.app.post("/runs", task(), key="k1")
    assert (again.status, again.body, again.headers["Idempotent-Replayed"]) == (201, first.body, "true")
    assert Run.objects.count() == 1


def test_old_answers_are_dropped(callers: Callers) -> None:
    callers.app.post("/runs", task(), key="old")
    IdempotentAnswer.objects.update(created_at=timezone.now() - timedelta(hours=25))
    callers.app.post("/runs", task(), key="new")
    assert drop_old_answers() == 1
    assert IdempotentAnswer.objects.count() == 1


def test_what_is_kept_names_nobody(callers: Callers) -> None:
    answer = callers.app.post("/runs", task(message="canary-message"), key="canary-key")
    assert "canary-customer-77" in str(answer.body)
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(a::text, '') FROM api_idempotentanswer a")
        kept = cursor.fetchone()[0]
    assert "canary" not in kept


@pytest.mark.django_db(transaction=True)
def test_a_request_in_flight_is_a_conflict_and_dies_with_its_process(
    cast: Cast, callers: Callers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is the transaction's: while it lives 409, when its connection dies the key is free again."""
    entered, killed = threading.Event(), threading.Event()

    def stall(scope: str, fingerprint: str, operation: object, answer: object) -> None:
        entered.set()
        killed.wait(20)
        connection.close()  # as a kill -9 would end it: without a commit
        raise RuntimeError("killed")

    original = idempotency._keep
    monkeypatch.setattr(idempotency, "_keep", stall)
    first = threading.Thread(target=callers.app.post, args=("/runs", task()), kwargs={"key": "k1"})
    first.start()
    assert entered.wait(20)
    refused = callers.app.post("/runs", task(), key="k1")
    killed.set()
    first.join(20)
    assert (refused.status, refused.code) == (409, "idempotency_key_in_flight")

    monkeypatch.setattr(idempotency, "_keep", original)
    assert callers.app.post("/runs", task(), key="k1").status == 201
    assert Run.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_without_the_lock_a_request_in_flight_is_acted_on_again(
    cast: Cast, callers: Callers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: both act, and the later answer takes the place of the other."""
    acted, looked = threading.Event(), threading.Event()
    keep, first_status = idempotency._keep, []

    def dawdle(*arguments: Any) -> None:
        if threading.current_thread() is first:
            acted.set()
            looked.wait(20)
        keep(*arguments)

    def look(execute: Any, statement: str, *arguments: Any) -> Any:  # Any: what Django hands a wrapper
        result = execute(statement, *arguments)
        if IdempotentAnswer._meta.db_table in statement:
            looked.set()
        return result

    def send() -> None:
        first_status.append(callers.app.post("/runs", task(), key="k1").status)
        connection.close()

    monkeypatch.setattr(idempotency, "_take_lock", lambda scope: None)
    monkeypatch.setattr(idempotency, "_keep", dawdle)
    first = threading.Thread(target=send)
    first.start()
    assert acted.wait(20)
    with connection.execute_wrapper(look):  # acting takes rows that the first holds until it is done
        second = callers.app.post("/runs", task(), key="k1")
    first.join(20)
    assert (second.status, first_status) == (201, [201])
    assert Run.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_many_at_once_start_one_run(cast: Cast, callers: Callers) -> None:
    answers: list[Any] = []

    def send() -> None:
        answers.append(callers.app.post("/runs", task(), key="k1"))
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert {answer.status for answer in answers} <= {201, 409}
    assert len({answer.body["id"] for answer in answers if answer.status == 201}) == 1
    assert Run.objects.count() == 1


def test_act_and_answer_are_one_transaction(callers: Callers, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the process dies before the answer is kept")

    monkeypatch.setattr(idempotency, "_keep", fail)
    with transaction.atomic():
        assert callers.app.post("/runs", task(), key="k1").status == 500
    assert not Run.objects.exists()


@pytest.mark.parametrize("missing", ["status", "body"])
def test_the_database_keeps_no_half_answer(db: None, missing: str) -> None:
    whole: dict[str, Any] = {"scope": "s", "fingerprint": "f", "status": 201, "body": {}}
    with pytest.raises(IntegrityError), transaction.atomic():
        IdempotentAnswer.objects.create(**{**whole, missing: None})
    IdempotentAnswer.objects.create(**whole)
