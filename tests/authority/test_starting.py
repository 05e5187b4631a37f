"""Runs that applications start on a user's token, on behalf of another run, and within limits: through the API."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from agentops.ledger.store import read_entries
from identities.models import Application
from identities.oauth import issuers
from identities.services import add_issuer, disable_issuer, update_application
from runs.models import Run
from tests.api.conftest import Callers
from tests.authority.conftest import Desk
from tests.cast import Cast
from tests.oauth.clients import key_pair
from tests.oauth.provider import AUDIENCE, Provider, serve_provider
from tests.runs.company import ISSUER, SUBJECT

pytestmark = pytest.mark.authority
CUSTOMER = {"issuer": ISSUER, "subject": SUBJECT}


@pytest.fixture
def provider(cast: Cast) -> Iterator[Provider]:
    """The provider of the application's users. The application is not trusted to name them."""
    issuers.forget_keys()
    account, application = cast.application.service_account, cast.application
    update_application(
        actor=cast.alice, application=application, name=application.name, may_assert_users=False
    )
    with serve_provider() as served:
        add_issuer(
            actor=cast.ada, client=account, issuer=served.address, audience=AUDIENCE, allow_private=True
        )
        yield served
    issuers.forget_keys()


def task(desk: Desk, **changes: Any) -> dict[str, Any]:
    if desk.company.published is None:
        desk.company.add_tool("refund")
        desk.company.publish()
    return {"agent": desk.company.cast.agent.slug, "message": "Refund me.", **changes}


def test_a_users_token_says_for_whom_a_run_acts(desk: Desk, callers: Callers, provider: Provider) -> None:
    answer = callers.app.post("/runs", task(desk, subject_token=provider.id_token()), key="k1")
    assert answer.status == 201, answer.content
    assert answer.body["principal"] == {"issuer": provider.address, "subject": "customer-17"}
    assert answer.body["proof"] == "token"
    facts = desk.company.facts(Run.objects.get(), "run.started")[0]
    assert (facts["proof"], facts["asserted_by"]) == ("token", "application")
    assert provider.id_token().rsplit(".", 1)[0] not in str(desk.company.entries(Run.objects.get()))


def test_a_repeated_request_may_bring_another_token_of_the_user(
    desk: Desk, callers: Callers, provider: Provider
) -> None:
    first = callers.app.post("/runs", task(desk, subject_token=provider.id_token()), key="k1")
    later = provider.id_token(exp=int(time.time()) + 900)
    again = callers.app.post("/runs", task(desk, subject_token=later), key="k1")
    assert again.body == first.body
    assert again.headers["Idempotent-Replayed"] == "true"
    somebody = provider.id_token(sub="customer-18")
    assert callers.app.post("/runs", task(desk, subject_token=somebody), key="k1").body != first.body
    assert Run.objects.count() == 2


REFUSED: dict[str, dict[str, Any]] = {
    "of another audience": {"aud": "another-shop"},
    "of several audiences": {"aud": [AUDIENCE, "another"]},
    "expired": {"exp": 1},
    "not yet valid": {"nbf": 2**40},
    "of an unknown issuer": {"iss": "https://elsewhere.example"},
    "without a subject": {"sub": None},
    "of nobody": {"sub": ""},
    "signed by another": {"key": key_pair("another")},
    "of another authorized party": {"azp": "another-shop"},
}


@pytest.mark.parametrize("changes", REFUSED.values(), ids=[name.replace(" ", "-") for name in REFUSED])
def test_a_token_that_proves_nothing_starts_nothing(
    desk: Desk, callers: Callers, provider: Provider, changes: dict[str, Any]
) -> None:
    token = provider.id_token(**changes)
    refused = callers.app.post("/runs", task(desk, subject_token=token), key="k1")
    assert (refused.status, refused.code) == (403, "principal_not_proven")
    assert Run.objects.count() == 0
    told = list(read_told(desk.company.cast.application))
    assert [entry["times"] for entry in told] == [1]
    assert told[0]["reason"].startswith("subject_")


