"""Setting an agent up in the browser, once from end to end: by one person, signed by another, until it may act."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Open
from tests.browser.visitor import NARROW, Visitor, pictures

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_an_agent_is_set_up_step_by_step(visit: Open) -> None:
    ada = visit("ada")
    page = ada.page
    ada.go("/admin/runs/agentversion/set-up/purpose/")
    page.fill("#id_name", "Returns agent")
    page.fill("#id_slug", "returns-agent")
    page.select_option("#id_team", label="Support")
    page.fill("#id_purpose", "Takes goods back.")
    page.select_option("#id_owner", label="oscar")
    page.select_option("#id_sponsor", label="fiona")
    page.evaluate(
        "document.querySelector('#id_recertify_by').value ="
        " new Date(Date.now() + 90 * 864e5).toISOString().slice(0, 10)"
    )
    page.click("button.primary")
    page.select_option("#id_template", value="asker")
    page.fill("#id_instructions", "Help with returns.")
    page.click("button.primary")
    ada.sees("What happens when it wants to use it")
    page.screenshot(path=pictures() / "set-up-tools.png", full_page=True)
    # Nobody could approve a call of this one.
    page.select_option("[name='modify_order_address:decision']", value="")
    page.click("button.primary")
    ada.sees("USD a day")
    page.click("button.primary")
    ada.sees("Who is asked")
    page.click("button.primary")
    ada.sees("What it could do at worst")
    page.screenshot(path=pictures() / "set-up-review.png", full_page=True)
    page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    assert ada.overflow() <= 0
    page.click("button.primary")
    ada.sees("is a draft")
    ada.sees("Waits for a second person")
    page.screenshot(path=pictures() / "set-up-waiting.png", full_page=True)

    sign_all(visit("grace"))
    page.get_by_role("link", name="look again").click()
    page.get_by_role("button", name="Let it act").click()
    ada.sees("may act now")
    page.screenshot(path=pictures() / "set-up-done.png", full_page=True)


def sign_all(grace: Visitor) -> None:
    """Look at one proposal, and activate them all."""
    grace.go("/admin/identities/changeproposal/?state__exact=waiting")
    grace.page.locator("#result_list tbody a").first.click()
    grace.sees("Can activate it")
    grace.page.screenshot(path=pictures() / "proposal.png", full_page=True)
    grace.go("/admin/identities/changeproposal/?state__exact=waiting")
    grace.page.check("#action-toggle")
    grace.page.select_option("select[name=action]", label="Activate")
    grace.page.get_by_role("button", name="Go").click()
    grace.sees("Put this change into force, in your name too?")
    grace.page.screenshot(path=pictures() / "proposals-activated.png", full_page=True)
    grace.page.get_by_role("button", name="Yes, go on").click()
    grace.sees("in force")
