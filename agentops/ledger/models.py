"""The two tables of the ledger. Their rows are written by ``store`` and by the run journal, never by the ORM."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Stream(models.Model):
    """A chain of entries about one subject: a run, an identity, a tool, an approval."""

    id = models.UUIDField(primary_key=True)
    kind = models.CharField(max_length=32)
    head_seq = models.PositiveIntegerField(default=0)
    head_hash = models.BinaryField(max_length=32)

    class Meta:
        db_table = "ledger_stream"

    def __str__(self) -> str:
        return f"{self.kind} {self.id} at {self.head_seq}"


class Entry(models.Model):
    """One fact that happened. ``content`` is erasable, everything else is bound by ``hash``."""

    pk = models.CompositePrimaryKey("stream_id", "seq")
    stream_id = models.UUIDField(db_column="stream")
    seq = models.PositiveIntegerField()
    kind = models.CharField(max_length=48)
    facts = models.JSONField()
    content = models.TextField(null=True)  # noqa: DJ001  null is erased, or never was
    salt = models.BinaryField(null=True)
    content_digest = models.BinaryField(null=True)
    prev_hash = models.BinaryField()
    hash = models.BinaryField()
    at = models.DateTimeField()
    actor = models.UUIDField(null=True)

    class Meta:
        managed = False  # partitioned by range of stream: created in the first migration
        db_table = "ledger_entry"
        verbose_name_plural = "entries"
        permissions: ClassVar = [("erase_content", "Can erase the personal content of entries")]

    def __str__(self) -> str:
        return f"{self.stream_id}/{self.seq} {self.kind}"
