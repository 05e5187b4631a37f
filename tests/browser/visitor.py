"""A person at the console in Chromium, who notices what the browser complains about."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from agentops.runtime.chromium import find_chromium
from tests.browser.platform import Person

PATIENCE_MS = 180_000  # how long a page may take to show what it must; it decides no test that passes
ROOT = Path(__file__).resolve().parent.parent.parent
WIDE, NARROW = (1280, 800), (375, 800)
# What the README shows; AGENTOPS_SCREENSHOTS=docs writes these anew, smaller than the others.
IN_README, OF_README = ("dashboard", "inbox", "run", "changeset", "together"), (1120, 700)
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
GRAVE = ("serious", "critical")
BENIGN = re.compile(
    r"responded with a status of (403|409|422)"
)  # the browser logs each answer that is no success
SETTLED = "Promise.allSettled(document.getAnimations().map((each) => each.finished)).then(() => null)"


@cache
def pictures() -> Path:
    """Return where pictures go."""
    folder = ROOT / "artifacts/browser"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Debian's Chromium; Playwright's own cannot be downloaded."""
    path = find_chromium()
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


class Visitor:
    """One person's window. ``complaints`` are what the browser blocked or failed at."""

    def __init__(
        self,
        browser: Browser,
        url: str,
        *,
        size: tuple[int, int] = WIDE,
        scheme: Literal["light", "dark"] = "light",
    ) -> None:
        self.url = url
        self.context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=scheme,
            locale="en-GB",
            timezone_id="Europe/Berlin",
        )
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.complaints: list[str] = []
        self.page.on("console", lambda message: self._note(message.type, message.text))
        self.page.on("pageerror", lambda error: self._note("error", str(error)))
        self.page.on("dialog", lambda dialog: self._note("error", f"a dialog opened: {dialog.message}"))

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not BENIGN.search(text):
            self.complaints.append(f"{self.page.url}: {text}")

    def sign_in(self, person: Person, code: str = "", password: str = "") -> None:
        """Sign in through the form."""
        self.go("/admin/login/?next=/admin/")
        self.page.fill("[name=username]", person.name)
        self.page.fill("[name=password]", password or person.password)
        self.page.fill("[name=otp_token]", code)
        self.page.click("button.primary")

    def go(self, path: str) -> None:
        """Open a page of the console."""
        self.page.goto(f"{self.url}{path}")

    def sees(self, text: str) -> None:
        """Wait until the page shows this text."""
        self.page.get_by_text(text).first.wait_for()

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than the window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))

    def find_faults(self) -> list[str]:
        """Return what axe finds grave on the page that is shown, each with the rule and the first places."""
        before = len(self.complaints)
        self.page.evaluate(SETTLED)  # halfway from one colour to the next, contrasts are nobody's
        found: list[dict[str, Any]] = Axe().run(self.page, options=RULES).response["violations"]  # Any: JSON
        del self.complaints[before:]  # what axe tries itself, and our policy blocks, is no fault of the page
        grave = [fault for fault in found if fault["impact"] in GRAVE]
        return [f"{fault['id']}: {[node['html'][:160] for node in fault['nodes'][:3]]}" for fault in grave]

    def note_faults(self) -> None:
        """Complain of what is grave on the page that is shown, if one is."""
        if not self.page.is_closed() and self.page.url.startswith(self.url):
            self.complaints += [f"{self.page.url}: {fault}" for fault in self.find_faults()]

    def leave(self) -> list[str]:
        """Look over the page that is shown last, close the window; return all complaints."""
        if not self.page.is_closed():
            self.page.wait_for_load_state()
        self.note_faults()
        self.context.close()
        return self.complaints

    def take_picture(self, name: str, height: int = WIDE[1]) -> None:
        """Keep a picture of the page's first ``height`` pixels, and one for the README if it shows this.

        What is worth a picture is worth a look by axe.
        """
        self.note_faults()
        self._take(pictures() / f"{name}.png", WIDE[0], height)
        if name in IN_README and os.environ.get("AGENTOPS_SCREENSHOTS") == "docs":
            self._take(ROOT / "docs/img" / f"{name}.png", *OF_README)

    def take_both(self, name: str, height: int = WIDE[1]) -> None:
        """Keep a picture as on a screen, and one of the whole page as on a phone, where nothing may stick out."""
        self.take_picture(name, height)
        self.page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
        self.note_faults()
        if (wider := self.overflow()) > 0:
            self.complaints.append(f"{self.page.url}: {wider} pixels wider than a phone")
        self.page.screenshot(path=pictures() / f"{name}-phone.png", full_page=True)
        self.page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})

    def _take(self, path: Path, width: int, height: int) -> None:
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.evaluate("window.scrollTo(0, 0)")
        self.page.screenshot(path=path)
        self.page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
