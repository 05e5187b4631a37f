"""The story that a newcomer sees: a request, a proposal, a person's decision, one effect, an answer, a trace."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Open
from tests.browser.platform import KETTLE, LAMP, Demo
from tests.browser.visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow]

INBOX = "/admin/approvals/approvalrequest/"


def run_page(run: str) -> str:
    return f"/admin/runs/run/{run}/change/"


def request_page(asked: str) -> str:
    return f"{INBOX}{asked}/change/"


def open_request(visitor: Visitor, subject: str) -> None:
    """Wait in the inbox until somebody's request appears, and open it."""
    visitor.go(INBOX)
    visitor.page.locator(".queue a", has_text=subject).first.click()
    visitor.page.locator("#request", has_text=f"On behalf of {subject}").wait_for()


def test_a_refund_waits_for_fiona_and_is_made_once(demo: Demo, visit: Open) -> None:
    before = len(demo.effects())
    run, ann = demo.ask_refund(KETTLE)
    fiona = visit("fiona")
    open_request(fiona, ann)
    fiona.sees("refund 129.90 USD")
    fiona.sees("The gooseneck kettle from my order A-1042 arrived broken")
    fiona.sees("nobody has checked them")
    fiona.sees("cannot be undone")
    fiona.sees("What it will change")
    fiona.sees("Paid back in all")
    assert len(demo.effects()) == before
    fiona.take_picture("inbox")
    fiona.go("/admin/")
    fiona.take_picture("dashboard")

    open_request(fiona, ann)
    fiona.page.fill("#reason", "The photo shows it.")
    fiona.page.click("[data-verdict=approve]")
    fiona.sees("You approved this")
    # On the same page, by itself; the new part stands beside the old one for a moment.
    fiona.page.locator("#request-after", has_text="The call: succeeded").first.wait_for()
    assert fiona.page.url.startswith(f"{demo.url}{INBOX}")
    assert len(demo.effects()) == before + 1

    fiona.go(run_page(run))
    fiona.page.locator("h1 .badge", has_text="completed").wait_for()
    fiona.sees("are on their way back to your Visa ending 9212")
    fiona.sees("refund_payment: done")
    fiona.sees("refund_payment: approved by a person")
    fiona.take_picture("run", height=1120)
    assert len(demo.effects()) == before + 1


def test_a_denied_cancellation_is_not_made(demo: Demo, visit: Open) -> None:
    run = demo.start_run(LAMP, "bruno.costa@example.com")
    fiona = visit("fiona")
    open_request(fiona, "bruno.costa@example.com")
    before = len(demo.effects())
    fiona.page.keyboard.press("r")
    fiona.page.keyboard.type("It was shipped this morning.")
    fiona.page.click("[data-verdict=deny]")
    fiona.sees("You denied this")
    fiona.go(run_page(run))
    fiona.page.locator("h1 .badge", has_text="completed").wait_for()
    fiona.sees("was not approved by my colleague")
    assert len(demo.effects()) == before


def test_a_runs_page_follows_the_run(demo: Demo, visit: Open) -> None:
    fiona, colleague = visit("fiona"), visit("fiona")
    run, david = demo.ask_refund("A-1039")
    fiona.go(run_page(run))
    fiona.page.locator("h1 .badge", has_text="requires action").wait_for()
    fiona.page.locator("details", has_text="Why").first.locator("summary").click()
    opened = fiona.page.locator("details[open]").count()
    assert opened
    open_request(colleague, david)
    colleague.page.fill("#reason", "No photo.")
    colleague.page.click("[data-verdict=deny]")
    colleague.sees("You denied this")
    fiona.page.locator("h1 .badge", has_text="completed").wait_for()  # nobody has reloaded this page
    assert fiona.page.locator("details[open]").count() >= opened


def test_two_who_decide_at_once(demo: Demo, visit: Open) -> None:
    _, henry = demo.ask_refund("A-1032")
    first, second = visit("fiona"), visit("fiona")
    for window in (first, second):
        open_request(window, henry)
    second.page.fill("#reason", "No.")  # while somebody writes, the form is left alone
    first.page.fill("#reason", "No photo.")
    first.page.click("[data-verdict=deny]")
    first.sees("You denied this")
    second.page.click("[data-verdict=approve]")
    second.sees("Your decision was not recorded; what counts stands below.")


def test_by_keyboard(demo: Demo, visit: Open) -> None:
    subjects = [demo.ask_refund(order)[1] for order in ("A-1038", "A-1041")]
    fiona = visit("fiona")
    for subject in subjects:
        open_request(fiona, subject)
    fiona.go(INBOX)
    requests = fiona.page.locator(".queue a[data-request]")
    ids = [requests.nth(n).get_attribute("data-request") for n in range(requests.count())]
    shown = fiona.page.locator("#request")
    fiona.page.keyboard.press("j")
    fiona.page.locator(f'#request[data-request="{ids[1]}"]').wait_for()
    fiona.page.keyboard.press("k")
    fiona.page.locator(f'#request[data-request="{ids[0]}"]').wait_for()
    fiona.page.keyboard.press("?")
    fiona.page.locator("dialog[open]").wait_for()
    fiona.page.keyboard.press("Escape")
    fiona.page.keyboard.press("a")
    assert fiona.page.evaluate("document.activeElement.dataset.verdict") == "approve"
    assert shown.locator(".badge", has_text="waiting").count()  # a key alone decides nothing
    fiona.page.keyboard.press("r")
    assert fiona.page.evaluate("document.activeElement.id") == "reason"
    fiona.page.keyboard.type("jk a?")  # letters are letters in a field
    assert fiona.page.input_value("#reason") == "jk a?"


def test_what_a_customer_writes_stays_text(demo: Demo, visit: Open) -> None:
    script = "<script>document.title='taken over'</script><img src=x onerror=\"document.title='taken over'\">"
    run = demo.start_run(f"Where is my order A-1047? {script}", f"mallory{script}@example.com")
    fiona = visit("fiona")
    for path in (run_page(run), "/admin/runs/run/", "/admin/", f"/admin/ledger/stream/{run}/change/"):
        fiona.go(path)
        assert fiona.page.title().endswith("AgentOps")
        assert fiona.page.locator("img[src=x]").count() == 0
