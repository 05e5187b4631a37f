"""Stopping: one verb for all scopes, its drill, and the receipt of what it met."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from agentops import messages
from agentops.errors import AgentOpsError, NotFound, PolicyDenied, StateConflict, ValidationFailed
from identities.models import KillSwitch, User
from identities.services import issue_api_key, lift_switch
from runs.models import Run, Stop
from runs.receipts import write_receipt
from runs.stops import STOPPINGS, stop
from tests.console.visits import Page, act, page_of, sign_in, text_of
from tests.ledger import last_entry
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.deeds import meanwhile

pytestmark = [pytest.mark.revocation, pytest.mark.slow]

SCOPES = tuple(STOPPINGS)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect what is sent to workers."""
    names: list[str] = []

    def note(task: str, *_: object) -> bool:
        names.append(task)
        return True

    monkeypatch.setattr(messages, "_publish", note)
    return names


def prepare(company: Company) -> Run:
    """Start a run, with a key, that waits for a person."""
    version = company.add_tool("refund", grant="REQUIRE_APPROVAL")
    company.let_decide(version.tool)
    account = company.cast.application.service_account
    key, _ = issue_api_key(actor=company.cast.alice, user=account, label="shop")
    company.play(proposes(("refund", ORDER)), says("Done."))
    return company.drive(company.start(credential=key))


def target_of(company: Company, run: Run, scope: str) -> str:
    cast = company.cast
    targets = {
        "run": run.pk, "agent": cast.agent.pk, "tool": company.versions[0].tool_id, "application": cast.application.pk,
        "principal": run.principal_id, "provider": "openai", "everything": "",
        "credential": run.credential_id,
    }  # fmt: skip
    return str(targets[scope])


def stopped_state(company: Company, run: Run) -> dict[str, Any]:
    """Return all that a stop of any scope changes."""
    cast = company.cast
    for row in (run, cast.agent, cast.application, company.versions[0].tool):
        row.refresh_from_db()
    keys = cast.application.service_account.api_keys
    return {
        "run": company.kinds(run)[-1] == "run.killed",
        "agent": cast.agent.state == "suspended",
        "tool": company.versions[0].tool.state == "quarantined",
        "application": cast.application.state == "revoked",
        "credential": keys.exclude(revoked_at=None).exists(),
        **{
            scope: KillSwitch.objects.thrown().filter(scope=scope).exists()
            for scope in KillSwitch.Scope.values
        },
    }


@pytest.mark.parametrize("scope", SCOPES)
def test_it_stops_what_it_says_and_nothing_else(company: Company, sent: list[str], scope: str) -> None:
    run = prepare(company)
    target = target_of(company, run, scope)
    sent.clear()
    made = stop(actor=company.cast.ada, scope=scope, target=target, reason="It goes wrong.")
    assert [name for name, is_so in stopped_state(company, run).items() if is_so] == [scope]
    entry = last_entry(made.pk)
    assert entry.facts == {"scope": scope, "target": target, "drill": False, "going": 1}
    assert entry.content == {"reason": "It goes wrong."}
    assert write_receipt(made, company.cast.ada).going == 1
    assert sent


@pytest.mark.parametrize("scope", SCOPES)
def test_a_drill_does_everything_but_the_effect(company: Company, sent: list[str], scope: str) -> None:
    run = prepare(company)
    target = target_of(company, run, scope)
    before, kinds = stopped_state(company, run), company.kinds(run)
    sent.clear()
    made = stop(actor=company.cast.ada, scope=scope, target=target, reason="An exercise.", drill=True)
    assert (stopped_state(company, run), company.kinds(run), sent) == (before, kinds, [])
    assert (made.is_drill, last_entry(made.pk).facts["drill"]) == (True, True)
    assert write_receipt(made, company.cast.ada).going == 1


@pytest.mark.parametrize("drill", [False, True])
@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("name", ["bob", "charlie"])
def test_who_may_not_stop_something_may_not_exercise_it_either(
    company: Company, scope: str, name: str, drill: bool
) -> None:
    run = prepare(company)
    target = target_of(company, run, scope)
    outsider: User = getattr(company.cast, name)
    with pytest.raises((PolicyDenied, NotFound)):
        stop(actor=outsider, scope=scope, target=target, reason="Why not?", drill=drill)
    assert not any(stopped_state(company, run).values())
    assert not Stop.objects.exists()


