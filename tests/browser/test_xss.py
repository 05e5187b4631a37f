"""Stored XSS: whatever a user, a model, a tool or a server of tools writes is text, on every page that shows it."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Container, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import settings as configured
from django.contrib import admin
from django.urls import Resolver404, resolve, reverse
from playwright.sync_api import Browser
from pytest_django import Settings

from identities.models import User
from tests.api.live import serve_api
from tests.browser import hostile
from tests.browser.stage import HERE, stage
from tests.browser.visitor import Visitor
from tests.console.visits import page_of, sign_in
from tests.runs import company as companies
from tests.runs.company import Company
from tests.runs.conftest import company

__all__ = ["company"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    # Of style sheets, as for every web server of the local stack.
    pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume synchronous iterators"),
]

# So many pages of a kind are looked at: each run has words of its own, elsewhere what was written stands in few forms.
MOST, MOST_OTHERS = {"admin:runs_run_change": 15, "admin:approvals_approvalrequest_change": 6}, 3
WROTE = re.compile(r"by-([a-z]+(?:-[a-z]+)*)")
# Pages that have to have shown something hostile, or nothing was proven about them; forms are for who decides.
KINDS = {
    "ada": {
        "index", "approvals_approvalrequest_changelist", "approvals_approvalrequest_change", "runs_run_changelist",
        "runs_run_change", "runs_run_prompt", "runs_run_held", "runs_changeset_changelist", "runs_changeset_change",
        "runs_handover_changelist", "runs_handover_change", "runs_extension_change",
        "identities_principal_changelist", "identities_principal_change", "tools_tool_change",
        "tools_toolserver_change", "tools_toolserver_import", "ledger_stream_change", "ledger_stream_entry",
        "identities_changeproposal_change",
    },
    "fiona": {
        "approvals_approvalrequest_change", "approvals_approvalrequest_edit", "runs_changeset_change",
    },
}  # fmt: skip
# Pages that hold numbers and states of what was written, and are looked at all the same.
NUMBERS = {"runs_run_compare", "runs_tool_calls", "runs_try"}
# What became more than text. None of our own pages has such a thing: the policy would block it.
LOOK = """
() => {
  const found = [];
  for (const part of document.querySelectorAll("*")) {
    if (["xss-mark", "iframe", "object", "embed", "base", "style"].includes(part.localName)) found.push(part.localName);
    if (part.localName === "script" && !part.src && part.type !== "application/json") found.push(part.outerHTML);
    for (const {name, value} of part.attributes) {
      const leads = /^(href|src|action|formaction|xlink:href|hx-.*)$/.test(name);
      if (/^on|^srcdoc$|^style$/.test(name) || leads && /^\\s*(javascript|data|vbscript):/i.test(value)
          || name.startsWith("hx-") && value.includes("logout")) found.push(`${part.localName} ${name}=${value}`);
    }
  }
  if (window.xss !== undefined) found.push("a script ran");
  const links = Array.from(document.querySelectorAll("a[href^='/admin/']"), (link) => link.getAttribute("href"));
  return {found, links, page: document.documentElement.outerHTML};
}
"""


@pytest.fixture(scope="module", autouse=True)
def _beside_the_browser() -> Iterator[None]:
    """Let this thread use the ORM: the browser keeps an event loop in it, in which nothing of ours runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield


@pytest.fixture
def address(company: Company, settings: Settings) -> Iterator[str]:
    """Serve a company in which everybody writes markup."""
    settings.TOOLS_PYTHON_MODULES = [companies.HERE, HERE]
    stage(company)
    with serve_api() as served:
        yield served


def open_window(browser: Browser, address: str, person: User) -> Visitor:
    """Open a window with somebody's session."""
    visitor, name = Visitor(browser, address), configured.SESSION_COOKIE_NAME
    session = sign_in(person).cookies[name].value
    visitor.context.add_cookies([{"name": name, "value": session, "url": address}])
    return visitor


def look_at(visitor: Visitor, path: str) -> dict[str, Any]:  # Any: JSON
    visitor.go(path)
    looked: dict[str, Any] = visitor.page.evaluate(LOOK)
    return looked


def kind_of(path: str) -> str:
    try:
        return resolve(path.partition("?")[0]).view_name
    except Resolver404:
        return ""


