"""What runs have noted for later runs of the same agent for the same principal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import models
from django.db.models import F, Q

from agentops.identifiers import new_id
from identities.models import AgentIdentity, Principal, User
from runs.models.runs import Run
from runs.querysets import MemoryQuerySet


class Memory(models.Model):
    """One note. Its words are in the entry ``memory.written`` of its run too; how it stands is in its own stream."""

    class State(models.TextChoices):
        ACTIVE = "active", "later runs may read it"
        QUARANTINED = "quarantined", "nobody reads it until a person has released it"
        REVERTED = "reverted", "a person took it back"
        DELETED = "deleted", "its words are gone"

    class Label(models.TextChoices):
        USER = "user", "the user's words"
        TRUSTED = "trusted", "trusted data"
        UNTRUSTED = "untrusted", "text that a stranger may have written"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    identity = models.ForeignKey(
        AgentIdentity, on_delete=models.PROTECT, related_name="memories", db_index=False
    )
    principal = models.ForeignKey(Principal, on_delete=models.PROTECT, related_name="memories")
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="memories")
    step = models.PositiveIntegerField()
    call = models.PositiveSmallIntegerField()
    text = models.TextField(blank=True)
    # What of the text stood in the user's words or in trusted data of its run, word for word.
    passages = models.JSONField(default=list)
    label = models.CharField(
        max_length=10, choices=Label, help_text="The least trusted of what its run had read."
    )
    sensitive = models.BooleanField(help_text="Its run had read something sensitive.")
    state = models.CharField(max_length=12, choices=State)
    written_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    settled_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    words = models.GeneratedField(
        expression=SearchVector("text", config="english"), output_field=SearchVectorField(), db_persist=True
    )

    objects = MemoryQuerySet.as_manager()

    class Meta:
        db_table = "runs_memory"
        ordering: ClassVar = ["-id"]
        verbose_name_plural = "memories"
        permissions: ClassVar = [("release_memory", "Can release what an agent remembers from quarantine")]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "step", "call"], name="memory_once_per_call"),
            models.CheckConstraint(
                condition=~Q(state="deleted") | Q(text="", passages=[]), name="memory_deleted_has_no_words"
            ),
        ]
        indexes: ClassVar = [
            # Of one agent and one principal there are a few hundred at most: they are ranked one by one.
            models.Index("identity", "principal", "state", F("written_at").desc(), name="memory_of_principal")
        ]

    def __str__(self) -> str:
        return f"memory {self.pk}"


if TYPE_CHECKING:
    _Field = models.Field[list[float] | None, list[float] | None]
else:  # it takes no parameters where it runs
    _Field = models.Field


class Reals(_Field):
    """Numbers of single precision, as any PostgreSQL keeps them: a database without pgvector holds them, too."""

    def db_type(self, connection: Any) -> str:  # Any: as the base class has it
        """Return the column's type."""
        return "real[]"


class MemoryVector(models.Model):
    """Where a note stands among others by its meaning, as one model sees it. Each active note has a row, no other has.

    The database sees to that. ``numbers`` are None until the model has been asked, ``due_at`` when it is to be asked
    next; None where it is not, or was asked in vain too often. It is as personal as the note.
    """

    memory = models.OneToOneField(Memory, on_delete=models.CASCADE, primary_key=True, related_name="vector")
    model = models.CharField(max_length=120, blank=True, db_default="", default="")
    dimension = models.PositiveIntegerField(db_default=0, default=0)
    numbers = Reals(null=True)
    attempts = models.PositiveSmallIntegerField(db_default=0, default=0)
    code = models.CharField(max_length=48, blank=True, db_default="", default="")
    due_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "runs_memoryvector"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(numbers=None, dimension=0)
                | (Q(dimension__gt=0) & ~Q(numbers=None) & ~Q(model="")),
                name="memory_vector_has_its_model",
            ),
        ]
        indexes: ClassVar = [
            models.Index("due_at", condition=~Q(due_at=None), name="memory_vector_due"),
            models.Index("model", condition=~Q(numbers=None), name="memory_vector_by_model"),
        ]

    def __str__(self) -> str:
        return f"vector of memory {self.memory_id}"


class MemoryReading(models.Model):
    """A run that was shown a note, and in which step first."""

    memory = models.ForeignKey(Memory, on_delete=models.PROTECT, related_name="readings", db_index=False)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="memory_readings")
    step = models.PositiveIntegerField()
    read_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["memory", "run"], name="memory_read_once_per_run")
        ]

    def __str__(self) -> str:
        return f"memory {self.memory_id} read by run {self.run_id}"
