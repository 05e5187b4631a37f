"""What is said, in each form: no secrets, no arguments, nobody's name, and a link that decides nothing.

The page behind the link asks who you are. Names of agents and tools may be a stranger's: they are text everywhere,
never markup, and never more than one line.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.urls import reverse

from approvals.models import Notice, NoticeChannel
from approvals.notices.kinds import find_kind

Document = dict[str, Any]  # Any: JSON
CARD = "application/vnd.microsoft.card.adaptive"
CARD_SCHEMA = "http://adaptivecards.io/schemas/adaptive-card.json"
LONGEST = 400  # characters of a sentence
LISTED = 20  # notices of one letter that are told one by one
TEST = "This is a test: notices arrive here."
LEAD = "Sign in, look at it and decide there"


@dataclass(frozen=True, slots=True)
class Message:
    """A notice in words: a sentence, what receivers read by machine, and the link."""

    kind: str
    at: str
    sentence: str
    data: Document
    link: str


def compose(notice: Notice | None, at: str) -> Message:
    """Return what is to be said; without a notice, that this is a test."""
    if notice is None:
        return Message("test", at, TEST, {}, address("admin:index"))
    kind = find_kind(notice.kind)
    link = address(kind.page, str(notice.subject)) if kind.page and notice.subject else address("admin:index")
    return Message(kind.name, notice.at.isoformat(), one_line(kind.tell(notice.facts)), notice.facts, link)


def address(name: str, *args: str) -> str:
    """Return the full address of a page of the console, which asks whoever opens it to sign in."""
    return f"{settings.PUBLIC_URL}{reverse(name, args=args)}"


def one_line(text: str) -> str:
    """Return text without line breaks and hidden characters, cut to what fits."""
    shown = "".join(sign if sign.isprintable() else " " for sign in text)
    line = " ".join(shown.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def render(kind: str, message: Message) -> bytes:
    """Return the body for a kind of channel."""
    made = {
        NoticeChannel.Kind.WEBHOOK: as_event,
        NoticeChannel.Kind.SLACK: as_slack,
        NoticeChannel.Kind.TEAMS: as_teams,
    }
    document = made[NoticeChannel.Kind(kind)](message)
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def as_event(message: Message) -> Document:
    """Return the event as Standard Webhooks has it: type, timestamp, data."""
    return {"type": message.kind, "timestamp": message.at, "data": {**message.data, "url": message.link}}


def as_slack(message: Message) -> Document:
    """Return the body of an incoming webhook of Slack: what is notified, the same as plain text, and the link."""
    plain = {"type": "plain_text", "text": message.sentence, "emoji": False}
    link = {"type": "mrkdwn", "text": f"<{_escape(message.link)}|{LEAD}>"}
    blocks = [{"type": "section", "text": plain}, {"type": "context", "elements": [link]}]
    return {"text": _escape(message.sentence), "mrkdwn": False, "blocks": blocks, "unfurl_links": False}


def _escape(text: str) -> str:
    """Return text in which Slack sees no link, no mention and no entity."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def as_teams(message: Message) -> Document:
    """Return a message with one Adaptive Card, as workflows of Teams take it. Runs of text are no Markdown."""
    card = {
        "$schema": CARD_SCHEMA,
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [{"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": message.sentence}]}],
        "actions": [{"type": "Action.OpenUrl", "title": LEAD, "url": message.link}],
    }
    return {"type": "message", "attachments": [{"contentType": CARD, "contentUrl": None, "content": card}]}


def as_mail(messages: Sequence[Message]) -> tuple[str, str]:
    """Return subject and text of a letter: of one notice, or of many together."""
    if len(messages) == 1:
        (message,) = messages
        return f"AgentOps: {message.sentence}", f"{message.sentence}\n\n{LEAD}:\n{message.link}\n"
    told = [f"- {message.sentence}\n  {message.link}" for message in messages[:LISTED]]
    more = [f"… and {len(messages) - LISTED} more."] if len(messages) > LISTED else []
    inbox = f"{LEAD}:\n{address('admin:approvals_approvalrequest_changelist')}"
    return f"AgentOps: {len(messages)} notices", "\n\n".join([*told, *more, inbox]) + "\n"
