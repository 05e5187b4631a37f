"""By whose authority a call is made, and what is known of them when it is judged: values, without any rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from tools.caps import Cap, CapClaim

Verdict = Literal["ALLOW", "REQUIRE_APPROVAL", "DENY"]
Source = Literal["user", "agent", "parent", "run", "tool"]


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that was looked at: by whose authority, a code, and words for people."""

    source: Source
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class WaiverTerms:
    """Two people's word that nobody is asked about calls of one tool version, until an end.

    ``stands`` says that both signatures are on record and both signers' accounts are open.
    """

    signers: tuple[str, str]
    tool_version: str
    expires_at: datetime
    stands: bool


@dataclass(frozen=True, slots=True)
class GrantTerms:
    """The active grant of an identity for a tool."""

    id: UUID
    version: int
    decision: str
    caps: tuple[Cap, ...]
    over_caps: str
    approval_ttl_s: int
    valid_until: datetime | None
    waiver: WaiverTerms | None
    policy_table: UUID | None = None  # a decision table that is asked about every call
    veto_s: int = 0  # for so long a call with an effect is held, for people to veto it
    confirmation: bool = False  # the end user confirms each call


@dataclass(frozen=True, slots=True)
class Bound:
    """What may be done with one tool, by a source that is no grant: it gives nothing, and takes away."""

    decision: str
    caps: tuple[Cap, ...] = ()
    over_caps: str = "DENY"


@dataclass(frozen=True, slots=True)
class TableAnswer:
    """What a grant's decision table says of a call: in words, with what names the rules that said it.

    ``ceiling`` is the most that ALLOW_WITH_CAPS lets a call move; None is a ceiling that nothing is below.
    """

    decision: str
    detail: str
    named: tuple[str, ...]
    ceiling: Decimal | None = None


# By the tool's name. A run that has limits may use no tool that they do not name.
Limits = Mapping[str, Bound]
NO_CALL = Bound("DENY")
UNLIMITED: Mapping[str, Bound] | None = None


@dataclass(frozen=True, slots=True)
class Parent:
    """A run on whose behalf another acts, and how its agent stands: what it may not do, its child may not."""

    run_id: UUID
    identity_id: UUID
    name: str
    identity_state: str
    identity_expires_at: datetime | None
    account_active: bool
    guarded: bool = False
    grant: GrantTerms | None = None
    limits: Limits | None = UNLIMITED


@dataclass(frozen=True, slots=True)
class Actors:
    """What the database says about those by whose authority a run acts."""

    identity_state: str
    identity_expires_at: datetime | None
    account_active: bool
    application_active: bool | None
    initiator_active: bool | None = field(default=None, kw_only=True)
    switch: str | None = field(default=None, kw_only=True)  # the scope of a kill switch that stops the run
    parents: tuple[Parent, ...] = field(default=(), kw_only=True)  # the nearest first


@dataclass(frozen=True, slots=True)
class Standing(Actors):
    """What the database says at the moment of the call."""

    tool_state: str
    grant: GrantTerms | None
    guarded: bool
    used: Mapping[str, tuple[int, Decimal]] = field(default_factory=dict)
    for_user: tuple[Bound, ...] = field(default=(), kw_only=True)  # on behalf of this end user, or of any


@dataclass(frozen=True, slots=True)
class Ask:
    """The call as far as policy cares; ``held`` is what an earlier attempt took of caps, by window.

    ``tool_version`` is the digest of the version that would be called, ``limits`` are what the run was started with.
    """

    run_id: UUID
    tool: str
    tool_version: str
    effect: str
    amount: Decimal | None
    now: datetime
    held: Mapping[str, Decimal] = field(default_factory=dict)
    limits: Limits | None = UNLIMITED
    principal_id: UUID | None = None
    by_table: Mapping[UUID, TableAnswer] = field(default_factory=dict)  # by the grant that asks


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer; ``claims`` have to be reserved before the effect."""

    verdict: Verdict
    code: str
    reasons: tuple[Reason, ...]
    claims: tuple[CapClaim, ...] = ()
