"""Several workers and people at one approval at the same moment, on PostgreSQL: it is used once, or not at all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, ProgrammingError, connection, connections, transaction
from django.utils import timezone

from agentops.errors import AgentOpsError, PolicyDenied
from agentops.identifiers import new_id
from approvals import gate, services
from approvals.models import ApprovalRequest
from approvals.services import decide, void_request, void_requests
from runs.driver import drive
from runs.models import Run
from tests.approvals.bending import unguarded
from tests.approvals.conftest import company
from tests.approvals.laboratory import approved_assessment, request_of
from tests.approvals.test_gate import request_for
from tests.rewriting import rewrite
from tests.runs.company import HERE, Company
from tests.runs.deeds import WORLD
from tests.runs.previews import change_account, show_refunds, turns
from tools import execution
from tools.permits import Permit

__all__ = ["company"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.approvals, pytest.mark.slow]

ROUNDS = 25


def at_once(*deeds: Callable[[], Any]) -> list[Any]:
    """Do all of it at the same moment, each in a thread and on connections of its own; return what came of each."""
    gun, ends = threading.Barrier(len(deeds)), [None] * len(deeds)

    def run(place: int, deed: Callable[[], Any]) -> None:
        gun.wait()
        try:
            ends[place] = deed()
        except AgentOpsError as refused:
            ends[place] = refused.code  # type: ignore[call-overload]  # whatever came of it
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(deeds)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ends


def spend(request: ApprovalRequest, key: str = "") -> bool:
    """Spend an approval on the call of this key, by default its own."""
    with transaction.atomic(), connection.cursor() as cursor:
        return gate.consume(
            cursor, approval_id=request.pk, digest=request.digest, key=key or request.key, now=timezone.now()
        )


def void(request: ApprovalRequest) -> bool:
    with transaction.atomic():
        return void_request(request.pk, code="run_ended", now=timezone.now())


def await_waiter() -> None:
    """Wait until somebody waits for what another holds."""
    waits = None
    while waits is None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT FROM pg_locks WHERE NOT granted")
            waits = cursor.fetchone()


def decide_two_while_they_are_withdrawn() -> str:
    """Lock two requests of a subject in the order of their ids, as a batch does, while they are withdrawn."""
    ids = sorted((new_id(), new_id()))
    # The second stands before the first in the table: without an order it is met first.
    second, first = (request_for("waiting", id=pk, subject_ref="the same run") for pk in reversed(ids))
    assert first.pk < second.pk

    def withdraw() -> int:
        with transaction.atomic():
            return void_requests(subject_ref="the same run", code="run_ended", now=timezone.now())

    try:
        with ThreadPoolExecutor(1) as pool, transaction.atomic():
            locked = ApprovalRequest.objects.select_for_update()
            locked.get(pk=first.pk)
            withdrawn = pool.submit(_on_own_connection, withdraw)
            await_waiter()
            locked.get(pk=second.pk)
            transaction.set_rollback(True)
        return str(withdrawn.result())
    except OperationalError:
        return "they wait for one another"


def _on_own_connection(deed: Callable[[], int]) -> int:
    try:
        return deed()
    finally:
        connections.close_all()


def test_who_withdraws_many_and_who_decides_many_never_wait_for_one_another() -> None:
    assert decide_two_while_they_are_withdrawn() == "2"


def test_mutant_that_locks_in_any_order_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    rewrite(monkeypatch, services, "_void", '.order_by("pk")', "")
    assert decide_two_while_they_are_withdrawn() == "they wait for one another"


def test_one_approval_is_one_calls_only() -> None:
    for _ in range(ROUNDS):
        request = request_for()
        ends = at_once(*(partial(spend, request, key) for key in (request.key, "another", "a third")))
        assert ends == [True, False, False]


def test_what_is_spent_is_not_void_and_what_is_void_is_not_spent() -> None:
    spent = 0
    for _ in range(ROUNDS):
        request = request_for()
        used, voided = at_once(partial(spend, request), partial(void, request))
        request.refresh_from_db()
        assert used is not voided
        assert (request.state, request.consumed_at is not None) == (
            ("approved", True) if used else ("voided", False)
        )
        spent += used
    assert 0 <= spent <= ROUNDS


def test_two_workers_that_drive_the_same_run_make_one_effect(company: Company) -> None:
    show_refunds(company)
    for number in range(1, 9):
        run = company.run(*turns())
        company.decide()
        at_once(*[partial(drive, run.pk)] * 3)
        run = company.drive(Run.objects.get(pk=run.pk))
        assert company.states(run) == [("succeeded", "ok")]
        assert len(WORLD.effects) == WORLD.attempts.count("refund") == number


def test_two_workers_that_find_the_state_changed_ask_people_once(company: Company) -> None:
    show_refunds(company)
    for _ in range(5):
        run = company.run(*turns())
        company.decide()
        change_account()
        at_once(*[partial(drive, run.pk)] * 3)
        run = company.drive(Run.objects.get(pk=run.pk))
        assert company.states(run) == [("waiting", "")]
        assert ApprovalRequest.objects.filter(subject_ref=str(run.pk), state="waiting").count() == 1
        company.decide("deny")
        company.drive(run)
    assert WORLD.effects == []


def test_a_yes_and_a_no_at_once_are_one_of_them(company: Company) -> None:
    version = show_refunds(company)
    company.let_decide(version.tool, company.cast.bob)

    def say(person: Any, verdict: str, request: ApprovalRequest) -> str:
        return decide(
            actor=person, request=request, verdict=verdict, reason="so", digest=request.digest, channel="api",
            second_factor=True,
        ).state  # fmt: skip

    for _ in range(8):
        run = company.run(*turns())
        request = ApprovalRequest.objects.get(state="waiting")
        ends = at_once(
            partial(say, company.cast.fiona, "approve", request),
            partial(say, company.cast.bob, "deny", request),
        )
        assert sorted(ends) in (["approval_decided", "approved"], ["approval_decided", "denied"])
        before = len(WORLD.effects)
        company.drive(run)
        assert len(WORLD.effects) - before == ("approved" in ends)


def test_a_permit_that_several_threads_use_is_used_once(settings: Any) -> None:
    settings.TOOLS_PYTHON_MODULES = [HERE]
    WORLD.reset()
    assessment = approved_assessment()
    request = request_for(**request_of(assessment))
    admission = execution.admit(assessment.call.spec, forced_open=False)

    def use(permit: Permit) -> str:
        return execution.execute(assessment, permit, admission)[0].status

    for number in range(1, 11):
        one_more = assessment.call.attempt + number
        again = replace(assessment, call=replace(assessment.call, attempt=one_more))
        permit = gate.require(again, approval_id=request.pk, now=timezone.now())

        def attempt(again: Any = again, permit: Permit = permit) -> str:
            return execution.execute(again, permit, admission)[0].status

        ends = at_once(attempt, attempt, attempt)
        assert sorted(ends) == ["permit_used", "permit_used", "succeeded"]
        assert WORLD.attempts.count("refund") == number
    with pytest.raises(PolicyDenied):
        use(permit)


def test_mutant_that_spends_without_looking_uses_what_is_void(monkeypatch: pytest.MonkeyPatch) -> None:
    request = request_for()
    assert void(request)
    assert not spend(request)
    looks = f"a.state = 'approved' AND digest = %(digest)s AND key = %(key)s\n    AND {gate._RECORDED} AND"
    assert looks in gate.CONSUME
    monkeypatch.setattr(gate, "CONSUME", gate.CONSUME.replace(looks, ""))
    with pytest.raises(ProgrammingError, match="is final"):
        spend(request)
    with (
        unguarded(),
        pytest.raises(IntegrityError, match="approval_consumed_only_when_approved"),
    ):  # the last one left
        spend(request)
