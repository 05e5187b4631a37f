"""Stopping through the API."""

from __future__ import annotations

import pytest

from identities.models import KillSwitch
from runs.models import Run
from tests.api.conftest import Callers
from tests.runs.company import ORDER, Company, proposes, says


@pytest.fixture
def waiting(company: Company) -> Run:
    """A run that waits for a person."""
    version = company.add_tool("refund", grant="REQUIRE_APPROVAL")
    company.let_decide(version.tool)
    return company.run(proposes(("refund", ORDER)), says("Done."))


def test_everything_is_stopped_once_and_the_receipt_grows(
    company: Company, callers: Callers, waiting: Run
) -> None:
    body = {"scope": "everything", "reason": "Fire."}
    made = callers.ada.post("/stops", body, key="k")
    again = callers.ada.post("/stops", body, key="k")
    assert (made.status, again.status, again.body["id"]) == (201, 201, made.body["id"])
    assert KillSwitch.objects.count() == 1
    assert made.body["receipt"]["now"] == {"requires_action": 1}
    company.drive(waiting)
    receipt = callers.ada.get(f"/stops/{made.body['id']}").body["receipt"]
    assert (receipt["going"], receipt["now"], receipt["runs"]) == (1, {"halted": 1}, [str(waiting.pk)])
    assert callers.ada.post("/stops", body, key="another").status == 409


def test_a_drill_stops_nothing(callers: Callers, waiting: Run) -> None:
    body = {"scope": "run", "target": str(waiting.pk), "reason": "An exercise.", "drill": True}
    made = callers.ada.post("/stops", body, key="k")
    assert (made.status, made.body["drill"], made.body["receipt"]["going"]) == (201, True, 1)
    waiting.refresh_from_db()
    assert waiting.state == "requires_action"


@pytest.mark.parametrize("who", ["app", "bob", "charlie", "fiona"])
def test_who_may_not_is_refused(callers: Callers, waiting: Run, who: str) -> None:
    caller = getattr(callers, who)
    for scope, target in (
        ("everything", ""),
        ("principal", waiting.principal_id),
        ("agent", waiting.identity_id),
    ):
        answer = caller.post("/stops", {"scope": scope, "target": str(target), "reason": "Fire."}, key=scope)
        assert answer.status in (403, 404), (scope, answer.body)
    assert not KillSwitch.objects.exists()


def test_an_application_stops_its_own_run(callers: Callers, waiting: Run) -> None:
    made = callers.app.post("/stops", {"scope": "run", "target": str(waiting.pk), "reason": "Fire."}, key="k")
    assert (made.status, made.body["receipt"]["runs"]) == (201, [str(waiting.pk)])


def test_what_is_not_there_or_not_theirs_is_404(callers: Callers, waiting: Run) -> None:
    stop = callers.ada.post("/stops", {"scope": "run", "target": str(waiting.pk), "reason": "Fire."}, key="k")
    assert callers.charlie.get(f"/stops/{stop.body['id']}").code == "unknown_stop"
    foreign = {"scope": "run", "target": str(waiting.pk), "reason": "Fire."}
    assert callers.charlie.post("/stops", foreign, key="k").code == "unknown_target"


@pytest.mark.parametrize(
    "body",
    [{}, {"scope": "everything"}, {"scope": "nothing", "reason": "Fire."}, {"scope": "everything", "reason": ""},
     {"scope": "everything", "reason": "Fire.", "drill": "maybe"}],
)  # fmt: skip
def test_a_bad_body_is_422(callers: Callers, body: dict[str, object]) -> None:
    assert callers.ada.post("/stops", body, key="k").status == 422


def test_an_emergency_needs_a_credential_but_no_key(callers: Callers) -> None:
    body = {"scope": "everything", "reason": "Fire."}
    assert callers.stranger.post("/stops", body).status == 401
    assert callers.ada.post("/stops", body).status == 201
