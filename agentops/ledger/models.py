"""The tables of the ledger. Streams and entries are written by ``store`` and the run journal, never by the ORM."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from agentops.identifiers import new_id


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


class CheckpointKey(models.Model):
    """An Ed25519 key that signs checkpoints. It counts where its sealed private half opens: no other can be written."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    public_key = models.BinaryField(max_length=32, unique=True)
    sealed_private_key = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    sealed_fields: ClassVar = ["sealed_private_key"]

    class Meta:
        db_table = "ledger_checkpoint_key"
        default_permissions = ()

    def __str__(self) -> str:
        return bytes(self.public_key).hex()


class Checkpoint(models.Model):
    """A signed Merkle root over the heads that had moved since the checkpoint before, which it binds by its digest."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    number = models.PositiveIntegerField(unique=True)
    at = models.DateTimeField()
    public_key = models.BinaryField(max_length=32)
    heads = models.PositiveIntegerField()
    root = models.BinaryField(max_length=32)
    prev_digest = models.BinaryField(max_length=32)
    signature = models.BinaryField(max_length=64)

    class Meta:
        db_table = "ledger_checkpoint"
        default_permissions = ()

    def __str__(self) -> str:
        return f"checkpoint {self.number}"


class CheckpointHead(models.Model):
    """Where a stream stood when a checkpoint was taken: a leaf of its tree."""

    pk = models.CompositePrimaryKey("stream_id", "seq")
    stream_id = models.UUIDField(db_column="stream")
    seq = models.PositiveIntegerField()
    hash = models.BinaryField(max_length=32)
    checkpoint = models.PositiveIntegerField(db_index=True, help_text="The number of the checkpoint.")

    class Meta:
        db_table = "ledger_checkpoint_head"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.stream_id} at {self.seq}"