FAULTS: list[tuple[dict[str, Any], type[AgentOpsError]]] = [
    ({"scope": "the world"}, ValidationFailed),
    ({"reason": "\u2060 "}, ValidationFailed),
    ({"scope": "agent", "target": "support"}, NotFound),
    ({"scope": "run", "target": str(uuid4())}, NotFound),
    ({"scope": "provider", "target": ""}, NotFound),
    ({"scope": "provider", "target": "opanai"}, NotFound),  # a slip must not look like a stop
    ({"target": "all of it"}, StateConflict),
]


@pytest.mark.parametrize(("fault", "error"), FAULTS)
def test_what_cannot_be_stopped(company: Company, fault: dict[str, Any], error: type[AgentOpsError]) -> None:
    with pytest.raises(error):
        stop(**{"actor": company.cast.ada, "scope": "everything", "target": "", "reason": "Fire.", **fault})
    assert not Stop.objects.exists()


def test_what_is_stopped_already_is_not_stopped_again(company: Company) -> None:
    stop(actor=company.cast.ada, scope="everything", reason="Fire.")
    with pytest.raises(StateConflict):
        stop(actor=company.cast.ada, scope="everything", reason="Fire.")
    assert Stop.objects.count() == 1


def test_the_receipt_tells_what_was_done_what_was_under_way_and_what_was_prevented(company: Company) -> None:
    for name in ("refund", "cancel", "book"):
        company.add_tool(name, function="refund")
    receipts = []

    def stop_now() -> None:
        made = stop(actor=company.cast.ada, scope="everything", reason="Fire.")
        receipts.append(write_receipt(made, company.cast.ada))

    company.world.mishaps.extend([lambda do: do(), meanwhile(stop_now)])
    run = company.run(proposes(("refund", ORDER), ("cancel", ORDER), ("book", ORDER)), says("Done."))
    at_once, later = receipts[0], write_receipt(Stop.objects.get(), company.cast.ada)
    assert [call.tool_name for call in at_once.executed_calls] == ["refund"]
    assert [call.tool_name for call in at_once.in_flight_calls] == ["cancel"]
    assert (at_once.going, at_once.now, at_once.prevented) == (1, {"in_progress": 1}, 0)
    assert (later.executed, later.in_flight, later.prevented, later.now) == (1, 1, 1, {"halted": 1})
    assert [row.pk for row in later.runs] == [run.pk]
    assert later.in_flight_calls[0].state == "succeeded", "it could not be called back, and says so"


def test_a_receipt_shows_each_team_its_own_runs(company: Company) -> None:
    prepare(company)
    made = stop(actor=company.cast.ada, scope="everything", reason="Fire.")
    assert list(Stop.objects.visible_to(company.cast.charlie)) == [made]
    assert write_receipt(made, company.cast.charlie).going == 0
    assert write_receipt(made, company.cast.bob).going == 1


def test_a_run_that_had_ended_is_not_on_the_receipt(company: Company) -> None:
    company.play(says("Done."))
    company.drive(company.start())
    made = stop(actor=company.cast.ada, scope="everything", reason="Fire.")
    assert write_receipt(made, company.cast.ada).going == 0


# --- in the console ---------------------------------------------------------------------------------------

STOP, SWITCH = "runs_stop", "identities_killswitch"


def stop_in_console(client: Client, what: str, **values: str) -> Page:
    return client.post(page_of(STOP, "add"), {"what": what, "reason": "Fire.", **values}, follow=True)


@pytest.mark.parametrize("scope", ["everything", "agent", "tool", "application", "provider"])
def test_people_stop_by_the_form_and_see_the_receipt(company: Company, scope: str) -> None:
    run = prepare(company)
    target = target_of(company, run, scope)
    shown = text_of(stop_in_console(sign_in(company.cast.ada), f"{scope}:{target}"))
    assert stopped_state(company, run)[scope]
    assert "Stopped." in shown
    assert "Runs going then 1" in shown


@pytest.mark.parametrize("scope", ["run", "principal", "credential"])
def test_a_link_from_another_page_brings_its_target(company: Company, scope: str) -> None:
    run = prepare(company)
    what = f"{scope}:{target_of(company, run, scope)}"
    client = sign_in(company.cast.ada)
    shown = client.post(f"{page_of(STOP, 'add')}?what={what}", {"what": what, "reason": "Fire."}, follow=True)
    assert stopped_state(company, run)[scope], text_of(shown)


