"""The person behind a request to the console."""

from __future__ import annotations

from typing import cast

from django.http import HttpRequest

from identities.models import User


def acting_person(request: HttpRequest) -> User:
    """Return the signed-in person; the console lets in staff only, and machines are never staff."""
    return cast(User, request.user)
