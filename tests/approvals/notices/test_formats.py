"""What is said: plain text in every form, whatever a model or a tool calls itself."""

from __future__ import annotations

import json
from email.message import EmailMessage as Parsed
from typing import Any
from uuid import uuid4

import pytest
from django.conf import LazySettings
from django.core.mail import EmailMessage
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agentops.console.site import ConsoleSite
from approvals.models import ApprovalDecision, ApprovalRequest, Notice
from approvals.notices import formats
from approvals.notices.approving import DECIDED, ESCALATED, EXPIRED, EXPIRING, REQUESTED, STAGE_PASSED, VOIDED
from approvals.notices.formats import as_event, as_mail, as_slack, as_teams, compose, one_line
from approvals.notices.kinds import list_kinds
from tests.cast import Cast
from tests.console.visits import ELSEWHERE
from tests.factories import ApprovalRequestFactory

FACTS: dict[str, Any] = {
    "approval": "0", "state": "approved", "stage": 2, "team": "support", "agent": "refunds-agent", "tool": "refund",
    "effect": "irreversible", "amount": "129.90", "currency": "USD", "expires_at": "2026-11-29T17:00:00+00:00",
    "asked": ["heads"], "run": "0", "reason": "",
}  # fmt: skip
RUDE = "refund\r\nBcc: all@example.com\u202e<!channel> [pay](https://evil.example) <https://evil.example|x> **b** &amp;"


def notice(kind: str = REQUESTED, **facts: Any) -> Notice:
    return Notice(kind=kind, subject=uuid4(), facts={**FACTS, **facts}, at=timezone.now())


def message(**facts: Any) -> formats.Message:
    return compose(notice(**facts), "")


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (REQUESTED, "{what}. It waits for a decision until 2026-11-29 17:00 UTC."),
        (STAGE_PASSED, "{what}. Others have said yes; stage 2 is asked now, until 2026-11-29 17:00 UTC."),
        (
            ESCALATED,
            "{what}. Nobody has answered in time, so heads can decide too, until 2026-11-29 17:00 UTC.",
        ),
        (
            EXPIRING,
            "{what}. It expires at 2026-11-29 17:00 UTC and does not happen unless somebody decides before.",
        ),
        (DECIDED, "Approved: {what}."),
        (EXPIRED, "Nobody answered in time, so it does not happen: {what}."),
        (VOIDED, "No longer asked: {what}."),
    ],
)
def test_who_wants_to_do_what_is_said_in_a_sentence(kind: str, sentence: str) -> None:
    what = "refunds-agent wants to use refund for 129.90 USD (it cannot be undone)"
    assert compose(notice(kind), "").sentence == sentence.format(what=what)


# What the kinds of others than requests say of themselves.
OF_OTHERS = {
    "client": "refunds-agent", "generation": 2, "secret": "mail",
    "unit": "cost", "version": 2, "than": 1, "now": 2.0, "before": 1.0, "runs": 20,
}  # fmt: skip


def test_every_kind_can_be_told() -> None:
    for kind in list_kinds():
        made = compose(notice(kind.name, **OF_OTHERS), "")
        assert made.sentence
        assert made.link.startswith("http://127.0.0.1:8000/admin/")


def test_a_name_is_one_line_without_hidden_characters() -> None:
    line = message(tool=RUDE).sentence
    assert "\n" not in line
    assert "\u202e" not in line
    assert len(one_line("x" * 1_000)) == formats.LONGEST


def test_slack_sees_no_markup_of_ours_to_call() -> None:
    document = as_slack(message(tool=RUDE))
    assert document["blocks"][0]["text"]["type"] == "plain_text"
    assert "<" not in document["text"]
    assert document["mrkdwn"] is False
    links = json.dumps(document["blocks"][1])
    assert "evil" not in links


def test_teams_gets_runs_of_text_and_one_link_of_ours() -> None:
    (attachment,) = as_teams(message(tool=RUDE))["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    assert {run["type"] for block in card["body"] for run in block["inlines"]} == {"TextRun"}
    assert [action["type"] for action in card["actions"]] == ["Action.OpenUrl"]
    assert "evil" not in card["actions"][0]["url"]


def letter(subject: str, text: str) -> Parsed:
    made: Parsed = EmailMessage(subject, text, "a@example.com", ["b@example.com"]).message()
    return made


def test_a_letter_has_no_headers_but_ours() -> None:
    made = letter(*as_mail([message(tool=RUDE)]))
    assert made["Bcc"] is None
    assert made.get_content_type() == "text/plain"


def test_without_one_line_a_letter_is_not_even_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "one_line", lambda text: text)
    with pytest.raises(ValueError, match="newlines"):
        test_a_letter_has_no_headers_but_ours()


def test_an_event_holds_codes_and_amounts_only() -> None:
    assert set(as_event(message())["data"]) == {*FACTS, "url"}


@pytest.mark.django_db
def test_without_the_consoles_door_the_link_would_lead_further(
    cast: Cast, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ConsoleSite, "has_permission", lambda *_: True)
    with pytest.raises(Exception, match=r"."):
        test_the_link_decides_nothing_and_leads_to_the_sign_in(cast, settings, "get")


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "post", "head"])
def test_the_link_decides_nothing_and_leads_to_the_sign_in(
    cast: Cast, settings: LazySettings, method: str
) -> None:
    request: ApprovalRequest = ApprovalRequestFactory.create(identity=cast.agent)
    link = compose(Notice(kind=REQUESTED, subject=request.pk, facts=FACTS, at=timezone.now()), "").link
    assert "?" not in link, "nothing in it says who opens it"
    path = link.removeprefix(settings.PUBLIC_URL)
    answer = getattr(Client(REMOTE_ADDR=ELSEWHERE), method)(path)
    assert answer.status_code == 302
    assert answer["Location"] == f"{reverse('admin:login')}?next={path}"
    request.refresh_from_db()
    assert request.state == "waiting"
    assert not ApprovalDecision.objects.exists()
