"""Agent versions and the prices of their models."""

from __future__ import annotations

from typing import ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q, Value

from agentops.engine.state import RECENT_LIMIT
from agentops.engine.tiers import MOST_MODELS
from agentops.identifiers import new_id
from identities.models import AgentIdentity, User
from runs.fulfilment.declared import Undeclarable, read_tasks
from runs.querysets import AgentVersionQuerySet
from tools.models import ToolVersion

MOST_EXTENSIONS = 10
LONGEST_TTL_S = 7 * 86_400
LONGEST_MEMORY_DAYS = 3_650
EXTERNAL = "external"  # the planner of versions that nobody asks: an agent outside calls their tools


REDACTED = ("card", "email", "iban", "sensitive")


def check_redacted(kinds: object) -> None:
    """Refuse kinds that nothing is known to take out: they would seem to be taken out."""
    if not isinstance(kinds, list | tuple) or not all(kind in REDACTED for kind in kinds):
        raise ValidationError(f"redact is a list of {', '.join(REDACTED)}")


# What a call of a model is for. None is made yet to draw values from a text, so there is no such role.
MODEL_ROLES = ("plan", "execute", "summarise")
LONGEST_NAME = 120


def check_model_roles(roles: object) -> None:
    """Refuse roles that no call has, and what is no list of models: calls would go elsewhere than it seems."""
    if not isinstance(roles, dict) or not set(roles) <= set(MODEL_ROLES):
        raise ValidationError(f"model_roles has a list of models for any of {', '.join(MODEL_ROLES)}")
    for role, named in roles.items():
        if not isinstance(named, list | tuple) or not all(_is_model(each) for each in named):
            raise ValidationError(f"{role} is a list of models' names")
        if not 1 <= len(set(named)) == len(named) <= MOST_MODELS:
            raise ValidationError(f"{role} names one to {MOST_MODELS} models, each once")


def check_tasks(tasks: object) -> None:
    """Refuse types of tasks whose checks say nothing that can be told of a run."""
    try:
        read_tasks(tasks)
    except Undeclarable as error:
        raise ValidationError(str(error)) from error


def list_models(version: AgentVersion) -> list[str]:
    """Return the models that calls of a version may be put to, each once, those of plans first."""
    used = [role for role in MODEL_ROLES if role != "summarise" or version.summarise]
    named = [model for role in used for model in version.model_roles.get(role) or [version.model]]
    return list(dict.fromkeys(named))


def _is_model(name: object) -> bool:
    return isinstance(name, str) and len(name) <= LONGEST_NAME and name.split() == [name]


