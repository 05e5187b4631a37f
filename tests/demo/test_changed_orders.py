"""The demo's shop behind the demo's company: an order that changes while somebody looks at what is to be done to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from pytest_django import Settings

from agentops.demo.planner.app import build_app as build_planner
from agentops.demo.planner.script import SHIPPED, load_scripts
from agentops.demo.shop.app import build_app as build_shop
from agentops.demo.shop.store import Store
from approvals.models import ApprovalRequest
from approvals.services import decide, read_evidence
from identities.models import AgentIdentity, Application, User
from runs import turns
from runs.driver import drive
from runs.models import Run
from runs.planner.client import close_clients
from runs.provisioning.demo import load_company
from runs.services import start_run
from tests.demo.servers import running

pytestmark = [pytest.mark.setup, pytest.mark.slow]

SCRIPTS = load_scripts(SHIPPED)


@dataclass
class Desk:
    """The company, its shop, and who answers."""

    shop: httpx2.Client

    def play(self, story: str, subject: str) -> Run:
        application = Application.objects.get(slug="shop-app")
        run = start_run(
            actor=application.service_account,
            agent=AgentIdentity.objects.get(slug="refunds-agent"),
            message=SCRIPTS[story].request or "",
            issuer="https://shop.example",
            subject=subject,
            application=application,
        )
        return self.drive(run)

    def drive(self, run: Run) -> Run:
        while drive(run.pk):
            pass
        run.refresh_from_db()
        return run

    def shown(self) -> dict[str, Any]:
        evidence = read_evidence(ApprovalRequest.objects.get(state="waiting"))
        assert evidence is not None
        preview: dict[str, Any] = evidence["preview"]
        return preview

    def approve(self) -> ApprovalRequest:
        request = ApprovalRequest.objects.get(state="waiting")
        return decide(
            actor=User.objects.get(username="fiona"), request=request, verdict="approve", reason="",
            digest=request.digest, channel="terminal", second_factor=True,
        )  # fmt: skip

    def effects(self) -> list[str]:
        return [effect["tool"] for effect in self.shop.get("/effects").json()["effects"]]

    def act(self, tool: str, **arguments: str) -> None:
        """Let somebody else act in the shop."""
        headers = {
            "Idempotency-Key": f"colleague-{tool}", "X-Principal": "shop|somebody", "X-Agent": "a colleague",
        }  # fmt: skip
        assert self.shop.post(f"/tools/{tool}", json=arguments, headers=headers).status_code == 200


@pytest.fixture
def desk(transactional_db: None, settings: Settings) -> Iterator[Desk]:
    settings.DEMO = True
    with (
        running(build_shop(Store())) as shop,
        running(build_planner(SCRIPTS)) as planner,
        httpx2.Client(base_url=shop) as client,
    ):
        settings.OPENAI_BASE_URL, settings.OPENAI_API_KEY = f"{planner}/v1", "sk-test"
        turns.planner_of.cache_clear()
        load_company({"DEMO_SHOP_URL": shop}, "")
        yield Desk(client)
        turns.planner_of.cache_clear()
        close_clients()


def words(preview: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {row["label"]: (row["before"], row["after"]) for row in preview["changes"]}


def test_an_order_that_changes_while_fiona_looks_voids_her_yes(desk: Desk) -> None:
    run = desk.play("refund_broken_kettle", "ann.lee@example.com")
    before = words(desk.shown())
    assert before["Paid back in all"] == ("0.00", "129.90")
    first = desk.approve()
    desk.act("refund_payment", order_id="A-1042", amount="10.00", reason="goodwill")
    run = desk.drive(run)
    first.refresh_from_db()
    assert (run.state, first.state, desk.effects()) == ("requires_action", "voided", ["refund_payment"])
    again = desk.shown()
    assert words(again)["Paid back in all"] == ("10.00", "139.90")
    changed = {row["label"]: row["then"]["before"] for row in again["since"]["changes"]}
    assert changed["Paid back in all"] == "0.00"
    desk.approve()
    run = desk.drive(run)
    assert (run.state, desk.effects()) == ("completed", ["refund_payment"] * 2)


def test_an_order_that_stays_as_it_was_is_cancelled(desk: Desk) -> None:
    run = desk.play("new_address_then_cancel", "bruno.costa@example.com")
    shown = words(desk.shown())
    assert shown["Order"] == ("pending", "cancelled")
    assert shown["Paid back in all"][0] == "0.00"
    desk.approve()
    run = desk.drive(run)
    assert (run.state, desk.effects()) == ("completed", ["modify_order_address", "cancel_order"])


def test_every_tool_that_waits_for_people_shows_what_it_changes(desk: Desk) -> None:
    from tools.models import ToolVersion

    changing = ToolVersion.objects.exclude(effect="read").select_related("tool")
    assert {version.tool.name for version in changing if version.preview} == {
        "cancel_order", "modify_order_address", "return_items", "exchange_items", "refund_payment",
    }  # fmt: skip
