"""How long a session lasts: never longer than a working day, and not while nobody is there.

Django's own expiry begins anew whenever a session is written to, and knows no idleness.
"""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest

BEGAN, SEEN = "session_began_at", "session_seen_at"
SEEN_ROUNDED_TO_S = 60  # a write per request would cost more than the minute matters


@receiver(user_logged_in)
def begin_session(request: HttpRequest, **_: Any) -> None:
    """Note when somebody signed in."""
    request.session[BEGAN] = request.session[SEEN] = time.time()


def has_ended(request: HttpRequest) -> bool:
    """Return whether a session is over; one that does not know when it began is."""
    now, session = time.time(), request.session
    is_old = now - session.get(BEGAN, 0) > settings.SESSION_COOKIE_AGE
    return bool(is_old or now - session.get(SEEN, 0) > settings.SESSION_IDLE_S)


def note_activity(request: HttpRequest) -> None:
    """Note that somebody is there; a page that refreshes itself is nobody."""
    refreshes = request.method == "GET" and "HX-Request" in request.headers
    seen = request.session.get(SEEN, 0)
    if not refreshes and time.time() - seen > SEEN_ROUNDED_TO_S:
        request.session[SEEN] = time.time()
