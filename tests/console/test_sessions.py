"""Sessions end, after a working day and after an idle hour, for console and API alike; decisions have a rate."""

from __future__ import annotations

import time

import pytest
from django.test import Client
from guardian.shortcuts import assign_perm
from pytest_django import Settings

from agentops.console.sessions import BEGAN, SEEN
from tests.cast import Cast
from tests.console.test_security_keys import BEGIN, send
from tests.console.visits import sign_in
from tests.factories import ApprovalRequestFactory

pytestmark = [pytest.mark.console, pytest.mark.slow]

HOUR = 3_600


def aged(client: Client, began: float, seen: float) -> Client:
    """Return a client whose session began, and saw somebody, so many seconds ago."""
    session = client.session
    session[BEGAN], session[SEEN] = time.time() - began, time.time() - seen
    session.save()
    return client


@pytest.mark.parametrize(
    ("began", "seen", "lasts"),
    [(0, 0, True), (8 * HOUR - 60, 60, True), (8 * HOUR + 60, 0, False), (2 * HOUR, HOUR + 60, False),
     (2 * HOUR, HOUR - 60, True)],
)  # fmt: skip
def test_a_session_ends(cast: Cast, began: float, seen: float, lasts: bool) -> None:
    client = aged(sign_in(cast.fiona), began, seen)
    assert (client.get("/api/v1/agents").status_code == 200) is lasts
    assert (send(client, BEGIN, what="prove").status_code == 200) is lasts
    assert (client.get("/admin/").status_code == 200) is lasts


def test_one_that_does_not_know_when_it_began_has_ended(cast: Cast) -> None:
    client = sign_in(cast.fiona)
    session = client.session
    del session[BEGAN]
    session.save()
    assert client.get("/admin/").status_code == 302


def test_what_people_do_keeps_it_and_what_refreshes_itself_does_not(cast: Cast) -> None:
    client = aged(sign_in(cast.fiona), HOUR, 600)
    client.get("/admin/rail/", headers={"HX-Request": "true"})
    assert client.session[SEEN] < time.time() - 500
    client.get("/admin/")
    assert client.session[SEEN] > time.time() - 500


def test_decisions_and_proofs_are_limited(cast: Cast, settings: Settings) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "write": (1, 60)}
    asked = ApprovalRequestFactory.create(identity=cast.agent)
    assign_perm("approve_calls", cast.fiona, asked.tool)
    client = sign_in(cast.fiona)
    assert send(client, BEGIN, what="prove").status_code == 200
    assert send(client, BEGIN, what="prove").status_code == 429
    form = {"verdict": "approve", "reason": "", "digest": asked.digest}
    assert client.post(f"/admin/approvals/approvalrequest/{asked.pk}/decision/", form).status_code == 429
    asked.refresh_from_db()
    assert asked.state == "waiting"
