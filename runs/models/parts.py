"""Pictures, sounds and files of tools' results, for as long as an agent outside may still fetch them."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from runs.models.runs import Run


class KeptPart(models.Model):
    """The bytes that a result of the run names by their digest. The ledger has the digest, and never the bytes."""

    pk = models.CompositePrimaryKey("run_id", "digest")
    run = models.ForeignKey(
        Run, on_delete=models.DO_NOTHING, db_constraint=False, related_name="part_rows", db_index=False
    )
    digest = models.CharField(max_length=64)
    data = models.BinaryField()
    kept_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "runs_kept_part"
        indexes: ClassVar = [models.Index(fields=["kept_at"], name="part_age")]

    def __str__(self) -> str:
        return f"part {self.digest[:12]} of {self.run_id}"
