"""A stop in the middle of a call: it is called back, what became of it is told honestly, and its credential ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from django.db import connections

from agentops import messages
from identities.models import Principal, SecretLease
from identities.services import issue_api_key
from runs import recalls, tasks
from runs.models import Run, Stop
from runs.receipts import write_receipt
from runs.stops import stop
from runs.withdrawals import withdraw_credentials
from tests.identities.secrets import make_secret
from tests.runs.company import ORDER, Company, proposes, says
from tests.tools.rude_server import RudeServer, rude_server
from tools.models import ToolGrant
from tools.services import force_breaker_open

pytestmark = pytest.mark.revocation

SCOPES = ["run", "agent", "tool", "application", "principal", "credential", "provider", "everything"]
TIMEOUT_S = 20.0  # far more than a stop takes to be noticed; the server waits for 30
PATIENCE_S = 15.0


@pytest.fixture
def server() -> Iterator[RudeServer]:
    with rude_server() as running:
        yield running


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often, so that tests are short; one of them takes the real figures."""
    monkeypatch.setattr(recalls, "LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(recalls, "SLOW_AFTER_S", 0.0)


def add_tool(company: Company, server: RudeServer, path: str = "slow", **changes: Any) -> None:
    config = {
        "method": "POST",
        "url": f"{server.url}/{path}",
        "allow_private": True,
        **changes.pop("config", {}),
    }
    company.add_tool("refund", adapter="http", config=config, timeout_s=TIMEOUT_S, breaker=BREAKER, **changes)


BREAKER = {"probe_lease_s": 60.0}


def call_and(company: Company, server: RudeServer, happens: Callable[[], object]) -> tuple[Run, float]:
    """Run one call, and let something happen while its server holds it; return the run, and the seconds since."""
    moments: list[float] = []

    def wait_and_act() -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not server.seen and time.monotonic() < deadline:
            time.sleep(0.005)
        try:
            happens()
            moments.append(time.monotonic())
        finally:
            connections.close_all()

    thread = threading.Thread(target=wait_and_act)
    thread.start()
    company.play(proposes(("refund", ORDER)), says("Done."))
    run = company.drive(start_with_key(company))
    thread.join()
    return run, time.monotonic() - moments[0]


def start_with_key(company: Company) -> Run:
    """Start a run as the application does, with a key of its own that can be stopped."""
    cast = company.cast
    key, _ = issue_api_key(actor=cast.ada, user=cast.application.service_account, label="shop")
    return company.start(credential=key)


def stop_it(company: Company, scope: str) -> Stop:
    run = Run.objects.get()
    targets = {
        "run": run.pk, "agent": run.identity_id, "tool": company.versions[0].tool_id, "everything": "",
        "application": run.application_id, "provider": "openai", "principal": Principal.objects.get().pk,
        "credential": run.credential_id,
    }  # fmt: skip
    return stop(actor=company.cast.ada, scope=scope, target=str(targets[scope]), reason="It goes wrong.")


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize("scope", SCOPES)
def test_a_stop_calls_back_what_it_concerns(company: Company, server: RudeServer, scope: str) -> None:
    add_tool(company, server, idempotency="none")
    run, _ = call_and(company, server, lambda: stop_it(company, scope))

    (unknown,) = company.facts(run, "call.unknown")
    assert (unknown["code"], unknown["status"]) == ("called_back", "unknown"), "it may have had its effect"
    assert len(server.seen) == 1
    receipt = write_receipt(Stop.objects.get(), company.cast.ada)
    assert (receipt.in_flight, receipt.called_back) == (1, 1)
    assert run.state == ("requires_action" if scope == "tool" else "halted")


def force_open(company: Company) -> None:
    force_breaker_open(actor=company.cast.ada, tool=company.versions[0].tool, reason="It goes wrong.")


def take_the_grant(company: Company) -> None:
    ToolGrant.objects.update(state="revoked")


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize("happens", [force_open, take_the_grant])
def test_a_read_that_is_called_back_has_failed(
    company: Company, server: RudeServer, happens: Callable[[Company], None]
) -> None:
    add_tool(company, server, effect="read")
    run, _ = call_and(company, server, lambda: happens(company))

    assert company.states(run) == [("failed", "called_back")]
    assert run.state == "completed"


@pytest.mark.usefixtures("_quick")
def test_what_nobody_stopped_goes_on(company: Company, server: RudeServer) -> None:
    add_tool(company, server)
    looks: list[int] = []

    find = recalls.find_lost

    def count_and_find(calls: Sequence[recalls.Underway]) -> dict[recalls.Underway, str]:
        looks.append(len(calls))
        return find(calls)

    def see_it_looked_at() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(recalls, "find_lost", count_and_find)
            deadline = time.monotonic() + PATIENCE_S
            while len(looks) < 3 and time.monotonic() < deadline:
                time.sleep(0.005)
        server.released.set()

    run, _ = call_and(company, server, see_it_looked_at)
    assert company.states(run) == [("succeeded", "ok")]


@pytest.mark.usefixtures("_quick")
def test_where_nobody_can_say_the_call_is_called_back(
    company: Company, server: RudeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tool(company, server, effect="read")
    monkeypatch.setattr(recalls, "BLIND_FOR_S", 0.2)

    def fail(calls: object) -> dict[recalls.Underway, str]:
        raise OSError("the database is gone")

    run, since_s = call_and(company, server, lambda: monkeypatch.setattr(recalls, "find_lost", fail))
    assert company.states(run) == [("failed", "called_back")]
    assert since_s >= 0.1, "not at the first look that fails"


def test_with_the_real_figures_it_takes_about_a_second(company: Company, server: RudeServer) -> None:
    add_tool(company, server, effect="read")
    run, since_s = call_and(company, server, lambda: stop_it(company, "agent"))
    print(f"called back {since_s * 1000:.0f} ms after the click")

    assert company.states(run) == [("failed", "called_back")]
    assert recalls.SLOW_AFTER_S + recalls.LOOK_EVERY_S < 1, "the longest that nobody looks at a call"
    # No bound on the machine, which other suites keep busy: it tells a stop that was noticed from the call's own
    # time limit, and from the server's answer after 30 s. The second itself is measured: ``bench stops``.
    assert since_s < TIMEOUT_S / 2


# --- credentials ------------------------------------------------------------------------------------------


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[str, ...], str]]:
    """Collect what is sent to workers: task, arguments, queue."""
    found: list[tuple[str, tuple[str, ...], str]] = []

    def note(task: str, args: tuple[str, ...], queue: str, *_: object) -> bool:
        found.append((task, args, queue))
        return True

    monkeypatch.setattr(messages, "_publish", note)
    return found


