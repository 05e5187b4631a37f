"""Passwords that tests can afford."""

from __future__ import annotations

from django.contrib.auth.hashers import PBKDF2PasswordHasher


class OneRound(PBKDF2PasswordHasher):
    """Django's own way to keep a password, which servers that tests start understand, without what makes it slow."""

    iterations = 1
