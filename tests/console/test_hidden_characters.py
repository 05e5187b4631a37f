"""What hides or turns words round is shown as its code on every page, whoever wrote it, and stays in what is kept."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.conf import settings
from django.test import Client, override_settings
from django.urls import reverse

from agentops.console.hidden_characters import spell_out_page
from agentops.text import HIDDEN
from approvals.models import ApprovalRequest
from approvals.questions import ask_agent
from approvals.services import decide
from identities.models import AgentIdentity
from runs.models import Run
from tests.console.visits import page_of, sign_in
from tests.ledger import last_entry
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.conftest import company

__all__ = ["company"]

pytestmark = [pytest.mark.console, pytest.mark.slow]

SPELL_OUT = "agentops.console.hidden_characters.SpellOut"
REQUEST = "approvals_approvalrequest"
FIELD = "<input[^>]*>"  # the label of a box that selects a row names it
LINKS = re.compile(r'href="(/[^"#?]*)"')


def turned(words: str) -> str:
    """Return words with a character that turns round what follows, and one that is not seen."""
    return f"{words} \u202e00.52\u2069\u200b"


@pytest.fixture
def run(company: Company) -> Run:
    """A run in which everybody writes such words: the user, the model, the tool, and two of staff."""
    company.add_tool("look_up", effect="read", function="say_turned")
    version = company.add_tool("refund", effect="irreversible", grant="REQUIRE_APPROVAL")
    company.let_decide(version.tool)
    AgentIdentity.objects.update(name=turned("Helper"))
    refund = proposes(("refund", ORDER), text=turned("The model"))
    company.play(proposes(("look_up", ORDER)), refund, refund, says(turned("The answer")))
    run = company.drive(company.start(message=turned("The user")))
    said: dict[str, Any] = {"actor": company.cast.fiona, "channel": "api", "second_factor": True}
    asked = ApprovalRequest.objects.get(state="waiting")
    ask_agent(**said, request=asked, question=turned("The question"), digest=asked.digest)
    company.drive(run)
    denied = ApprovalRequest.objects.get(state="waiting")
    decide(**said, request=denied, verdict="deny", reason=turned("The reason"), digest=denied.digest)
    return company.drive(run)


def visit(client: Client, path: str) -> str:
    response = client.get(path, follow=True)
    return response.content.decode() if response["Content-Type"].startswith("text/html") else ""


def pages_of(client: Client, run: Run) -> dict[str, str]:
    """Return what there is to read about a run, and behind each link of that."""
    first = [
        *(page_of(REQUEST, "change", request.pk) for request in ApprovalRequest.objects.all()),
        *(page_of("runs_run", "prompt", run.pk, step) for step in (1, 2, 3)),
        page_of("runs_run", "change", run.pk),
        reverse(f"admin:{REQUEST}_changelist"),
        reverse("admin:runs_run_changelist"),
        reverse("admin:index"),
    ]
    pages = {path: visit(client, path) for path in first}
    further = {link for page in pages.values() for link in LINKS.findall(page)}
    further = {link for link in further - pages.keys() if not link.startswith(settings.STATIC_URL)}
    return pages | {path: visit(client, path) for path in sorted(further) if "logout" not in path}


def test_every_page_shows_what_hides(company: Company, run: Run) -> None:
    pages = pages_of(sign_in(company.cast.ada), run)
    for path, page in pages.items():
        assert not re.search(f"[{HIDDEN}]", re.sub(FIELD, "", page)), path
    shown = " ".join(pages.values())
    for who in ("Helper", "The user", "The model", "The answer", "The question", "The reason", "The tool"):
        assert f"{who} [U+202E]00.52[U+2069][U+200B]" in shown, who


def test_so_does_a_part_of_a_page(company: Company, run: Run) -> None:
    path = page_of(REQUEST, "change", ApprovalRequest.objects.earliest("created_at").pk)
    part = sign_in(company.cast.fiona).get(path, headers={"HX-Request": "true", "HX-Target": "request"})
    assert "The model [U+202E]" in part.content.decode()


def test_the_record_stays_as_it_was(company: Company, run: Run) -> None:
    sign_in(company.cast.ada).get(page_of("runs_run", "change", run.pk))
    assert company.content(run, "run.started")["message"] == turned("The user")
    denied = ApprovalRequest.objects.get(state="denied")
    assert (last_entry(denied.pk).content or {})["reason"] == turned("The reason")


def test_without_it_words_turn_round(company: Company, run: Run) -> None:
    others = [name for name in settings.MIDDLEWARE if name != SPELL_OUT]
    with override_settings(MIDDLEWARE=others):
        page = visit(sign_in(company.cast.ada), page_of("runs_run", "change", run.pk))
    assert "The user \u202e" in page


@pytest.mark.parametrize(
    ("page", "shown"),
    [
        ("<p title=\"a\u202eb\">\u200b</p>", "<p title=\"a[U+202E]b\">[U+200B]</p>"),
        ("<q>\xad</q>\n\t<b>\xa0</b>", "<q>[U+00AD]</q>\n\t<b>\xa0</b>"),
        ("<label>\u2028</label><input value=\"\u202e\">", "<label>[U+2028]</label><input value=\"\u202e\">"),
        ("<textarea>\n\u202e</textarea>\u202e", "<textarea>\n\u202e</textarea>[U+202E]"),
        ("<option value=\"\u202e\">\u202e</option>", "<option value=\"\u202e\">[U+202E]</option>"),
        ("<script>\u202e</script>\U000e0041", "<script>\u202e</script>[U+E0041]"),
    ],
)  # fmt: skip
def test_what_a_form_holds_is_sent_back_as_it_is(page: str, shown: str) -> None:
    assert spell_out_page(page) == shown
