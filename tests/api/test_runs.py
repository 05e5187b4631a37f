from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from guardian.shortcuts import assign_perm, remove_perm

from agentops.identifiers import first_id_at
from agentops.ledger.entries import Draft
from agentops.ledger.store import erase_contents, record
from identities.models import Principal
from runs.models import AgentVersion, Run
from tests.api.caller import Caller
from tests.api.conftest import Callers
from tests.cast import Cast
from tests.factories import AgentVersionFactory, RunFactory

CUSTOMER = {"issuer": "https://shop.example", "subject": "customer-1"}


def task(**changes: object) -> dict[str, Any]:
    body = {"agent": "refunds-agent", "message": "Refund me.", "principal": CUSTOMER, **changes}
    return {name: value for name, value in body.items() if value is not None}


@pytest.fixture
def run(cast: Cast) -> Run:
    made: Run = RunFactory.create(agent_version__identity=cast.agent, application=cast.application)
    return made


def test_an_application_starts_a_run_for_its_user(
    cast: Cast, callers: Callers, version: AgentVersion
) -> None:
    answer = callers.app.post("/runs", task(), key="k1")
    run = Run.objects.get()
    assert (answer.status, answer.headers["Location"]) == (201, f"/api/v1/runs/{run.pk}")
    assert answer.body["links"]["self"] == answer.headers["Location"]
    assert answer.body | {"created_at": 0, "updated_at": 0, "expires_at": 0, "links": 0, "trace_id": 0} == {
        "id": str(run.pk),
        "kind": "task",
        "mode": "act",
        "task": "",
        "applies": None,
        "state": "queued",
        "status_reason": "",
        "status_detail": "",
        "agent": "refunds-agent",
        "agent_version": 1,
        "principal": CUSTOMER,
        "proof": "asserted",
        "priority": "normal",
        "parent_run": None,
        "given_by": None,
        "undoes": None,
        "fork_of": None,
        "tool_limits": None,
        "required_actions": [],
        "budget": {
            "limits": {"steps": 12, "tokens": 100_000, "usd": "2.0000", "seconds": 90},
            "used": {"steps": 0, "tokens": 0, "usd": "0.00000000", "seconds": 0.0},
        },
        "tool_calls": 0,
        "ended_at": None,
        "created_at": 0,
        "updated_at": 0,
        "expires_at": 0,
        "links": 0,
        "trace_id": 0,
    }
    assert (run.application, run.started_by) == (cast.application, None)
    assert callers.app.get(answer.headers["Location"]).body["id"] == str(run.pk)


def test_a_person_starts_a_run_for_themselves(cast: Cast, callers: Callers) -> None:
    AgentVersionFactory.create(identity=cast.agent, published=True, principal_source="staff")
    refused = callers.bob.post("/runs", task(principal=None), key="k0")
    assert (refused.status, refused.code) == (403, "agent_not_granted")
    assign_perm("start_run", cast.bob, cast.agent)
    answer = callers.bob.post("/runs", task(principal=None), key="k1")
    assert answer.body["principal"] == {"issuer": "agentops", "subject": "bob"}
    assert Run.objects.get().started_by == cast.bob


@pytest.mark.usefixtures("version")
def test_a_person_does_not_start_what_is_for_applications(cast: Cast, callers: Callers) -> None:
    assign_perm("start_run", cast.bob, cast.agent)
    refused = callers.bob.post("/runs", task(principal=None), key="k1")
    assert (refused.status, refused.code) == (403, "application_only")
    assert "through an application" in refused.body["detail"]
    assert not Run.objects.exists()


@pytest.mark.usefixtures("version")
@pytest.mark.parametrize(
    "principal", [CUSTOMER, {"issuer": "agentops", "subject": "alice"}, {"issuer": "other", "subject": "bob"}]
)
def test_a_person_starts_none_for_others(callers: Callers, principal: dict[str, str]) -> None:
    refused = callers.bob.post("/runs", task(principal=principal), key="k1")
    assert (refused.status, refused.code) == (403, "principal_not_proven")
    assert not Principal.objects.exists()


@pytest.mark.usefixtures("version")
def test_an_application_must_be_trusted_to_name_users(cast: Cast, callers: Callers) -> None:
    cast.application.may_assert_users = False
    cast.application.save()
    refused = callers.app.post("/runs", task(), key="k1")
    assert (refused.status, refused.code) == (403, "principal_not_proven")


