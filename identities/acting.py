"""The person behind a request to the console."""

from __future__ import annotations

from functools import partial
from typing import cast

from django.http import HttpRequest

from agentops.console.second_factor import is_fresh
from identities.models import User


def acting_person(request: HttpRequest) -> User:
    """Return the signed-in person; the console lets in staff only, and machines are never staff."""
    person = cast(User, request.user)
    person.factor_is_fresh = partial(is_fresh, request)
    return person