class Price(models.Model):
    """What a model costs, USD per million tokens. A change is a new version; an unknown price is never zero."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    model = models.CharField(max_length=120)
    version = models.CharField(max_length=60)
    input_usd_per_mtok = models.DecimalField(max_digits=14, decimal_places=6)
    output_usd_per_mtok = models.DecimalField(max_digits=14, decimal_places=6)
    cached_input_usd_per_mtok = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)
    cache_write_usd_per_mtok = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["model", "version"], name="price_version_once"),
            models.UniqueConstraint(
                fields=["model"], condition=Q(active=True), name="price_one_active_per_model"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model} ({self.version})"


class AgentVersion(models.Model):
    """Immutable published behaviour of an identity: instructions, model, catalogue, budget, context."""

    class State(models.TextChoices):
        DRAFT = "draft"
        PUBLISHED = "published"
        RETIRED = "retired"

    class PrincipalSource(models.TextChoices):
        APPLICATION = "application", "asserted by a trusted application"
        STAFF = "staff", "the member of staff who starts the run"
        TOKEN = "token", "the user whose token an agent outside presents"

    class Plan(models.TextChoices):
        """How the tools are fixed that a run may call, before it reads anything but the user's words."""

        WORDS = "words", "by the user's words"
        PLANNER = "planner", "by the planner's first turn, within the user's words"

    class Memory(models.TextChoices):
        """What becomes of a note that one of its runs writes."""

        ASK = "ask", "a person releases each note before it is read"
        AUTO = "auto", "a person releases those that rest on strangers' words or on something sensitive"
        ALL = "all", "each is read, whatever it rests on"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    identity = models.ForeignKey(AgentIdentity, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=16, choices=State, default=State.DRAFT)
    instructions = models.TextField()
    planner = models.CharField(
        max_length=16,
        default="openai",
        choices=[("openai", "openai"), ("null", "null"), (EXTERNAL, "an agent outside, through the gateway")],
    )
    model = models.CharField(max_length=120)
    temperature = models.FloatField(null=True, blank=True)
    max_completion_tokens = models.PositiveIntegerField(default=2_000)
    catalogue = models.ManyToManyField(ToolVersion, related_name="agent_versions", blank=True)
    principal_source = models.CharField(max_length=16, choices=PrincipalSource, blank=True)
    plan = models.CharField(max_length=8, choices=Plan, blank=True, default="")
    off_plan = models.CharField(
        max_length=20, default="DENY", choices=[("DENY", "deny"), ("REQUIRE_APPROVAL", "ask a person")]
    )
    may_ask_user = models.BooleanField(default=True)
    may_hand_over = models.BooleanField(default=True)
    max_steps = models.PositiveIntegerField(null=True, default=12)
    max_tokens = models.PositiveIntegerField(null=True, default=100_000)
    max_usd = models.DecimalField(max_digits=12, decimal_places=4, null=True, default="2.00")
    max_seconds = models.PositiveIntegerField(null=True, default=90)
    run_expires_after_s = models.PositiveIntegerField(null=True, default=86_400)
    context_tokens = models.PositiveIntegerField(default=24_000)
    summarise = models.BooleanField(
        default=False,
        db_default=False,
        help_text="When a conversation outgrows its context, its oldest steps are summarised; else they are left out.",
    )
    model_roles = models.JSONField(
        default=dict,
        db_default=Value({}, models.JSONField()),
        blank=True,
        validators=[check_model_roles],
        help_text="Models by what a call is for (plan, execute, summarise), first choice first; else its own model.",
    )
    # When a planning model is asked in place of an executing one, and when the cheapest of either is.
    escalate_invalid = models.PositiveSmallIntegerField(
        default=2,
        db_default=2,
        help_text="After so many steps in a row with calls that nobody could make; 0: never.",
    )
    escalate_failed = models.PositiveSmallIntegerField(
        default=3,
        db_default=3,
        help_text="After so many steps in a row whose calls failed; 0: never.",
    )
    demote_percent = models.PositiveSmallIntegerField(
        default=20,
        db_default=20,
        validators=[MaxValueValidator(100)],
        help_text="With less than this share of its tokens or USD left, the cheapest model is asked; 0: never.",
    )
    redact = models.JSONField(
        default=list,
        db_default=Value([], models.JSONField()),
        blank=True,
        validators=[check_redacted],
        help_text="What is taken out of prompts: card, email, iban, and sensitive for what tools call so.",
    )
    memory = models.CharField(
        max_length=8,
        choices=Memory,
        blank=True,
        default="",
        db_default="",
        help_text="What its runs may note for later runs for the same principal, and read of it; empty: nothing.",
    )
    memory_days = models.PositiveSmallIntegerField(
        default=90,
        db_default=90,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_MEMORY_DAYS)],
        help_text="For so long a note is read.",
    )
    tasks = models.JSONField(
        default=list,
        db_default=Value([], models.JSONField()),
        blank=True,
        validators=[check_tasks],
        help_text="Types of tasks that its runs can be started with, and by which checks each is fulfilled.",
    )
    # Below 2 and beyond what the engine remembers nothing would ever be found to repeat itself.
    repeat_limit = models.PositiveSmallIntegerField(
        default=3, validators=[MinValueValidator(2), MaxValueValidator(RECENT_LIMIT)]
    )
    # At a limit of its own a run may ask a person to go on: so often, for at most this share of each limit.
    max_extensions = models.PositiveSmallIntegerField(
        default=0,
        db_default=0,
        validators=[MaxValueValidator(MOST_EXTENSIONS)],
        help_text="So often a run may ask for more at a limit; 0: it halts.",
    )
    extension_percent = models.PositiveSmallIntegerField(
        default=50,
        db_default=50,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="The most that is granted at a time, as a share of each limit.",
    )
    extension_ttl_s = models.PositiveIntegerField(
        default=3_600,
        db_default=3_600,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_TTL_S)],
        help_text="For so long people may decide; then it halts.",
    )
    digest = models.CharField(max_length=64, blank=True)
    published_at = models.DateTimeField(null=True, blank=True)
    published_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AgentVersionQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["identity", "number"], name="agent_version_number_once"),
            models.UniqueConstraint(
                fields=["identity"], condition=Q(state="published"), name="agent_version_one_published"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.identity} v{self.number}"