@pytest.mark.usefixtures("version")
def test_an_application_names_a_user(callers: Callers) -> None:
    refused = callers.app.post("/runs", task(principal=None), key="k1")
    assert (refused.status, refused.code) == (422, "principal_missing")


@pytest.mark.usefixtures("version")
def test_an_agent_that_is_not_the_callers_does_not_exist(cast: Cast, callers: Callers) -> None:
    unknown = callers.app.post("/runs", task(agent="nobody"), key="k1")
    foreign = callers.charlie.post("/runs", task(principal=None), key="k1")
    remove_perm("start_run", cast.application.service_account, cast.agent)
    not_granted = callers.app.post("/runs", task(), key="k2")
    answers = (unknown, foreign, not_granted)
    assert {(answer.status, answer.code, answer.body["detail"]) for answer in answers} == {
        (404, "unknown_agent", unknown.body["detail"])
    }


def test_an_agent_without_a_published_version_starts_nothing(callers: Callers) -> None:
    refused = callers.app.post("/runs", task(), key="k1")
    assert (refused.status, refused.code) == (409, "nothing_published")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"agent": None}, "#/agent"),
        ({"agent": 7}, "#/agent"),
        ({"message": ""}, "#/message"),
        ({"message": " \t"}, "#/message"),
        ({"message": ["x"]}, "#/message"),
        ({"message": True}, "#/message"),
        ({"principal": "customer-1"}, "#/principal"),
        ({"principal": {"issuer": "x"}}, "#/principal/subject"),
        ({"principal": {**CUSTOMER, "admin": True}}, "#/principal/admin"),
        ({"principal": {**CUSTOMER, "subject": "x" * 201}}, "#/principal/subject"),
        ({"metadata": {"a": 1}}, "#/metadata"),
    ],
)
def test_what_is_wrong_with_a_task_is_pointed_at(callers: Callers, changes: Any, pointer: str) -> None:
    refused = callers.app.post("/runs", task(**changes), key="k1")
    assert (refused.status, refused.code) == (422, "validation_failed")
    assert pointer in [reason["pointer"] for reason in refused.body["reasons"]]


def test_a_misspelt_member_is_told_with_the_one_that_is_missing(callers: Callers) -> None:
    refused = callers.app.post("/runs", {"agent": "refunds-agent", "mesage": "Hello."}, key="k1")
    told = {(reason["code"], reason["pointer"]) for reason in refused.body["reasons"]}
    assert told == {("unknown_member", "#/mesage"), ("required", "#/message")}


def test_texts_and_bodies_have_limits(callers: Callers) -> None:
    long_text = callers.app.post("/runs", task(message="x" * 32_769), key="k1")
    assert (long_text.status, long_text.code) == (413, "text_too_long")
    long_body = callers.app.post("/runs", task(message="x" * 1_048_577), key="k1")
    assert (long_body.status, long_body.code) == (413, "body_too_large")


@pytest.mark.usefixtures("version")
def test_a_text_at_the_limit_is_taken(callers: Callers) -> None:
    assert callers.app.post("/runs", task(message="ü" * 32_768), key="k1").status == 201


@pytest.mark.usefixtures("version")
def test_the_callers_trace_goes_on_in_the_run(callers: Callers) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    given = f"00-{trace}-00f067aa0ba902b7-01"
    answer = callers.app.post("/runs", task(), key="k1", traceparent=given)
    assert answer.body["trace_id"] == trace
    assert re.fullmatch(rf"00-{trace}-[0-9a-f]{{16}}-01", answer.headers["traceparent"])
    fresh = callers.app.post("/runs", task(), key="k2", traceparent="nonsense")
    assert fresh.headers["traceparent"].split("-")[1] == fresh.body["trace_id"] != trace


def test_errors_carry_the_trace_too(callers: Callers) -> None:
    assert callers.stranger.get("/runs").headers["traceparent"]
    assert callers.bob.get("/nowhere").headers["traceparent"]


def test_a_run_is_its_teams_and_its_applications(callers: Callers, run: Run) -> None:
    outsider = callers.charlie.get(f"/runs/{run.pk}")
    assert (outsider.status, outsider.code) == (404, "unknown_run")
    assert [who.get(f"/runs/{run.pk}").status for who in (callers.app, callers.bob)] == [200, 200]
    assert [len(who.get("/runs").body["data"]) for who in (callers.app, callers.bob, callers.charlie)] == [
        1,
        1,
        0,
    ]


