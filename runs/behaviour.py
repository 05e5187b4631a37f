"""What an agent version is defined by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any

from agentops.canonical import plain_digest
from runs.models import AgentVersion
from tools.models import ToolVersion


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Everything that decides how an agent behaves. Fields are those of AgentVersion; no limit is None."""

    instructions: str
    model: str
    catalogue: tuple[ToolVersion, ...] = ()
    planner: str = "openai"
    temperature: float | None = None
    max_completion_tokens: int = 2_000
    principal_source: str = ""
    plan: str = ""
    off_plan: str = "DENY"
    may_ask_user: bool = True
    may_hand_over: bool = True
    max_steps: int | None = 12
    max_tokens: int | None = 100_000
    max_usd: Decimal | None = Decimal("2.00")
    max_seconds: int | None = 90
    run_expires_after_s: int | None = 86_400
    context_tokens: int = 24_000
    summarise: bool = False
    model_roles: Mapping[str, Sequence[str]] = field(default_factory=dict)
    escalate_invalid: int = 2
    escalate_failed: int = 3
    demote_percent: int = 20
    redact: Sequence[str] = ()
    memory: str = ""
    memory_days: int = 90
    tasks: Sequence[Mapping[str, Any]] = ()  # Any: JSON, as fulfilment/declared.py reads it
    repeat_limit: int = 3
    max_extensions: int = 0
    extension_percent: int = 50
    extension_ttl_s: int = 3_600

    def __post_init__(self) -> None:
        if isinstance(self.redact, list):  # as documents and rows have it
            object.__setattr__(self, "redact", tuple(self.redact))
        object.__setattr__(self, "tasks", list(self.tasks))
        roles = {role: list(named) for role, named in self.model_roles.items()}
        object.__setattr__(self, "model_roles", roles)

    def values(self) -> dict[str, Any]:
        """Return the fields as a row holds them, without the catalogue."""
        return {name: getattr(self, name) for name in FIELDS}

    def digest(self) -> str:
        """Return the digest that names this behaviour; the order of the catalogue is what the model sees."""
        usd = None if self.max_usd is None else format(self.max_usd.normalize(), "f")
        tools = [version.digest for version in self.catalogue]
        values = self.values()
        if not self.plan:  # as behaviours were named before there was any
            del values["plan"], values["off_plan"]
        if not self.max_extensions:  # likewise
            del values["max_extensions"], values["extension_percent"], values["extension_ttl_s"]
        values |= self._name_models(values.pop("model_roles"))
        if "model_roles" not in values:  # one model for all: nothing escalates to another
            del values["escalate_invalid"], values["escalate_failed"], values["demote_percent"]
        if not self.summarise:  # likewise
            del values["summarise"]
        if not self.memory:  # likewise
            del values["memory"], values["memory_days"]
        if not self.tasks:  # likewise
            del values["tasks"]
        values["redact"] = list(self.redact)
        if not self.redact:  # likewise
            del values["redact"]
        return plain_digest({**values, "max_usd": usd, "catalogue": tools})

    def _name_models(self, roles: dict[str, list[str]]) -> dict[str, Any]:  # Any: JSON
        """Return the models as behaviours were named when a version had one, and one that writes its summaries."""
        named: dict[str, Any] = {"summary_model": ""} if self.summarise else {}
        if self.summarise and set(roles) == {"summarise"} and len(roles["summarise"]) == 1:
            return {"summary_model": roles["summarise"][0]}
        return {**named, "model_roles": roles} if roles else named


FIELDS = tuple(each.name for each in fields(Behaviour) if each.name != "catalogue")


def behaviour_of(version: AgentVersion) -> Behaviour:
    """Return the behaviour that a stored version has."""
    links = AgentVersion.catalogue.through.objects.filter(agentversion=version).order_by("id")
    tools = tuple(link.toolversion for link in links.select_related("toolversion__tool"))
    return Behaviour(catalogue=tools, **{name: getattr(version, name) for name in FIELDS})
