"""What the policy would say of each compensation is foreseen by the function that then decides, everywhere alike."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import pytest
from django.core.management import CommandError, call_command

from agentops.errors import PolicyDenied
from agentops.ledger.models import Entry
from identities.services import lift_switch, suspend_agent, throw_switch
from runs.models import Run
from runs.undoing import forecast
from runs.undoing.foresight import FORECAST
from runs.undoing.services import foresee_undo
from tests.api.conftest import Callers, callers, keys
from tests.console.visits import act, page_of, sign_in, text_of
from tests.factories import ToolVersionFactory
from tests.runs.company import Company
from tests.runs.undoing.test_undo import cancelled, done, shop, undo
from tools.bindings import CODE
from tools.services import force_breaker_open

__all__ = ["callers", "keys", "shop"]  # fixtures

MODEL = "runs_run"
ORDERS = {"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]}
Setting = Callable[[Company], object]


def gated(shop: Company) -> None:
    shop.grant(shop.versions[0].tool, "REQUIRE_APPROVAL")
    shop.let_decide(shop.versions[0].tool)


def denied(shop: Company) -> None:
    shop.grant(shop.versions[0].tool, "DENY")


def stopped(shop: Company) -> None:
    force_breaker_open(actor=shop.cast.ada, tool=shop.versions[0].tool, reason="It goes wrong.")


def capped(shop: Company) -> None:
    caps = [{"per": "run", "count": 0}]
    shop.grant(shop.versions[0].tool, "ALLOW_WITH_CAPS", caps=caps, over_caps="DENY")


# How things are set up, what is foreseen of the compensation, and how a word of its reason reads.
FORECASTS: list[tuple[Setting, str, str]] = [
    (lambda shop: None, "ALLOW", "granted as ALLOW"),
    (gated, "REQUIRE_APPROVAL", ""),
    (denied, "DENY", "denies cancel"),
    (stopped, "DENY", "stopped all calls of cancel"),
    (capped, "DENY", ""),
]


@pytest.mark.parametrize(("setting", "policy", "why"), FORECASTS)
def test_what_is_foreseen_is_what_becomes_of_it(
    shop: Company, setting: Setting, policy: str, why: str
) -> None:
    run = done(shop, "A-1")
    setting(shop)
    entries = Entry.objects.count()
    [mail, refund] = foresee_undo(actor=shop.cast.ada, run=run)
    assert Entry.objects.count() == entries
    assert (mail.policy, mail.policy_why) == ("", "")
    assert refund.policy == policy
    assert why in refund.policy_why
    made = shop.drive(undo(shop, run))
    became = {"completed": "ALLOW", "requires_action": "REQUIRE_APPROVAL"}.get(made.state, "DENY")
    if made.state == "completed" and shop.calls(made)[0].state == "refused":
        became = "DENY"
    assert became == policy


def test_a_suspended_agent_and_a_kill_switch_are_foreseen(shop: Company) -> None:
    run = done(shop, "A-1")
    switch = throw_switch(actor=shop.cast.ada, scope="everything", target="", reason="Fire.")
    [_, refund] = foresee_undo(actor=shop.cast.ada, run=run)
    assert refund.policy == "DENY"
    lift_switch(actor=shop.cast.ada, switch=switch, reason="Out.")
    suspend_agent(actor=shop.cast.ada, agent=shop.cast.agent, reason="stolen")
    run = Run.objects.get(pk=run.pk)
    [_, refund] = foresee_undo(actor=shop.cast.ada, run=run)
    assert (refund.policy, "is not active" in refund.policy_why) == ("DENY", True)


def test_what_has_to_be_decided_first_is_foreseen_as_refused(shop: Company) -> None:
    run = done(shop, "A-1")
    bound = {"order_id": {"tool": "eligible", "output": "order", "inputs": {}}}
    ToolVersionFactory.create(
        tool=shop.versions[0].tool, effect="reversible", input_schema=ORDERS, bound=bound
    )
    [_, refund] = foresee_undo(actor=shop.cast.ada, run=run)
    assert (refund.policy, "has to be decided by eligible" in refund.policy_why) == ("DENY", True)
    made = shop.drive(undo(shop, run))
    assert shop.states(made) == [("refused", CODE)]


def test_the_policy_is_asked_of_a_bounded_number(shop: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "MOST_ASKED", 1)
    run = done(shop, "A-1", "B-2")
    [_, latest, other] = foresee_undo(actor=shop.cast.ada, run=run)
    assert (latest.policy, other.policy) == ("ALLOW", "")
    assert other.policy_why == forecast.NOT_ASKED
    shop.drive(undo(shop, run))
    assert cancelled(shop) == ["B-2", "A-1"]


def test_the_console_asks_with_the_forecast_and_shows_the_link_both_ways(shop: Company) -> None:
    run = done(shop, "A-1")
    denied(shop)
    client = sign_in(shop.cast.ada)
    asked = client.post(
        page_of(MODEL, "changelist"), {"action": "undo", "_selected_action": [str(run.pk)], "index": "0"}
    )
    assert "as things stand now, the call would be refused" in text_of(asked)
    assert FORECAST in text_of(asked)
    assert not run.undos.exists()
    act(client, MODEL, "undo", run.pk)
    made = shop.drive(run.undos.get())
    here, there = (page_of(MODEL, "change", each.pk) for each in (run, made))
    assert there in client.get(here).content.decode()
    page = client.get(there)
    assert here in page.content.decode()
    assert "What was undone, and what was not" in text_of(page)


def test_the_api_shows_forecast_and_links(shop: Company, callers: Callers) -> None:
    run = done(shop, "A-1")
    gated(shop)
    [mail, refund] = callers.ada.get(f"/runs/{run.pk}/undo").body["effects"]
    assert (mail["policy"], refund["policy"]) == ("", "REQUIRE_APPROVAL")
    assert refund["policy_why"]
    made = undo(shop, run)
    assert callers.ada.get(f"/runs/{run.pk}").body["undone_by"] == [str(made.pk)]
    assert callers.ada.get(f"/runs/{made.pk}").body["undoes"] == str(run.pk)
    assert callers.app.get(f"/runs/{run.pk}").body["undone_by"] == []  # not for it to see


def command(*arguments: object) -> str:
    output = io.StringIO()
    call_command("undo", *map(str, arguments), stdout=output)
    return output.getvalue()


def test_the_command_foresees_and_does(shop: Company) -> None:
    run = done(shop, "A-1")
    told = command(run.pk, "--as", "ada")
    assert "refund (step 1): will be undone by cancel: as things stand now, the call would go out" in told
    assert not run.undos.exists()
    with pytest.raises(CommandError, match="say why"):
        command(run.pk, "--as", "ada", "--do")
    told = command(run.pk, "--as", "ada", "--do", "--reason", "It was a mistake.")
    [made] = run.undos.all()
    assert re.search(rf"is being undone by run {made.pk}", told)
    assert (made.started_by, shop.drive(made).state) == (shop.cast.ada, "completed")
    assert cancelled(shop) == ["A-1"]


@pytest.mark.parametrize(("who", "why"), [("bob", "control_run"), ("charlie", "not for charlie to see")])
def test_the_command_asks_no_less_than_the_other_ways(shop: Company, who: str, why: str) -> None:
    run = done(shop, "A-1")
    for more in ([], ["--do", "--reason", "So."]):
        with pytest.raises(CommandError) as refused:
            command(run.pk, "--as", who, *more)
        assert str(refused.value)
    with pytest.raises(PolicyDenied):
        foresee_undo(actor=getattr(shop.cast, who), run=run)
