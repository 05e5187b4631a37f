"""XSS after a POST: what a form gives back of what was written into it, and what is kept of that, is text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Browser
from pytest_django import Settings

from approvals.models import ApprovalRequest
from identities.models import AgentIdentity
from runs.models import ChangeSet, Extension, Handover, Run
from tests.browser import hostile
from tests.browser.test_pages import FORMS
from tests.browser.test_xss import LOOK, _beside_the_browser, address, open_window
from tests.browser.visitor import Visitor
from tests.console.visits import page_of
from tests.runs.company import Company
from tests.runs.conftest import company
from tools.models import ServerTool, Tool, ToolServer

__all__ = ["_beside_the_browser", "address", "company"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    # Of style sheets, as for every web server of the local stack.
    pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume synchronous iterators"),
]

WRITTEN = f"by-form {hostile.MARKUP}"
# What sets a password, and what would stop everything that comes after it.
LEFT_OUT = {"password_change", "second-factor", "runs/stop/add"}
# Write into every field of a form, past what the browser itself would refuse, and send it off.
SEND = """
([number, text, only]) => {
  const form = document.querySelectorAll("#content form:not([method=dialog])")[number];
  for (const field of form.elements) {
    if (only && !(field.name in only)) continue;
    if (field.matches("textarea, input:not([type=hidden], [type=checkbox], [type=radio], [type=file])")) {
      if (field.localName === "input") field.type = "text";
      field.removeAttribute("maxlength");
      field.value = only ? only[field.name] : text;
    } else if (field.matches("select:not([multiple])")) field.selectedIndex = field.options.length - 1;
  }
  form.noValidate = true;
  const button = form.querySelector("button:not([type=button])");
  if (button?.name) {
    const pressed = document.createElement("input");
    form.append(Object.assign(pressed, {type: "hidden", name: button.name, value: button.value}));
  }
  HTMLFormElement.prototype.submit.call(form);
}
"""


def send(
    visitor: Visitor, path: str, number: int = 0, only: dict[str, str] | None = None
) -> dict[str, Any]:  # Any: JSON
    """Send one form of a page; return what stands on the page that answers."""
    visitor.go(path)
    with visitor.page.expect_navigation():
        visitor.page.evaluate(SEND, [number, WRITTEN, only])
    looked: dict[str, Any] = visitor.page.evaluate(LOOK)
    return looked


def forms_on(visitor: Visitor, path: str) -> int:
    visitor.go(path)
    return visitor.page.locator("#content form:not([method=dialog])").count()


def pages_of(company: Company, who: str) -> dict[str, str]:
    """Return the pages with forms that take words, by the name of their address."""
    acting = [str(run.pk) for run in Run.objects.filter(mode="act")]
    waiting = ApprovalRequest.objects.filter(
        state="waiting", subject_ref__in=acting, tool__name="refund"
    ).get()
    if who == "fiona":
        return {
            "edit": page_of("approvals_approvalrequest", "edit", waiting.pk),
            "request": page_of("approvals_approvalrequest", "change", waiting.pk),
            "inbox": f"{page_of('approvals_approvalrequest', 'changelist')}?tab=waiting&least=1",
            "changeset": page_of("runs_changeset", "change", ChangeSet.objects.get(state="offered").pk),
        }
    server, agent = ToolServer.objects.get(), AgentIdentity.objects.get(pk=waiting.identity_id)
    listed = ServerTool.objects.filter(server=server)
    return {
        **{form: f"/admin/{form}/" for form in FORMS if form not in LEFT_OUT},
        "try": reverse("admin:runs_try", args=[Tool.objects.get(name="refund").pk]),
        "what_if": reverse("admin:runs_what_if", args=[agent.pk]),
        "import": reverse("admin:tools_toolserver_import", args=[server.pk, listed.get(name="tell").pk]),
        "document": reverse("admin:tools_toolserver_document", args=[server.pk]),
        "agent": reverse("admin:identities_agentidentity_edit", args=[agent.pk]),
        "extension": page_of("runs_extension", "change", Extension.objects.get().pk),
        "handover": page_of("runs_handover", "change", Handover.objects.get().pk),
    }


# Each of these shows again what was written, or nothing was proven about it.
GIVEN_BACK = {
    "ada": {"try", "what_if", "import", "document", "agent", "runs/schedule/add", "tools/decisiontable/add"},
    "fiona": {"edit"},
}


@pytest.mark.parametrize("who", ["ada", "fiona"])
def test_what_a_form_gives_back_is_text(company: Company, address: str, browser: Browser, who: str) -> None:
    visitor, pages = open_window(browser, address, getattr(company.cast, who)), pages_of(company, who)
    faults: list[str] = []
    given_back: set[str] = set()
    for name, path in pages.items():
        number = 0
        while number < forms_on(visitor, path):  # what was sent may have taken forms away
            looked = send(visitor, path, number)
            number += 1
            faults += [f"{path}, form {number}: {fault}" for fault in looked["found"]]
            given_back |= {name} if "by-form" in looked["page"] else set()
    assert not faults
    assert not GIVEN_BACK[who] - given_back
    # What is no number is given back to a field that takes numbers only: the browser says so, and leaves it out.
    assert not [each for each in visitor.leave() if "The specified value" not in each]


@pytest.mark.parametrize(("who", "name"), [("ada", "try"), ("ada", "what_if"), ("fiona", "edit")])
@pytest.mark.parametrize("fits", [True, False], ids=["fits the schema", "does not"])
def test_what_is_said_of_a_call_is_text(
    company: Company, address: str, browser: Browser, who: str, name: str, fits: bool
) -> None:
    """Arguments that are read, shown, compared and judged, and what is wrong with them."""
    visitor, path = open_window(browser, address, getattr(company.cast, who)), pages_of(company, who)[name]
    arguments = {"order_id": WRITTEN} if fits else {WRITTEN: {"by-key": WRITTEN}}
    field = "arguments" if name == "what_if" else "raw"
    looked = send(visitor, path, only={field: json.dumps(arguments), "tool": "refund"})
    assert not looked["found"]
    assert "by-form" in looked["page"]
    assert not visitor.leave()


def test_mutant_whose_forms_give_back_markup_is_found_out(
    company: Company, address: str, browser: Browser, settings: Settings
) -> None:
    """The look can fail where a form comes back; what became markup is blocked by the policy all the same."""
    options = {**settings.TEMPLATES[0]["OPTIONS"], "autoescape": False}
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "OPTIONS": options}]
    ada = open_window(browser, address, company.cast.ada)
    looked = send(ada, pages_of(company, "ada")["try"], only={"raw": json.dumps({"order_id": WRITTEN})})
    ada.context.close()
    assert "xss-mark" in looked["found"]
    assert "a script ran" not in looked["found"]