def test_an_application_sees_only_what_it_started(callers: Callers, cast: Cast) -> None:
    RunFactory.create(agent_version__identity=cast.agent, application=None)
    assert callers.app.get("/runs").body["data"] == []


@pytest.mark.parametrize("path", ["", "/steps", "/trace", "/events", "/children"])
def test_outsiders_find_nothing_below_a_run(callers: Callers, run: Run, path: str) -> None:
    assert callers.charlie.get(f"/runs/{run.pk}{path}").status == 404
    assert callers.stranger.get(f"/runs/{run.pk}{path}").status == 401


def test_an_id_that_is_none_is_an_unknown_address(callers: Callers) -> None:
    assert callers.bob.get("/runs/17").code == "not_found"


def test_runs_are_filtered(cast: Cast, callers: Callers) -> None:
    old = timezone.now() - timedelta(days=3)
    first = RunFactory.create(
        id=first_id_at(int(old.timestamp() * 1000)), agent_version__identity=cast.agent, created_at=old
    )
    second = RunFactory.create(agent_version__identity=cast.agent, state="failed")

    def found(query: str) -> list[str]:
        return [run["id"] for run in callers.bob.get(f"/runs?{query}").body["data"]]

    assert found("state=failed") == [str(second.pk)]
    assert found("state=queued") == [str(first.pk)]
    assert found("agent=refunds-agent") == [str(second.pk), str(first.pk)]
    assert found("agent=somebody-else") == []
    since = (timezone.now() - timedelta(days=1)).isoformat().replace("+", "%2B")
    assert found(f"since={since}") == [str(second.pk)]
    assert found("since=0001-01-01T00:00:00Z") == [str(second.pk), str(first.pk)]


@pytest.mark.parametrize(
    ("query", "reason"),
    [("state=done", "invalid_state"), ("since=yesterday", "invalid_since"), ("agent=%00", "invalid_agent")],
)
def test_a_filter_that_none_can_match_is_refused(callers: Callers, query: str, reason: str) -> None:
    answer = callers.bob.get(f"/runs?{query}")
    assert (answer.status, answer.code) == (400, "invalid_parameter")
    assert reason in [each["code"] for each in answer.body["reasons"]]


def end(run: Run, kind: str, content: dict[str, str]) -> None:
    record(run.pk, "run", Draft("run.started", timezone.now()), Draft(kind, timezone.now(), {}, content))
    record(run.pk, "run", Draft("call.failed", timezone.now(), {"step": 1, "call": 1}))  # a late outcome
    Run.objects.filter(pk=run.pk).update(state=kind.removeprefix("run."), usd=Decimal("0.01"))


def test_the_answer_is_read_from_the_ledger_until_it_is_erased(callers: Callers, run: Run) -> None:
    assert (callers.app.get(f"/runs/{run.pk}").body["answer"]) is None
    end(run, "run.completed", {"answer": "Your money is on its way."})
    shown = callers.app.get(f"/runs/{run.pk}").body
    assert (shown["answer"], shown["summary"]) == ("Your money is on its way.", None)
    with connection.cursor() as cursor:
        erase_contents(cursor, run.pk)
    shown = callers.app.get(f"/runs/{run.pk}").body
    assert (shown["answer"], shown["state"]) == (None, "completed")


def test_the_summary_of_a_halted_run_is_shown(callers: Callers, run: Run) -> None:
    end(run, "run.halted", {"summary": "Looked up the order; refunded nothing."})
    assert callers.app.get(f"/runs/{run.pk}").body["summary"] == "Looked up the order; refunded nothing."


def count_queries(caller: Caller, path: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert caller.get(path).status == 200
    return len(queries)


def test_queries_do_not_grow_with_rows(cast: Cast, callers: Callers, run: Run) -> None:
    callers.bob.get("/runs")  # notes the key's use, once a minute
    with_one = count_queries(callers.bob, "/runs?limit=100")
    for _ in range(8):
        RunFactory.create(agent_version__identity=cast.agent, application=cast.application)
    assert count_queries(callers.bob, "/runs?limit=100") == with_one
