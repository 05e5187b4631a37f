"""Setting an agent up in the browser, once from end to end."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Open
from tests.browser.visitor import NARROW, pictures

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
