"""Staff who look at the console: signed in with a second factor, without going through the form."""

from __future__ import annotations

import html
import re
import time
from typing import TYPE_CHECKING

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django_otp import DEVICE_ID_SESSION_KEY
from django_otp.plugins.otp_totp.models import TOTPDevice

from agentops.console.second_factor import SESSION_KEY
from identities.models import User
from tests.factories import give_second_factor

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse

    Page = _MonkeyPatchedWSGIResponse  # what a test client returns, under a name for people
else:
    from django.http import HttpResponse

    Page = HttpResponse

BACKEND = "django.contrib.auth.backends.ModelBackend"
ELSEWHERE = "203.0.113.9"  # no loopback address, so that no demo rule can apply


def sign_in(person: User, *, seconds_ago: float = 0.0) -> Client:
    """Return a client with the person's session; their code was given ``seconds_ago``."""
    device = TOTPDevice.objects.filter(user=person, confirmed=True).first() or give_second_factor(person)
    client = Client(REMOTE_ADDR=ELSEWHERE)
    client.force_login(person, backend=BACKEND)
    session = client.session
    session[DEVICE_ID_SESSION_KEY] = device.persistent_id
    session[SESSION_KEY] = time.time() - seconds_ago
    session.save()
    return client


def page_of(model: str, page: str, *args: object) -> str:
    """Return the address of a model's page, such as ("tools_tool", "change", tool.pk)."""
    return reverse(f"admin:{model}_{page}", args=args)


def act(client: Client, model: str, action: str, *subjects: object, reason: str = "because") -> Page:
    """Take an action on objects, confirmed and with a reason; return the page that one ends up on."""
    form = {
        "action": action,
        "_selected_action": [str(subject) for subject in subjects],
        "index": "0",
        "confirmed": "1",
        "reason": reason,
    }
    return client.post(page_of(model, "changelist"), form, follow=True)


def text_of(response: Page) -> str:
    """Return what a person reads on a page: without tags, entities and runs of spaces."""
    body = re.sub(r"<(script|style|head)\b.*?</\1>", " ", response.content.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", body))).strip()


def count_queries(client: Client, path: str) -> int:
    """Return how many queries a page takes, what is cached for good aside."""
    client.get(path)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    return len(captured)
