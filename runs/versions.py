"""Agent versions as the driver sees them: immutable once published, so read once per process."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any
from uuid import UUID

from agentops.database import borrowed
from agentops.engine.budgets import Rates
from agentops.engine.events import ASK_USER, HAND_OVER, READ_RESULT
from agentops.errors import NotFound
from agentops.fresh import Fresh
from runs.models import EXTERNAL
from runs.planner.estimates import upper_bound_tokens
from runs.planner.messages import ToolSchema
from runs.planner.prices import Price
from runs.shown_digests import digest_offer
from tools.cache import BoundedCache
from tools.calls import ToolSpec
from tools.catalogue import read_spec
from tools.provenance.judging import OffPlan
from tools.provenance.plans import Candidate
from tools.resolvers.shown import show_schema

PRICE_TTL_S = 10.0
_prices: Fresh[str, Price] = Fresh(PRICE_TTL_S)

_VERSION = """
SELECT v.id, v.number, v.instructions, v.planner, v.model, v.temperature, v.max_completion_tokens, v.may_ask_user,
    v.may_hand_over, v.context_tokens, v.plan, v.off_plan, v.summarise, v.model_roles, v.redact,
    v.memory, v.memory_days,
    ARRAY(SELECT c.toolversion_id FROM runs_agentversion_catalogue c WHERE c.agentversion_id = v.id ORDER BY c.id)
FROM runs_agentversion v WHERE v.id = %s
"""
_PRICE = """
SELECT model, version, input_usd_per_mtok, output_usd_per_mtok,
    coalesce(cached_input_usd_per_mtok, input_usd_per_mtok), coalesce(cache_write_usd_per_mtok, input_usd_per_mtok)
FROM runs_price WHERE model = %s AND active
"""

_BUILT_IN = {
    ASK_USER: ToolSchema(
        ASK_USER,
        "Ask the user a question that only they can answer, and wait for the answer.",
        {
            "type": "object",
            "properties": {"question": {"type": "string", "minLength": 1, "maxLength": 4000}},
            "required": ["question"],
            "additionalProperties": False,
        },
    ),
    HAND_OVER: ToolSchema(
        HAND_OVER,
        "Hand the conversation over to a person, when the request is outside what you may or can do.",
        {
            "type": "object",
            "properties": {"reason": {"type": "string", "minLength": 1, "maxLength": 4000}},
            "required": ["reason"],
            "additionalProperties": False,
        },
    ),
}


READ_RESULT_TOOL = ToolSchema(
    READ_RESULT,
    "Read on in a result that was too long to be shown whole: a page of it, or the places that hold some words.",
    {
        "type": "object",
        "properties": {
            "result": {
                "type": "string",
                "description": "the id of the call that was answered with it, like call_3_1",
            },
            "offset": {
                "type": "integer",
                "minimum": 0,
                "description": "from which character on; 0 by default",
            },
            "find": {
                "type": "string",
                "minLength": 1,
                "maxLength": 200,
                "description": "words to look for instead",
            },
        },
        "required": ["result"],
        "additionalProperties": False,
    },
)

WORDS, PLANNER = "words", "planner"  # by what a plan is made


@dataclass(frozen=True)
class VersionSpec:
    """What a run needs of its agent version."""

    id: UUID
    number: int
    instructions: str
    planner: str
    model: str
    temperature: float | None
    max_completion_tokens: int
    may_ask_user: bool
    may_hand_over: bool
    context_tokens: int
    plan: str
    off_plan: OffPlan
    summarise: bool
    model_roles: dict[str, list[str]]
    redact: list[str]
    memory: str
    memory_days: int
    catalogue: dict[str, ToolSpec]

    @cached_property
    def schemas(self) -> tuple[ToolSchema, ...]:
        """Return the tools as the model is shown them."""
        shown = [
            ToolSchema(spec.name, spec.description, show_schema(spec.input_schema, spec.resolvers, {}))
            for spec in self.catalogue.values()
        ]
        return (*shown, *(_BUILT_IN[name] for name in self.built_in))

    @cached_property
    def offer_digest(self) -> str:
        """Return the digest of those."""
        return digest_offer(self.schemas)

    @cached_property
    def built_in(self) -> tuple[str, ...]:
        if self.planner == EXTERNAL:  # an agent outside asks its user itself
            return ()
        offered = ((ASK_USER, self.may_ask_user), (HAND_OVER, self.may_hand_over))
        return tuple(name for name, allowed in offered if allowed)

    def models_of(self, role: str) -> tuple[str, ...]:
        """Return the models that calls of a role are put to, first choice first; a role left out has the one."""
        return tuple(self.model_roles.get(role) or (self.model,))

    @cached_property
    def candidates(self) -> tuple[Candidate, ...]:
        """Return the tools as a plan is made of them."""
        return tuple(
            Candidate(spec.name, spec.effect, spec.declared.wording) for spec in self.catalogue.values()
        )

    @cached_property
    def schema_tokens(self) -> int:
        """Return an upper bound of the tokens that every prompt takes before its first message."""
        return upper_bound_tokens((), self.schemas)


_versions: BoundedCache[UUID, VersionSpec] = BoundedCache(500)


def read_version(version_id: UUID) -> VersionSpec:
    """Return an agent version; raises NotFound."""
    return _versions.get_or_build(version_id, lambda: _load(version_id))


def _load(version_id: UUID) -> VersionSpec:
    with borrowed() as connection:
        row = connection.execute(_VERSION, (version_id,)).fetchone()
    if row is None:
        raise NotFound("unknown_agent_version", f"there is no agent version {version_id}")
    *columns, tool_versions = row
    specs = [read_spec(tool_version) for tool_version in tool_versions]
    values: tuple[Any, ...] = (*columns, {spec.name: spec for spec in specs})
    return VersionSpec(*values)


def read_price(model: str) -> Price:
    """Return the price in force; raises NotFound, because an unknown price is never zero."""
    return _prices.get(model, lambda: _ask_price(model))


def _ask_price(model: str) -> Price:
    with borrowed() as connection:
        row = connection.execute(_PRICE, (model,)).fetchone()
    if row is None:
        raise NotFound("unknown_price", f"nobody has said what {model} costs")
    return Price(*row)


def dearest_rates(price: Price) -> Rates:
    """Return the rates of the worst case: any input token may cost the dearest input rate."""
    return Rates(
        max(price.input_usd_per_mtok, price.cached_input_usd_per_mtok, price.cache_write_usd_per_mtok),
        Decimal(price.output_usd_per_mtok),
    )
