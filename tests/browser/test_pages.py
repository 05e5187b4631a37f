"""Every page in every dress: nothing blocked by the policy, nothing wider than the window, on screen and phone."""

from __future__ import annotations

from typing import Literal

import pytest

from tests.browser.conftest import Open
from tests.browser.desk import Desk
from tests.browser.platform import Demo
from tests.browser.visitor import NARROW, WIDE, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LISTS = (
    "approvals/approvalrequest", "runs/run", "runs/run/held", "runs/handover", "runs/agentversion", "runs/budget",
    "runs/price",
    "identities/agentidentity", "identities/application", "identities/apikey", "identities/user", "identities/team",
    "tools/tool", "tools/toolgrant", "tools/userterms", "ledger/stream", "ledger/stream/checkpoints", "runs/stop",
    "identities/killswitch",
    "runs/campaign", "runs/changeset", "identities/changeproposal", "identities/changerule", "tools/toolserver",
    "tools/decisiontable", "approvals/approvalrule", "approvals/denialreasons", "approvals/reviewcapacity",
    "approvals/samplingrule", "approvals/approvalrequest/together", "approvals/absence",
    "approvals/noticechannel", "approvals/noticedelivery", "approvals/mailpreference",
    "approvals/oversightrule", "approvals/oversightrule/report", "approvals/secondlook",
    "runs/extension", "runs/schedule", "runs/deadletter", "runs/memory", "runs/evaluationset", "runs/example",
)  # fmt: skip
FORMS = (
    "runs/run/add", "runs/stop/add", "identities/apikey/add", "identities/user/add", "tools/toolgrant/add",
    "tools/userterms/add", "runs/campaign/add", "tools/toolgrant/waiver", "identities/changerule/add",
    "second-factor", "password_change", "tools/toolserver/add",
    "tools/decisiontable/add", "approvals/approvalrule/add", "approvals/denialreasons/add",
    "approvals/reviewcapacity/add", "approvals/samplingrule/add", "approvals/absence/add",
    "approvals/noticechannel/add",
    "approvals/oversightrule/add", "runs/schedule/add",
    "runs/example/export",
)  # fmt: skip


@pytest.fixture(scope="module")
def run(demo: Demo) -> str:
    """Have a run to look at."""
    return demo.ask_refund("A-1037")[0]


@pytest.fixture(scope="module")
def answered(demo: Demo) -> str:
    """Have a run that ends by itself."""
    return demo.start_run("Where is my order A-1047?", "carla.jensen@example.com")


def measured_version(visitor: Visitor, answered: str) -> str:
    """Return the page of a version of which a run is completed; it shows what such took."""
    visitor.go(f"/admin/runs/run/{answered}/change/")
    visitor.page.locator("h1 .badge", has_text="completed").wait_for()
    address = first_of(visitor, "runs/agentversion", "?q=refunds-agent&state__exact=published")
    assert address
    visitor.go(address)
    assert visitor.page.locator("#indicators").count()
    return address


def first_of(visitor: Visitor, listed: str, query: str = "") -> str | None:
    visitor.go(f"/admin/{listed}/{query}")
    link = visitor.page.locator("#result_list tbody th a, .queue a, #waiting a, .panel h2 a").first
    return link.get_attribute("href") if link.count() else None


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_every_page_fits_and_is_blocked_nothing(
    demo: Demo, visit: Open, run: str, answered: str, size: tuple[int, int], scheme: Literal["light", "dark"]
) -> None:
    ada = visit("ada", size=size, scheme=scheme)
    ada.go(f"/admin/runs/run/{run}/change/")
    ada.page.locator("h1 .badge", has_text="requires action").wait_for()
    objects = [address for listed in LISTS if (address := first_of(ada, listed))]
    stream = f"/admin/ledger/stream/{run}"
    others = ["/admin/", f"/admin/runs/run/{run}/change/", f"{stream}/change/", f"{stream}/1/"]
    others += [f"/admin/runs/run/{run}/prompt/1/", f"/admin/runs/run/compare/?one={run}"]
    others += [
        f"/admin/runs/run/{run}/replay/",
        f"/admin/runs/run/{run}/fork/",
        measured_version(ada, answered),
    ]
    pages = [f"/admin/{path}/" for path in (*LISTS, *FORMS)] + objects + others
    too_wide = []
    for path in pages:
        ada.go(path)
        assert ada.page.locator("h1").count(), path
        if ada.overflow() > 0:
            too_wide.append((path, ada.overflow()))
    assert not too_wide


TALL = "document.documentElement.scrollHeight"


def test_the_dashboard_is_one_screen(demo: Demo, desk: Desk, visit: Open, run: str) -> None:
    """Also where several agents are at work, and one of them has passed a conversation to people."""
    asking, going = desk.ask_for_a_person(), desk.ask_too_much()
    fiona = visit("fiona", size=WIDE)
    fiona.go("/admin/")
    fiona.page.get_by_text("The customer asks for a person").first.wait_for()  # by itself
    assert fiona.page.evaluate(TALL) <= WIDE[1]
    for started in (asking, going):
        demo.cancel(started)


def test_the_inbox_stays_in_its_window(visit: Open, run: str) -> None:
    """List and request scroll by themselves; the window has nowhere to scroll to, and would if words lay outside."""
    fiona = visit("fiona", size=WIDE)
    fiona.go("/admin/approvals/approvalrequest/?tab=waiting")
    pane = fiona.page.locator(".inbox-pane")
    pane.locator("#decision").wait_for()
    assert pane.evaluate("e => e.scrollHeight > e.clientHeight")
    assert fiona.page.evaluate(TALL) == WIDE[1]
    pane.evaluate("e => { e.style.position = 'static' }")
    assert fiona.page.evaluate(TALL) > WIDE[1]


def test_the_theme_can_be_chosen(visit: Open) -> None:
    fiona = visit("fiona", scheme="light")
    fiona.page.wait_for_url("**/admin/")
    ground = "getComputedStyle(document.body).backgroundColor"
    before = fiona.page.evaluate(ground)
    fiona.page.click(".theme-toggle")
    assert fiona.page.evaluate(ground) != before