WAKES: dict[str, Callable[[str], int]] = {
    "runs.wake_agent": tasks.wake_agent, "runs.wake_application": tasks.wake_application,
    "runs.wake_switched": tasks.wake_switched,
}  # fmt: skip


def deliver(sent: list[tuple[str, tuple[str, ...], str]]) -> None:
    """Do what a worker does with the messages about a stop."""
    for task, args, _ in list(sent):
        if task in WAKES:
            WAKES[task](*args)
    for task, args, queue in sent:
        if task == "runs.withdraw_credentials":
            assert queue == "critical"
            tasks.withdraw_credentials(*args)


@pytest.mark.parametrize("scope", SCOPES)
def test_a_stop_ends_the_credentials_that_calls_hold(
    company: Company, server: RudeServer, sent: list[tuple[str, tuple[str, ...], str]], scope: str
) -> None:
    make_secret(company.cast)
    add_tool(company, server, effect="read", config={"credential": "shop-key"})
    seen: list[tuple[list[str], tuple[int, int]]] = []

    def stop_and_deliver() -> None:
        made = stop_it(company, scope)
        deliver(sent)
        states = list(SecretLease.objects.values_list("state", flat=True))
        receipt = write_receipt(made, company.cast.ada)
        seen.append((states, (receipt.leases, receipt.leases_ended)))
        server.released.set()

    call_and(company, server, stop_and_deliver)
    assert seen == [(["ended"], (1, 1))]


def test_an_agent_that_acts_again_keeps_what_its_calls_hold(company: Company, server: RudeServer) -> None:
    cast = company.cast
    make_secret(cast)
    add_tool(company, server, effect="read", config={"credential": "shop-key"})
    ended: list[int] = []

    def look() -> None:
        ended.append(withdraw_credentials("agent", str(cast.agent.pk)))
        server.released.set()

    call_and(company, server, look)
    assert ended == [0]
