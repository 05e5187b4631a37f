from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404
from django.test import Client
from rest_framework import exceptions

from agentops import errors
from agentops.api.problem_document import Problem, Reason
from agentops.api.problems import describe
from agentops.api.refusals import ApiError
from tests.api.caller import Caller
from tests.api.conftest import Callers


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.NotFound("unknown_run"), 404, "unknown_run"),
        (errors.StateConflict("run_ended"), 409, "run_ended"),
        (errors.PolicyDenied("not_allowed"), 403, "not_allowed"),
        (errors.ValidationFailed("bad_verdict"), 422, "bad_verdict"),
        (errors.ApprovalRequired("irreversible"), 409, "irreversible"),
        (errors.OutcomeUnknown("timeout"), 502, "timeout"),
        (errors.NondeterminismError("a", "b"), 500, "internal_error"),
        (errors.AgentOpsError("whatever"), 500, "internal_error"),
        (ApiError(400, "malformed_json", "x"), 400, "malformed_json"),
        (exceptions.NotAuthenticated(), 401, "not_authenticated"),
        (exceptions.MethodNotAllowed("PUT"), 405, "method_not_allowed"),
        (exceptions.NotAcceptable(), 406, "not_acceptable"),
        (exceptions.UnsupportedMediaType("text/plain"), 415, "unsupported_media_type"),
        (exceptions.Throttled(wait=7), 429, "throttled"),
        (Http404(), 404, "not_found"),
        (PermissionDenied(), 403, "permission_denied"),
        (RequestDataTooBig(), 413, "body_too_large"),
        (SuspiciousOperation(), 400, "malformed_request"),
        (ZeroDivisionError("secret"), 500, "internal_error"),
    ],
)
def test_every_error_has_its_status_and_code(error: Exception, status: int, code: str) -> None:
    problem = describe(error)
    assert (problem.status, problem.code) == (status, code)


def test_what_went_wrong_inside_stays_inside() -> None:
    document = describe(ZeroDivisionError("password=hunter2")).document("/api/v1/runs")
    assert "hunter2" not in str(document)


def test_reasons_are_listed_whatever_their_form() -> None:
    denied = errors.PolicyDenied("not_permitted", reasons=["not_a_member", "Not a member of team x."])
    assert describe(denied).reasons == (
        Reason("not_a_member"),
        Reason("not_permitted", "Not a member of team x."),
    )


def test_a_validation_error_points_into_the_body() -> None:
    nested = {"principal": {"a/b~c": [exceptions.ErrorDetail("Too long.", "max_length")]}}
    problem = describe(exceptions.ValidationError(nested))
    assert (problem.status, problem.reasons) == (
        422,
        (Reason("max_length", "Too long.", "#/principal/a~1b~0c"),),
    )


def test_waits_are_told_in_seconds() -> None:
    assert describe(exceptions.Throttled(wait=6.2)).headers["Retry-After"] == "7"


def test_the_instance_is_a_uri_reference() -> None:
    assert Problem(404, "not_found").document("/api/v1/ü <x>")["instance"] == "/api/v1/%C3%BC%20%3Cx%3E"


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v1", "/api/v1/", "/api/v1/nonsense", "/api/v2/runs"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
def test_an_unknown_address_is_a_problem(path: str, method: str) -> None:
    answer = Caller().send(method, path)
    assert (answer.status, answer.code) == (404, "not_found")


def test_an_unknown_host_is_a_problem_under_the_api_and_a_page_elsewhere() -> None:
    client = Client(raise_request_exception=False)
    refused = client.get("/api/v1/runs", headers={"Host": "evil.example"})
    assert (refused.status_code, refused["Content-Type"]) == (400, "application/problem+json")
    assert client.get("/nowhere", headers={"Accept": "text/html"})["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_another_method_is_refused_with_those_that_are_allowed(callers: Callers, method: str) -> None:
    answer = callers.bob.send(method, "/runs?limit=25&nonsense=1")
    assert (answer.status, answer.code) == (405, "method_not_allowed")
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "POST", "HEAD"}


def test_only_json_is_given(callers: Callers) -> None:
    answer = callers.bob.get("/runs", Accept="application/xml")
    assert (answer.status, answer.code) == (406, "not_acceptable")
    assert callers.bob.get("/runs", Accept="text/html, */*;q=0.1").status == 200


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "", "application/json; charset=latin-1"],
)
def test_only_json_is_taken(callers: Callers, content_type: str) -> None:
    answer = callers.app.send("POST", "/runs", b"{}", content_type)
    assert (answer.status, answer.code) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "body", [b"{", b'{"a":1,"a":2}', b'{"agent": NaN}', b'"\xff"', b'{"agent":"\\u0000"}']
)
def test_broken_json_is_refused(callers: Callers, body: bytes) -> None:
    answer = callers.app.send("POST", "/runs", body)
    assert (answer.status, answer.code) == (400, "malformed_json")


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"17", b"null"])
def test_json_that_is_no_object_is_not_what_the_operation_takes(callers: Callers, body: bytes) -> None:
    answer = callers.app.send("POST", "/runs", body, headers={"Idempotency-Key": "k"})
    assert (answer.status, answer.code) == (422, "validation_failed")
