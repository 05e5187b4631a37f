"""Answers kept for repeated requests (Idempotency-Key)."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class IdempotentAnswer(models.Model):
    """The first answer given under a key; holds no personal data, and is dropped after 24 hours."""

    id = models.BigAutoField(primary_key=True)
    scope = models.CharField(max_length=64, help_text="Keyed digest of client, principal, route and key.")
    fingerprint = models.CharField(max_length=64, help_text="Keyed digest of the request body.")
    status = models.PositiveSmallIntegerField()
    body = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["scope"], name="idempotent_answer_once")]

    def __str__(self) -> str:
        return self.scope[:12]
