"""A tool as the execution path sees it, and one call of it: plain values, built from rows by the caller."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from agentops.engine.breaker import BreakerSettings
from agentops.engine.retry import Effect, Idempotency
from tools.previews.declaration import Preview
from tools.provenance.declaration import Declaration
from tools.resolvers.declaration import Resolver

if TYPE_CHECKING:
    from tools.credentials.material import Credential
    from tools.recall import Recall

CREDENTIAL = "credential"  # in any tool's configuration: the slug of the secret that its target asks for
AUDIENCE = "audience"  # in an HTTP tool's: the resource that its calls carry a token for


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """One version of a tool. Built once per version and cached: `digest` names it, so it never changes."""

    id: UUID
    tool_id: UUID
    name: str
    version: int
    description: str
    input_schema: dict[str, Any]  # Any: JSON Schema nests
    output_schema: dict[str, Any] | None
    effect: Effect
    idempotency: Idempotency
    timeout_s: float
    max_attempts: int
    backoff_base_s: float
    backoff_cap_s: float
    breaker: BreakerSettings
    on_breaker_open: Literal["wait", "skip", "halt"]
    on_unknown: Literal["wait", "halt"]
    adapter: str
    config: dict[str, Any]  # Any: each adapter defines and checks its own
    dedupe_on: tuple[str, ...]
    dedupe_window_s: float
    digest: str
    statement: str = ""  # plain words for people, with {argument} placeholders
    amount_argument: str = ""  # dotted path; `*` sums over a list
    currency: str = ""
    bound: dict[str, Any] = field(default_factory=dict)  # Any: see tools.bindings
    declared: Declaration = field(default_factory=Declaration)  # about provenance
    resolvers: tuple[Resolver, ...] = ()
    undo: dict[str, Any] | None = None  # Any: see tools.compensation
    max_concurrency: int | None = None  # calls under way at a time, of all runs
    preview: Preview | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt at a tool on behalf of a principal. `key` stays the same over all attempts."""

    spec: ToolSpec
    arguments: dict[str, Any]  # Any: checked against the tool's schema before
    key: str
    attempt: int
    run_id: UUID
    identity_id: UUID
    identity_name: str
    principal_issuer: str
    principal_subject: str
    traceparent: str
    tracestate: str = ""
    principal_proof: str = ""  # what it rests on that the run acts for this principal
    acts_for: tuple[UUID, ...] = ()  # the agents on whose behalf, the nearest first
    undoes: str = ""  # the key of the effect that it undoes
    remote: str = ""  # the id of the task that an agent elsewhere works on for it by now
    # Only between permit and adapter; never part of what a call is compared or shown by.
    credential: Credential | None = field(default=None, repr=False, compare=False)
    token: Credential | None = field(default=None, repr=False, compare=False)
    recall: Recall | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class CallContext:
    """What a Python tool may know about its call: take a parameter named `call` to receive it."""

    key: str
    attempt: int
    run_id: UUID
    identity_name: str
    principal_issuer: str
    principal_subject: str
    traceparent: str
    tracestate: str = ""
