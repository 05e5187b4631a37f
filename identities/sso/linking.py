"""A sign-on that is to count for an account that was here before: kept in its session until its person has confirmed.

Who comes back from the provider has shown two things in one browser, and not that they belong together: somebody may
have signed that browser on there before. So the page says whose account it is, and its person says yes.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from django.http import HttpRequest

from identities.models import User
from identities.services.sign_ons import Proven

KEY = "to_link"
LASTS_S = 600
SETS = ("roles", "teams", "governed_teams")  # of what is proven; JSON knows lists only


def keep(request: HttpRequest, person: User, proven: Proven) -> None:
    """Keep what the provider said, for this session and this person."""
    kept = {**asdict(proven), **{name: sorted(getattr(proven, name)) for name in SETS}}
    request.session[KEY] = {"person": str(person.pk), "until": time.time() + LASTS_S, "proven": kept}


def recall(request: HttpRequest, person: User) -> Proven | None:
    """Return what is kept for this person, None for nothing and for what was kept too long ago."""
    found: dict[str, Any] = request.session.get(KEY, {})  # Any: JSON
    if found.get("person") != str(person.pk) or time.time() > found["until"]:
        return None
    kept = found["proven"]
    sets = {name: frozenset(kept[name]) for name in SETS}
    return Proven(issuer=kept["issuer"], subject=kept["subject"], name=kept["name"], **sets)


def forget(request: HttpRequest) -> None:
    """Keep it no longer."""
    request.session.pop(KEY, None)
