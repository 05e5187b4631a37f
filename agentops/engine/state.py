"""The state of a run: what a fold of its events amounts to. Bounded in size however long the run is.

Named tuples, because every event makes a copy or two: of a frozen dataclass that costs four times as much.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, NamedTuple, TypeVar

from agentops.engine.routing import Routing

# How many past proposals loop detection looks back on in runs of engine versions 1 and 2, and how many turns a
# context window may span.
RECENT_LIMIT = 24
MARKS_LIMIT = 400
# So many calls of an external run may be open at once; the next ones wait unread, and no more than so many of them.
OPEN_LIMIT = 32
UNREAD_LIMIT = 32

ZERO = Decimal(0)

# How a call stands. Clients branch on these words, and on the reasons: the API's document lists them.
CallStatus = Literal[
    "proposed",
    "allowed",
    "confirming",
    "confirmed",
    "waiting",
    "approved",
    "held",
    "asked",
    "started",
    "delegated",
    "awaited",
    "retrying",
    "deferred",
    "unknown",
    "parking",
    "parked",
    "succeeded",
    "failed",
    "refused",
    "staged",
]
# Whoever acts has lost the right to: no other call of the run could fare better.
LostAuthority = Literal[
    "identity_suspended",
    "identity_revoked",
    "identity_expired",
    "account_inactive",
    "application_revoked",
    "initiator_inactive",
    "parent_ended",
    "parent_stopped",
    "everything_stopped",
    "principal_stopped",
    "provider_stopped",
    "credential_stopped",
]
# Whether people who are to review have room for the run: it has to ask, or was told to wait.
Admission = Literal["to_ask", "held_back"]
# Why a run has ended; one that was completed needs no reason.
StatusReason = Literal[
    LostAuthority,
    "budget_reached",
    "cancelled_by_user",
    "circuit_open",
    "expired",
    "killed",
    "outcome_unknown",
    "planner_error",
    "stuck",
]
# How the change set of a run that proposes stands with those who review it.
Review = Literal["offered", "settled"]
# Which budget was reached; ``price``: what the model costs is not known.
LimitReached = Literal[
    "steps", "tokens", "usd", "seconds", "shared_steps", "shared_tokens", "shared_usd", "price"
]


class Limits(NamedTuple):
    """Ceilings of one run. ``seconds`` is working time: waiting for people does not count."""

    steps: int
    tokens: int
    usd: Decimal
    seconds: int


class Extensible(NamedTuple):
    """How a run may ask to go on at a limit of its own: so many times more, and the request that it waits for."""

    left: int = 0
    asked: str = ""
    expires_at: str = ""


class Spent(NamedTuple):
    """Steps taken, tokens, USD, and milliseconds worked."""

    steps: int = 0
    tokens: int = 0
    usd: Decimal = ZERO
    worked_ms: int = 0

    def __add__(self, other: object) -> Spent:
        if not isinstance(other, Spent):
            return NotImplemented
        return Spent(
            self.steps + other.steps,
            self.tokens + other.tokens,
            self.usd + other.usd,
            self.worked_ms + other.worked_ms,
        )

    def __sub__(self, other: Spent) -> Spent:
        return Spent(
            self.steps - other.steps,
            self.tokens - other.tokens,
            self.usd - other.usd,
            self.worked_ms - other.worked_ms,
        )


class Drawn(NamedTuple):
    """What the run has drawn of shared budgets, what it has spent included; None where no shared budget limits it.

    ``until`` is when the windows end that it was drawn from: what is unused by then cannot be used later.
    """

    steps: int | None = None
    tokens: int | None = None
    usd: Decimal | None = None
    until: datetime | None = None

    @property
    def units(self) -> list[str]:
        """Return which of steps, tokens and usd a shared budget limits."""
        return [name for name in ("steps", "tokens", "usd") if getattr(self, name) is not None]


class Join(NamedTuple):
    """Which delegations of a step belong together, and how many of their children have to have succeeded.

    ``policy``: ``all`` waits for each of them, ``any`` for the first that ends, however it does, ``quorum`` for so many
    that succeed. Once that is certain, one way or the other, the rest is called off.
    """

    group: str = ""
    policy: str = "all"
    needed: int = 1


class CallState(NamedTuple):
    """One proposed call of the current step."""

    number: int
    tool: str
    args_digest: str
    status: CallStatus = "proposed"
    problem: str = ""
    tool_version: str = ""
    effect: str = ""
    idempotency: str = ""
    attempts: int = 0
    max_attempts: int = 1
    backoff_base_s: float = 0.5
    backoff_cap_s: float = 30.0
    on_unknown: str = "wait"
    on_breaker_open: str = "halt"
    approval: str = ""
    retry_at: datetime | None = None
    code: str = ""
    in_doubt: bool = False
    read_backs: int = 0
    # What the call holds of caps, as (window, amount): taken with its first attempt, given back if it fails.
    claims: tuple[tuple[str, str], ...] = ()
    expires_at: str = ""  # of the approval or confirmation that it waits for
    held_since: datetime | None = None  # since when people may veto it; it is due at ``retry_at``
    confirmation: str = ""  # by which the end user is asked, or has said yes
    edited: int = 0  # the seq of the entry that holds its arguments, where a person has edited them
    # Of a delegation: what it is joined with, its child, what of the run's limits that has as its own until it ends,
    # whether it was told that its answer is not needed any more, and how long it has worked.
    join: Join = Join()
    child: str = ""
    share: Limits | None = None
    called_off: bool = False
    child_ms: int = 0
    remote: str = ""  # the id of the task that an agent elsewhere works on for it
    polls: int = 0  # how often that agent was asked how it stands

    @property
    def signature(self) -> str:
        return f"{self.tool}:{self.args_digest}"

    @property
    def settled(self) -> bool:
        return self.status in SETTLED

    @property
    def may_run(self) -> bool:
        return self.status in RUNNABLE

    @property
    def waits_for_people(self) -> bool:
        return self.status in WAITING_FOR_PEOPLE


SETTLED = frozenset(("succeeded", "failed", "refused", "staged"))
RUNNABLE = frozenset(("allowed", "confirmed", "approved", "held", "retrying", "deferred"))
# Nothing goes on until people have acted; a held call goes out if they do not, and until then waits for them too.
REQUIRING_PEOPLE = frozenset(("confirming", "waiting", "asked", "parked"))
# How long a child takes is not known either: its own working time is counted, and charged when it ends. An agent
# elsewhere works on its own account.
WAITING_FOR_PEOPLE = REQUIRING_PEOPLE | {"held", "delegated", "awaited"}


class Proposed(NamedTuple):
    """A call (tool and arguments' digest) that was proposed, how often, and whether it was a read that was answered."""

    signature: str
    times: int
    answered: bool = False


class Mark(NamedTuple):
    """An entry whose content belongs to the model's window: its seq, its step, its size in characters.

    ``said``: a message of the user. ``instead``: it stands for steps that are not shown any more, as their summary, or
    as a gap where none could be written.
    """

    seq: int
    step: int
    size: int
    said: bool = False
    instead: Literal["", "summary", "gap"] = ""


class Planned(NamedTuple):
    """A tool of the run's plan: how often it may be called (None: without a limit), and how often it was.

    ``seq`` is the entry that holds what its calls have to carry, or 0.
    """

    tool: str
    at_most: int | None = None
    used: int = 0
    seq: int = 0


class RunState(NamedTuple):
    """Everything that decides what happens next.

    ``phase`` is ready (the planner may be asked), asking (it was, no answer yet), summarising (a model was
    asked for a summary, no answer yet), embedding (one was asked for a vector, no answer yet), calling (a
    step's calls are under way), answered (a final answer stands) or ended. ``engine`` is the version whose
    rules decide.
    """

    limits: Limits
    expires_at: datetime
    repeat_limit: int = 3
    engine: int = 1
    seq: int = 0
    phase: str = "ready"
    ending: str = ""
    reason: StatusReason | Literal[""] = ""
    spent: Spent = Spent()
    passed_on: Spent = Spent()  # what its children have used of its limits, those that have ended
    drawn: Drawn = Drawn()
    unshared: Spent = Spent()  # what it had spent before any shared budget bound it
    reserved_tokens: int = 0
    reserved_usd: Decimal = ZERO
    step: int = 0
    model_attempt: int = 0
    model_code: str = ""
    model_retryable: bool = True
    retry_at: datetime | None = None
    calls: tuple[CallState, ...] = ()
    recent: tuple[str, ...] = ()  # up to engine version 2, and since then:
    proposed: tuple[Proposed, ...] = ()
    repeats: int = 0  # how often that call of the step was proposed which was proposed most often
    marks: tuple[Mark, ...] = ()
    admission: Admission | Literal[""] = ""
    paused: bool = False
    cancelling: bool = False
    killed: bool = False
    exhausted: LimitReached | Literal[""] = ""
    cut_off: bool = False  # the budget left no room for the whole answer
    exhausted_of: str = ""  # of a shared budget: whose it is and its window, like "team month"
    lost_authority: LostAuthority | Literal[""] = ""
    unread: bool = False
    plan: tuple[Planned, ...] = ()
    planned_until: int = 0  # the seq of the user's last words that the plan was made from, and
    said_until: int = 1  # of their last words
    working_since: datetime | None = None
    # Of an external run: after how long without a call it is complete, the seqs of calls that were not taken up yet,
    # and when anything happened last.
    idle_s: int = 0
    inbox: tuple[int, ...] = ()
    heard_at: datetime | None = None
    extensible: Extensible = Extensible()
    closed: int = (
        0  # the seq of the entry with which a person has ended the conversation that was theirs to answer
    )
    # Of a run that proposes: its present change set, how many items that has, and how its review stands.
    proposes: bool = False
    change_set: str = ""
    staged: int = 0
    review: Review | Literal[""] = ""
    # Beyond so many characters the oldest steps are summarised before the planner is asked again; 0: never.
    summarise_at: int = 0
    has_long_result: bool = False  # a result was too long to be shown whole: the planner may read on in it
    has_recalled: bool = False  # what is known from earlier runs was looked for before the planner was asked
    routing: Routing = Routing()

    @property
    def is_external(self) -> bool:
        """Whether an agent outside plans: its calls arrive one by one, and none waits for another to settle."""
        return self.idle_s > 0

    @property
    def is_under_review(self) -> bool:
        """Whether the run has proposed what it can, and people have it before them."""
        return self.phase == "answered" and self.review == "offered"

    @property
    def may_take(self) -> bool:
        """Whether a call has arrived that may be taken up now."""
        return bool(self.inbox) and len(self.open_calls) < OPEN_LIMIT

    def step_of(self, call: int) -> int:
        """Return the step of an open call: in an external run each is a step of its own, of the same number."""
        return call if self.is_external else self.step

    @property
    def open_calls(self) -> tuple[CallState, ...]:
        return tuple([call for call in self.calls if call.status not in SETTLED])

    def planned(self, tool: str) -> Planned | None:
        """Return the tool's place in the plan, or None."""
        return next((each for each in self.plan if each.tool == tool), None)

    @property
    def waiting_calls(self) -> tuple[CallState, ...]:
        """Return the calls that wait for people."""
        return tuple([call for call in self.calls if call.status in WAITING_FOR_PEOPLE])

    @property
    def requires_people(self) -> bool:
        """Whether the run, or a call of it, waits and goes no further without people."""
        return bool(self.extensible.asked) or any(call.status in REQUIRING_PEOPLE for call in self.calls)

    @property
    def unsettled_outcomes(self) -> tuple[CallState, ...]:
        """Return the calls that may or may not have had their effect."""
        writes = (call for call in self.open_calls if call.effect != "read")
        return tuple(call for call in writes if call.in_doubt or call.status == "parked")

    @property
    def waits_for_people(self) -> bool:
        """Whether only people can move the run on: this time is not working time.

        A write that is ready but stands behind one that waits for people waits for people too.
        """
        if self.paused or self.admission == "held_back" or self.extensible.asked or self.is_under_review:
            return True
        if self.is_external:  # whoever plans is awaited like a person
            return not self.may_take and all(call.waits_for_people for call in self.open_calls)
        if not self.waiting_calls:
            return False
        open_calls = self.open_calls
        reads = [call for call in open_calls if call.effect == "read"]
        others = [call for call in open_calls if call.effect != "read" and call.status != "asked"]
        unassessed = [call for call in open_calls if call.status == "proposed"]
        return all(call.waits_for_people for call in (*reads, *others[:1], *unassessed))

    @property
    def is_overspent(self) -> bool:
        """Whether the run is beyond a limit: only a provider that takes more than it was allowed gets it there."""
        used = self.used
        return used.tokens > self.limits.tokens or used.usd > self.limits.usd

    @property
    def used(self) -> Spent:
        """Return what is gone of the run's limits: what it has spent itself, and what its children have."""
        return self.spent + self.passed_on

    @property
    def committed(self) -> Spent:
        """Return what the run itself cannot have any more: what is gone, and what children have that are going."""
        lent = [call.share for call in self.calls if call.status == "delegated" and call.share]
        used = self.used
        if not lent:
            return used
        return used._replace(
            steps=used.steps + sum(share.steps for share in lent),
            tokens=used.tokens + sum(share.tokens for share in lent),
            usd=used.usd + sum(share.usd for share in lent),
        )

    @property
    def shared_spent(self) -> Spent:
        """Return what it has spent since a shared budget bound it."""
        return self.spent - self.unshared

    @property
    def asks_again(self) -> bool:
        """Whether the planner has yet to answer the present step: its last attempt failed."""
        return bool(self.model_code) and self.model_attempt > 0

    @property
    def next_step(self) -> int:
        """Return the step that the planner is asked for next."""
        return self.step if self.asks_again else self.step + 1

    def call(self, number: int) -> CallState:
        """Return the call of the current step with this number; raises KeyError when there is none."""
        for call in self.calls:
            if call.number == number:
                return call
        raise KeyError(number)

    def with_call(self, changed: CallState) -> RunState:
        """Return the state with one call of the current step replaced."""
        return self._replace(calls=tuple([changed if c.number == changed.number else c for c in self.calls]))

    @property
    def has_ended(self) -> bool:
        return self.phase == "ended"


Part = TypeVar("Part", CallState, RunState)


def _replacing(kind: type[Part]) -> Callable[..., Part]:
    """Return a `_replace` for few of many fields: a named tuple's own looks for each, which takes thrice as long."""
    places = {name: place for place, name in enumerate(kind._fields)}

    def replace(self: Part, /, **changes: Any) -> Part:  # Any: as the fields have it
        values = list(self)
        for name, value in changes.items():
            values[places[name]] = value
        return kind._make(values)

    return replace


CallState._replace = _replacing(CallState)  # type: ignore[assignment, method-assign]  # the same
RunState._replace = _replacing(RunState)  # type: ignore[assignment, method-assign]  # the same