def walk(visitor: Visitor, first: list[str], kinds: Container[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Look at these pages and at what they lead to, some of each of these kinds."""
    ahead, known, visited = deque(first), set(first), Counter[str]()
    while ahead:
        path = ahead.popleft()
        visited[kind_of(path)] += 1
        looked = look_at(visitor, path)
        yield path, looked
        for link in looked["links"]:
            plain = link.partition("#")[0] if "compare" in link else link.partition("#")[0].partition("?")[0]
            kind = kind_of(plain)
            planned = sum(kind_of(each) == kind for each in ahead)
            if plain not in known and kind in kinds and visited[kind] + planned < MOST.get(kind, MOST_OTHERS):
                known.add(plain)
                ahead.append(plain)


@pytest.mark.parametrize("who", ["ada", "fiona"])
def test_what_others_write_is_text_on_every_page(
    company: Company, address: str, browser: Browser, who: str
) -> None:
    """Ada sees everything; Fiona is who decides, and so has the forms."""
    visitor = open_window(browser, address, getattr(company.cast, who))
    models = [model._meta.label_lower.replace(".", "_") for model in admin.site._registry]
    first, wanted = [reverse("admin:index"), *(page_of(model, "changelist") for model in models)], KINDS[who]
    if who == "fiona":
        first = [page_of(model, "changelist") for model in ("approvals_approvalrequest", "runs_changeset")]
    seen: set[str] = set()
    kinds: set[str] = set()
    faults: list[str] = []
    for path, looked in walk(visitor, first, {f"admin:{kind}" for kind in wanted | NUMBERS}):
        wrote = set(WROTE.findall(looked["page"]))
        seen |= wrote
        kinds |= {kind_of(path).removeprefix("admin:")} if wrote else set()
        faults += [f"{path}: {fault}" for fault in looked["found"]]
    assert not faults
    assert not visitor.leave()
    assert not wanted - kinds
    assert who != "ada" or seen >= hostile.WRITTEN


def test_parts_that_are_swapped_in_are_text_too(company: Company, address: str, browser: Browser) -> None:
    fiona = open_window(browser, address, company.cast.fiona)
    fiona.go(page_of("approvals_approvalrequest", "together"))
    fiona.page.get_by_role("button", name="Review to approve").first.click()
    fiona.page.locator("h1", has_text="Approve together").wait_for()
    looked = fiona.page.evaluate(LOOK)
    assert not looked["found"]
    assert "by-subject" in looked["page"]
    fiona.go(page_of("approvals_approvalrequest", "changelist"))
    rows = fiona.page.locator(".queue a[data-request]").all()
    asked = [row.get_attribute("data-request") for row in rows]
    assert len(asked) >= 2
    for request in asked:
        fiona.page.locator(f'.queue a[data-request="{request}"]').click()
        fiona.page.locator(f'#request[data-request="{request}"]').wait_for()
        fiona.page.fill("#reason", f"by-reason {hostile.MARKUP}")
        fiona.page.click("[data-verdict=deny]")
        fiona.sees("You denied this")
        looked = fiona.page.evaluate(LOOK)
        assert not looked["found"]
        assert "by-reason" in looked["page"]
    assert not fiona.leave()


def test_what_is_searched_for_is_text_too(company: Company, address: str, browser: Browser) -> None:
    """What the search of the ledger gives back of what was asked."""
    ada = open_window(browser, address, company.cast.ada)
    words = {
        "kind": hostile.MARKUP,
        "actor": hostile.MARKUP,
        "stream": hostile.MARKUP,
        "days": hostile.MARKUP,
    }
    looked = look_at(ada, f"{page_of('ledger_stream', 'changelist')}?{urlencode(words)}")
    assert not looked["found"]
    assert "&lt;xss-mark&gt;" in looked["page"]
    assert not ada.leave()


def test_mutant_without_escaping_is_found_out_and_still_runs_nothing(
    company: Company, address: str, browser: Browser, settings: Settings
) -> None:
    """The look at the pages can fail; and where text does become markup, the policy blocks what it would run."""
    options = {**settings.TEMPLATES[0]["OPTIONS"], "autoescape": False}
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "OPTIONS": options}]
    ada = open_window(browser, address, company.cast.ada)
    found = look_at(ada, page_of("approvals_approvalrequest", "changelist"))["found"]
    ada.context.close()
    assert "xss-mark" in found
    assert any("onerror=" in fault for fault in found)
    assert "a script ran" not in found
    assert any("Content Security Policy" in complaint for complaint in ada.complaints)