@pytest.mark.parametrize("token", ["no token", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "x" * 16_384])
def test_what_is_no_token_starts_nothing(
    desk: Desk, callers: Callers, provider: Provider, token: str
) -> None:
    refused = callers.app.post("/runs", task(desk, subject_token=token), key="k1")
    assert (refused.status, refused.code) == (403, "principal_not_proven")


def test_a_token_of_another_user_than_is_named_starts_nothing(
    desk: Desk, callers: Callers, provider: Provider
) -> None:
    named = {"issuer": provider.address, "subject": "customer-18"}
    body = task(desk, subject_token=provider.id_token(), principal=named)
    assert callers.app.post("/runs", body, key="k1").code == "principal_not_proven"


def test_an_application_without_either_starts_nothing(
    desk: Desk, callers: Callers, provider: Provider
) -> None:
    refused = callers.app.post("/runs", task(desk, principal=CUSTOMER), key="k1")
    assert refused.code == "principal_not_proven"


def test_a_person_presents_no_users_token(desk: Desk, callers: Callers, provider: Provider) -> None:
    refused = callers.alice.post("/runs", task(desk, subject_token=provider.id_token()), key="k1")
    assert (refused.status, refused.code) == (403, "principal_not_proven")


def test_an_issuer_of_another_client_proves_nothing(desk: Desk, callers: Callers, provider: Provider) -> None:
    cast = desk.company.cast
    disable_issuer(actor=cast.ada, issuer=cast.application.service_account.token_issuers.get())
    add_issuer(
        actor=cast.ada, client=cast.agent.service_account, issuer=provider.address, audience=AUDIENCE,
        allow_private=True,
    )  # fmt: skip
    refused = callers.app.post("/runs", task(desk, subject_token=provider.id_token()), key="k1")
    assert refused.code == "principal_not_proven"


def test_a_run_on_behalf_of_another_within_limits(desk: Desk, callers: Callers) -> None:
    parent = callers.app.post("/runs", task(desk, principal=CUSTOMER), key="k1").body["id"]
    agent = desk.hire(grants={"refund": {"decision": "ALLOW"}})
    limits = {"refund": {"caps": [{"per": "run", "count": 1}]}}
    body = task(desk, principal=CUSTOMER, agent=agent.slug, parent_run=parent, tool_limits=limits)
    answer = callers.app.post("/runs", body, key="k2")
    assert answer.status == 201, answer.content
    assert answer.body["parent_run"] == parent
    kept = {"decision": "ALLOW_WITH_CAPS", "caps": [{"per": "run", "count": 1}], "over_caps": "DENY"}
    assert answer.body["tool_limits"] == {"refund": kept}


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"parent_run": "019300d0-0000-7000-8000-000000000000"}, 404, "unknown_run"),
        ({"parent_run": "none"}, 422, "validation_failed"),
        ({"tool_limits": {"cancel": {}}}, 422, "invalid_limits"),
        ({"tool_limits": []}, 422, "validation_failed"),
        ({"tool_limits": {"refund": []}}, 422, "validation_failed"),
        ({"tool_limits": {"refund": {"decision": "PERHAPS"}}}, 422, "validation_failed"),
        ({"tool_limits": {"refund": {"caps": [{"per": "day", "count": 1}]}}}, 422, "validation_failed"),
        ({"tool_limits": {"refund": {"caps": [{"per": "run"}]}}}, 422, "invalid_limits"),
        ({"tool_limits": {"refund": {"caps": [{"per": "run", "amount": "NaN"}]}}}, 422, "invalid_limits"),
        ({"subject_token": ""}, 422, "validation_failed"),
        ({"subject_token": "x" * 16_385}, 422, "validation_failed"),
    ],
)
def test_bounds_that_cannot_be_kept_are_refused(
    desk: Desk, callers: Callers, changes: dict[str, Any], status: int, code: str
) -> None:
    refused = callers.app.post("/runs", task(desk, principal=CUSTOMER, **changes), key="k1")
    assert (refused.status, refused.code) == (status, code)
    assert Run.objects.count() == 0


def read_told(application: Application) -> Iterator[dict[str, Any]]:
    """Yield what the application's stream says of refused tokens."""
    with connection.cursor() as cursor:
        entries = read_entries(cursor, application.pk)
    yield from (entry.facts for entry in entries if entry.kind == "token.refused")
