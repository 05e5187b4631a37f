"""A conversation that an agent passed to a person: taken, read whole, answered, given back; and colleagues see that."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Open
from tests.browser.desk import ANSWER, WANTS_A_PERSON, Desk
from tests.browser.test_story import run_page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

QUEUE = "/admin/runs/handover/"


def test_a_conversation_is_taken_answered_and_given_back(desk: Desk, visit: Open) -> None:
    run = desk.ask_for_a_person()
    oscar, ada = visit("oscar"), visit("ada")
    oscar.go(run_page(run))
    oscar.page.get_by_role("link", name="Open the whole conversation").wait_for()  # by itself
    oscar.go(QUEUE)
    waiting = oscar.page.locator(".handover", has_text="david.okafor@example.com")
    oscar.sees("The customer asks for a person about order A-1044")
    oscar.take_both("handovers")
    waiting.get_by_role("button", name="Take it upon yourself").click()
    oscar.sees("You are answering this now; others see that.")
    words = oscar.page.locator(".conversation .said p").all_inner_texts()
    assert words[0] == WANTS_A_PERSON
    assert len(words) == 2
    oscar.take_both("conversation", height=900)

    ada.go(QUEUE)
    ada.sees("oscar is answering it")
    ada.page.get_by_role("link", name="Open the conversation").first.click()
    ada.sees("If nothing comes within")
    assert not ada.page.locator("#give-back").count()

    oscar.page.fill("#give-back", ANSWER)
    oscar.page.get_by_role("button", name="Give it back to the agent").click()
    oscar.sees("Your answer went to the agent, which goes on with it.")
    oscar.go(run_page(run))
    oscar.page.locator("h1 .badge", has_text="completed").wait_for()
    oscar.sees("A colleague has found it: it comes tomorrow.")
    oscar.sees("A person answers for the agent")
    oscar.go(QUEUE)
    oscar.page.locator(".panel", has_text="Answered lately").get_by_role("link").first.click()
    oscar.sees("oscar, of your staff")
    assert oscar.page.locator(".conversation .said").count() == 4
    oscar.take_both("conversation-answered")


def test_two_who_answer_one_conversation(desk: Desk, visit: Open) -> None:
    """The page that lay open when a colleague was faster says that nothing was changed, and by whom it is answered."""
    run = desk.ask_for_a_person()
    oscar, ada = visit("oscar"), visit("ada")
    for window in (oscar, ada):
        window.go(run_page(run))
        window.page.get_by_role("link", name="Open the whole conversation").click()
        window.page.locator("#give-back").wait_for()
    oscar.page.fill("#give-back", ANSWER)
    oscar.page.get_by_role("button", name="Give it back to the agent").click()
    oscar.sees("Your answer went to the agent")
    ada.page.fill("#give-back", "It is lost.")
    ada.page.get_by_role("button", name="Give it back to the agent").click()
    ada.sees("Nothing was changed.")
    ada.sees("oscar answered it")
    assert not ada.page.locator("#give-back").count()