def test_a_drill_says_so(company: Company) -> None:
    run = prepare(company)
    shown = text_of(stop_in_console(sign_in(company.cast.ada), "everything:", drill="on"))
    assert "That was a drill: nothing was stopped." in shown
    assert "Runs going then 1" in shown
    assert not any(stopped_state(company, run).values())


def test_outsiders_stop_nothing_by_the_form(company: Company) -> None:
    run = prepare(company)
    for name in ("bob", "charlie"):
        client = sign_in(getattr(company.cast, name))
        for scope in ("everything", "agent", "tool", "application", "provider"):
            answer = stop_in_console(client, f"{scope}:{target_of(company, run, scope)}")
            assert answer.status_code == 422
    assert not any(stopped_state(company, run).values())


def test_a_switch_is_lifted_by_who_may(company: Company) -> None:
    stop(actor=company.cast.ada, scope="everything", reason="Fire.")
    switch = KillSwitch.objects.get()
    act(sign_in(company.cast.bob), SWITCH, "lift", switch.pk)
    switch.refresh_from_db()
    assert switch.state == "thrown"
    assert "1 kill switch lifted." in text_of(act(sign_in(company.cast.ada), SWITCH, "lift", switch.pk))
    switch.refresh_from_db()
    assert switch.state == "lifted"
    for model in (STOP, SWITCH):
        assert sign_in(company.cast.bob).get(page_of(model, "changelist")).status_code == 200


def test_the_dashboard_says_what_is_stopped(company: Company) -> None:
    client = sign_in(company.cast.bob)
    assert "Kill switches Everything" not in text_of(client.get(reverse("admin:index")))
    stop(actor=company.cast.ada, scope="everything", reason="Fire.")
    assert "Everything by ada" in text_of(client.get(reverse("admin:index")))


def test_the_page_of_an_end_user_leads_to_their_stop(company: Company) -> None:
    run = prepare(company)
    page = sign_in(company.cast.ada).get(page_of("identities_principal", "change", run.principal_id))
    assert f"?what=principal:{run.principal_id}" in page.content.decode()


# --- at the terminal --------------------------------------------------------------------------------------


def at_the_terminal(*arguments: str, username: str = "ada") -> str:
    told = StringIO()
    call_command("stop", *arguments, "--reason", "Fire.", "--as", username, stdout=told)
    return told.getvalue()


def test_it_is_stopped_and_lifted_at_the_terminal(company: Company) -> None:
    prepare(company)
    assert json.loads(at_the_terminal("everything", "--drill"))["drill"] is True
    assert not KillSwitch.objects.exists()
    assert json.loads(at_the_terminal("everything"))["going"] == 1
    assert at_the_terminal("everything", "--lift") == "lifted: Everything\n"
    for refused in (("everything", "--lift"), ("agent", "nobody")):
        with pytest.raises(CommandError):
            at_the_terminal(*refused)


def test_outsiders_stop_nothing_at_the_terminal(company: Company) -> None:
    prepare(company)
    for name in ("bob", "charlie"):
        with pytest.raises(CommandError):
            at_the_terminal("everything", username=name)
    assert not KillSwitch.objects.exists()


# --- keys -------------------------------------------------------------------------------------------------


def test_what_another_key_started_goes_on(company: Company) -> None:
    run = prepare(company)
    account = company.cast.application.service_account
    other, _ = issue_api_key(actor=company.cast.alice, user=account, label="another shop")
    company.play(proposes(("refund", {"order_id": "A-2"})), says("Done."))
    going = company.drive(company.start(credential=other))
    stop(actor=company.cast.ada, scope="credential", target=str(run.credential_id), reason="It was stolen.")
    assert (company.drive(run).status_reason, company.drive(going).state) == (
        "credential_stopped", "requires_action"
    )  # fmt: skip


def test_a_stopped_key_stays_stopped(company: Company) -> None:
    run = prepare(company)
    for _ in range(2):
        stop(actor=company.cast.ada, scope="credential", target=str(run.credential_id), reason="Stolen.")
    switch = KillSwitch.objects.get()
    with pytest.raises(StateConflict):
        lift_switch(actor=company.cast.ada, switch=switch, reason="Found again.")
    act(sign_in(company.cast.ada), SWITCH, "lift", switch.pk)
    switch.refresh_from_db()
    assert switch.state == "thrown"
