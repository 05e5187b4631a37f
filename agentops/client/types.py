"""What the API takes and gives, typed. Written from docs/openapi.yaml by ``write_openapi``: do not edit."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict  # Any: JSON that the platform does not look into


class Absence(TypedDict):
    """Somebody is away, and a deputy decides what they could decide."""

    id: str
    absent: str
    deputy: str
    team: NotRequired[str | None]
    tool: NotRequired[str | None]
    group: NotRequired[str | None]
    begins_at: str
    ends_at: str
    reason: str
    state: str
    declared_by: str
    declared_at: str
    ended_at: str | None


class AbsencePage(TypedDict):
    data: list[Absence]
    has_more: bool
    next_cursor: str | None


class AbsenceProposal(TypedDict):
    """A deputy for somebody who is away and has named none."""

    verb: Literal["absence.declare"]
    reason: NotRequired[str]
    subject: AbsenceSubject
    values: LeaveFields


class AbsenceSubject(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    absent: str
    deputy: str


class AcceptToolBody(TypedDict):
    """Why it may be called again; the record keeps it."""

    reason: str


ActEnum: TypeAlias = "Literal[\"force_open\", \"lift\", \"reset\"]"


class ActivationProposal(TypedDict):
    """That an agent acts."""

    verb: Literal["agent.activate"]
    reason: NotRequired[str]
    subject: AgentSubject


class Agent(TypedDict):
    """An agent identity: who acts."""

    id: str
    slug: str
    name: str
    purpose: str
    team: str
    state: AgentState
    expires_at: str | None
    sponsor: NotRequired[str | None]
    recertify_by: str | None
    created_at: str


class AgentPage(TypedDict):
    data: list[Agent]
    has_more: bool
    next_cursor: str | None


AgentState: TypeAlias = "Literal[\"draft\", \"active\", \"suspended\", \"revoked\"]"


class AgentSubject(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    agent: str


AlgorithmsEnum: TypeAlias = "Literal[\"ES256\", \"Ed25519\", \"EdDSA\", \"PS256\", \"RS256\"]"


AlikeEnum: TypeAlias = "Literal[\"same\", \"other_outcome\", \"other_arguments\", \"only_one\"]"


class Amount(TypedDict):
    steps: int
    tokens: int
    usd: str
    seconds: int


class Amounts(TypedDict):
    """The most money per period, in the tool's currency."""

    call: str | None
    run: str | None
    hour: str | None
    day: str | None
    month: str | None


class AnsweredConfirmation(TypedDict):
    """A question to an end user, without its words."""

    id: str
    state: ConfirmationState
    run: str
    agent: str
    tool: str
    tool_version: int
    effect: Effect
    amount: str | None
    currency: str
    digest: str
    proof: ConfirmationProof | BlankEnum
    created_at: str
    expires_at: str
    decided_at: str | None
    consumed_at: str | None


class AnsweredHandover(TypedDict):
    """A conversation that an agent passed to a person, without its words."""

    id: str
    run: str
    agent: str
    step: int
    call: int
    opened_at: str
    claimed_by: NotRequired[str | None]
    claimed_at: str | None
    answered_at: str | None
    outcome: HandoverOutcome | BlankEnum


class ApiKey(TypedDict):
    """A key of an application. Its text is not shown again: only a hash is kept."""

    id: str
    key_id: str
    label: str
    state: str
    created_at: str
    expires_at: str
    last_used_at: str | None


class ApiKeyPage(TypedDict):
    data: list[ApiKey]
    has_more: bool
    next_cursor: str | None


class Application(TypedDict):
    """A client of the API: the product that starts runs for its users."""

    id: str
    slug: str
    name: str
    team: str
    state: ApplicationStateEnum
    may_assert_users: bool
    audience: str | None
    created_at: str


class ApplicationPage(TypedDict):
    data: list[Application]
    has_more: bool
    next_cursor: str | None


ApplicationStateEnum: TypeAlias = "Literal[\"active\", \"revoked\"]"


class ApplicationSubject(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    application: str


class ApplyBody(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    digest: str


class Approval(TypedDict):
    """A question to people: may this agent make exactly this call?

    `evidence` is what a person needs to see before deciding: the statement in plain words, the arguments,
    on whose behalf, the user's words and the model's. It is null once it was erased. Where the tool declares a preview,
    `evidence.preview.changes` says what the call changes (`label`, `type`, `before`, `after`, of money its `currency`),
    and `evidence.preview.since` what people had been shown `then` and what is `now`, if they are asked anew.
    """

    id: str
    state: ApprovalState
    agent: str
    tool: str
    tool_version: int
    effect: Effect
    amount: str | None
    currency: str
    subject_ref: str
    digest: str
    created_at: str
    expires_at: str
    decided_at: str | None
    consumed_at: str | None
    factor: FactorEnum
    reason_required: bool
    stages: list[Stage]
    decisions: list[GivenDecision]
    follows: str | None
    edited_by: NotRequired[str | None]
    denial_reasons: list[Preset]
    evidence: Evidence | None


class ApprovalGroups(TypedDict):
    data: list[Group]


class ApprovalPage(TypedDict):
    data: list[Approval]
    has_more: bool
    next_cursor: str | None


class ApprovalRuleProposal(TypedDict):
    """Whose yes calls take."""

    verb: Literal["approval_rule.set"]
    reason: NotRequired[str]
    subject: ApprovalRuleSubject
    values: ApprovalRuleValues


class ApprovalRuleSubject(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    team: str
    place: int


class ApprovalRuleValues(TypedDict):
    """The rule as a whole; without stages the one that stands there ends. What is left out fits every call."""

    name: NotRequired[str]
    tool: NotRequired[str | None]
    effect: NotRequired[Effect | BlankEnum]
    agent: NotRequired[str | None]
    min_amount: NotRequired[str | None]
    currency: NotRequired[str]
    doubtful: NotRequired[bool]
    stages: list[StageBody] | None
    reason_required: NotRequired[bool]
    factor: NotRequired[FactorEnum]


ApprovalState: TypeAlias = "Literal[\"waiting\", \"approved\", \"denied\", \"expired\", \"voided\", \"edited\", \"asked\"]"


ApprovalVerdict: TypeAlias = "Literal[\"approve\", \"deny\", \"edit\", \"ask\"]"


class AskedStage(TypedDict):
    """So many of a group, or of all who may approve the tool's calls (null)."""

    needed: int
    group: str | None


AsksEnum: TypeAlias = "Literal[\"nobody\", \"beyond_caps\", \"every_time\"]"


class Batch(TypedDict):
    """Requests that one person decides about together."""

    id: str
    state: BatchState
    verdict: ApprovalVerdict
    digest: str
    ready: int
    excluded: int
    left_out: int
    decided: int
    to_open: list[str]
    created_at: str
    checked_at: str | None
    confirmed_at: str | None
    done_at: str | None


class BatchBody(TypedDict):
    """Which requests are to be decided alike; each is checked by itself."""

    verdict: ApprovalVerdict
    approvals: list[ChosenBody]


class BatchDecisionBody(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    digest: str
    reason: NotRequired[str]


BatchItemState: TypeAlias = "Literal[\"ready\", \"excluded\", \"left_out\", \"decided\"]"


BatchState: TypeAlias = "Literal[\"draft\", \"confirmed\", \"done\"]"


BlankEnum: TypeAlias = "Literal[\"\"]"


class BlastRadius(TypedDict):
    """What an agent could do at worst."""

    tools: list[Reach]
    per_day: list[DayTotal]
    models: ModelSpend
    secrets: list[str]


class Breaker(TypedDict):
    """Whether the tool is being called at present."""

    state: BreakerStateEnum
    changed_at: str | None
    retry_at: str | None
    reason: str


class BreakerBody(TypedDict):
    """What is to be done to a breaker. To force it open takes a reason; the record keeps it."""

    act: ActEnum
    reason: NotRequired[str]


class BreakerHistory(TypedDict):
    """A breaker as it stands, its moves since `since`, the newest first, and when no calls went out."""

    breaker: Breaker
    since: str
    openings: int
    moves: list[BreakerMove]
    stretches: list[BreakerStretch]


class BreakerMove(TypedDict):
    """One move; `by` is empty where the breaker moved by itself, and `before` where a person moved it."""

    at: str
    what: BreakerMoveWhatEnum
    before: str
    reason: str
    by: str


BreakerMoveWhatEnum: TypeAlias = "Literal[\"open\", \"closed\", \"forced_open\", \"lifted\", \"reset\"]"


BreakerStateEnum: TypeAlias = "Literal[\"closed\", \"open\", \"half_open\", \"forced_open\"]"


class BreakerStretch(TypedDict):
    """A time in which no calls went out."""

    since: str
    until: str
    why: WhyEnum


class Budget(TypedDict):
    limits: Limits
    used: Used


class BudgetProposal(TypedDict):
    """What a team or an agent may spend."""

    verb: Literal["budget.set"]
    reason: NotRequired[str]
    subject: BudgetSubject
    values: BudgetValues


class BudgetSubject(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    team: str
    agent: NotRequired[str | None]
    window: WindowEnum


class BudgetValues(TypedDict):
    """The ceilings as a whole: one that is left out or null is none."""

    max_steps: NotRequired[int | None]
    max_tokens: NotRequired[int | None]
    max_usd: NotRequired[str | None]


ByEnum: TypeAlias = "Literal[\"user\", \"agent\", \"person\"]"


class CallCounts(TypedDict):
    """Numbers of calls by when they were proposed."""

    hour: int
    day: int
    week: int


CallState: TypeAlias = "Literal[\"proposed\", \"allowed\", \"confirming\", \"confirmed\", \"waiting\", \"approved\", \"held\", \"asked\", \"started\", \"delegated\", \"retrying\", \"deferred\", \"unknown\", \"parking\", \"parked\", \"succeeded\", \"failed\", \"refused\", \"staged\"]"


class Campaign(TypedDict):
    """A campaign of recertification."""

    id: str
    title: str
    team: str
    unused_days: int | None
    state: CampaignState
    due_at: str
    opened_at: str
    closed_at: str | None


class CampaignDetail(TypedDict):
    """A campaign with its grants."""

    id: str
    title: str
    team: str
    unused_days: int | None
    state: CampaignState
    due_at: str
    opened_at: str
    closed_at: str | None
    items: list[CampaignItem]


class CampaignItem(TypedDict):
    """A grant of a campaign; ``decision`` is empty while nobody has decided."""

    id: str
    agent: str
    tool: str
    grant: str
    decision: ItemDecision | BlankEnum
    reason: str
    decided_by: NotRequired[str | None]
    decided_at: str | None


class CampaignPage(TypedDict):
    data: list[Campaign]
    has_more: bool
    next_cursor: str | None


CampaignState: TypeAlias = "Literal[\"open\", \"closed\"]"


class CapBody(TypedDict):
    """A ceiling on the number of calls, on their amount, or on both."""

    per: CapBodyPerEnum
    count: NotRequired[int]
    amount: NotRequired[str]


CapBodyPerEnum: TypeAlias = "Literal[\"call\", \"run\"]"


class Case(TypedDict):
    """A test case and how it comes out: a problem, or none."""

    name: str
    problem: str


class CaseBody(TypedDict):
    """A test case; `expect` is null where nothing is to be decided."""

    name: str
    inputs: dict[str, Any]
    expect: Any


CatchUpEnum: TypeAlias = "Literal[\"none\", \"last\", \"all\"]"


class Ceilings(TypedDict):
    """What the terms leave room for."""

    calls: Counts
    amount: Amounts


class CeilingsBody(TypedDict):
    """Limits of this run; each at most what its agent has."""

    steps: NotRequired[int]
    tokens: NotRequired[int]
    usd: NotRequired[str]
    seconds: NotRequired[int]


class Change(TypedDict):
    """One argument before and after, by its dotted path; null where it is not given."""

    argument: str
    before: Any | None
    after: Any | None


class ChangeItem(TypedDict):
    """One thing that the run wants to change."""

    item: int
    tool: str
    effect: Effect
    statement: str | None
    arguments: Any
    changes: Any
    why: str | None
    depends_on: list[int]
    falls_with: int
    approval: str
    state: ApprovalState
    outcome: str
    code: str


class ChangeSet(TypedDict):
    """What a run proposes, as a whole. Once applied, a run of the same id carries it out."""

    id: str
    run: str
    agent: str
    version: int
    state: ChangeSetState
    size: int
    worst_effect: Effect | BlankEnum
    digest: str
    created_at: str
    offered_at: str | None
    settled_at: str | None


class ChangeSetDetail(TypedDict):
    """What a run proposes, item by item, and what it was asked for."""

    id: str
    run: str
    agent: str
    version: int
    state: ChangeSetState
    size: int
    worst_effect: Effect | BlankEnum
    digest: str
    created_at: str
    offered_at: str | None
    settled_at: str | None
    form: Any
    items: list[ChangeItem]


class ChangeSetPage(TypedDict):
    data: list[ChangeSet]
    has_more: bool
    next_cursor: str | None


ChangeSetState: TypeAlias = "Literal[\"draft\", \"offered\", \"applied\", \"declined\", \"superseded\", \"voided\"]"


class ChangedDecision(TypedDict):
    """A call about which the table would have said something else."""

    run_id: str
    step: int
    tool: str
    at: str
    before: str
    after: str


ChangedEnum: TypeAlias = "Literal[\"instructions\", \"model\", \"policy\"]"


ChannelEnum: TypeAlias = "Literal[\"console\", \"api\", \"terminal\"]"


class Checked(TypedDict):
    """One check of a type of task."""

    passed: bool
    said: str


class ChosenBody(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    id: str
    digest: str


class ClientSubject(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    client: str


class ClosingBody(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    outcome: ClosingOutcome
    text: str


ClosingOutcome: TypeAlias = "Literal[\"resolved\", \"declined\", \"elsewhere\"]"


class CodeCounts(TypedDict):
    """How many calls ended for one reason."""

    hour: int
    day: int
    week: int
    code: str


CodeEnum: TypeAlias = "Literal[\"amount\", \"own_amount\", \"rare_target\", \"new_recipient\", \"tainted\"]"


class ComparedCase(TypedDict):
    """One case in both; its figures are left out where one lacks it."""

    name: str
    one: list[EvaluationResult]
    other: list[EvaluationResult]
    figures: list[EvaluationFigure]


class Confirmation(TypedDict):
    """A question to an end user: shall exactly this be done? `shown` is what to show them, null once it was erased.

    It holds the `statement` in plain words, `arguments`, and where the tool declares one the `preview` of what changes.
    Its words may be a model's: show them as text.
    """

    id: str
    state: ConfirmationState
    run: str
    agent: str
    tool: str
    tool_version: int
    effect: Effect
    amount: str | None
    currency: str
    digest: str
    proof: ConfirmationProof | BlankEnum
    created_at: str
    expires_at: str
    decided_at: str | None
    consumed_at: str | None
    principal: PrincipalBody
    shown: dict[str, Any] | None


class ConfirmationAnswerBody(TypedDict):
    """The user's answer, with what proves that it is theirs.

    That is `subject_token`; or `principal`, if the application is trusted to name users.
    """

    verdict: ConfirmationAnswerBodyVerdictEnum
    digest: str
    subject_token: NotRequired[str]
    principal: NotRequired[PrincipalBody]
    reason: NotRequired[str]


ConfirmationAnswerBodyVerdictEnum: TypeAlias = "Literal[\"confirm\", \"refuse\"]"


class ConfirmationPage(TypedDict):
    data: list[Confirmation]
    has_more: bool
    next_cursor: str | None


ConfirmationProof: TypeAlias = "Literal[\"token\", \"asserted\"]"


ConfirmationState: TypeAlias = "Literal[\"waiting\", \"confirmed\", \"refused\", \"expired\", \"voided\"]"


class ControlBody(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    reason: NotRequired[str]


class Conversation(TypedDict):
    """A conversation in full, the earliest turn first, and whose turn it is."""

    id: str
    run: str
    agent: str
    step: int
    call: int
    opened_at: str
    claimed_by: NotRequired[str | None]
    claimed_at: str | None
    answered_at: str | None
    outcome: HandoverOutcome | BlankEnum
    turn: TurnEnum
    said: list[Said]


class Counts(TypedDict):
    """The most calls per period."""

    call: int | None
    run: int | None
    hour: int | None
    day: int | None
    month: int | None


class CreateAgentBody(TypedDict):
    """Who is to act, what for, and who answers for it."""

    team: str
    slug: str
    name: str
    purpose: str
    owner: str
    sponsor: NotRequired[str | None]
    expires_at: NotRequired[str | None]
    recertify_by: NotRequired[str | None]


class CreateApplicationBody(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    team: str
    slug: str
    name: str
    may_assert_users: NotRequired[bool]


class CreateTableBody(TypedDict):
    """A new table."""

    team: str
    slug: str
    name: str


class CreateToolServerBody(TypedDict):
    """Where it is, by its transport: `url` (and `audience`) of a server that speaks MCP, `document_url` of an
    interface (empty: its document is brought), the `command` that the operator lists, or the `module` they allow.
    """

    team: str
    slug: str
    transport: TransportEnum
    url: NotRequired[str]
    document_url: NotRequired[str]
    command: NotRequired[str]
    module: NotRequired[str]
    audience: NotRequired[str]
    credential: NotRequired[str]
    allow_private: NotRequired[bool]


class DayTotal(TypedDict):
    """The most money that moves in a day in one currency."""

    currency: str
    alone: str | None
    at_most: str | None


class DeadLetter(TypedDict):
    """A parked run. What it was about: the entries of its stream, up to `entry`."""

    id: str
    run: str
    agent: str
    state: DeadLetterState
    reason: DeadLetterReason
    error: str
    attempts: int
    entry: int
    parked_at: str
    closed_at: str | None
    closed_by: NotRequired[str | None]


class DeadLetterPage(TypedDict):
    data: list[DeadLetter]
    has_more: bool
    next_cursor: str | None


DeadLetterReason: TypeAlias = "Literal[\"driver_failed\", \"driver_died\"]"


DeadLetterState: TypeAlias = "Literal[\"parked\", \"redriven\", \"discarded\"]"


class DecideBody(TypedDict):
    """What is to be decided about. Without a version the one counts that is in force."""

    inputs: dict[str, Any]
    version: NotRequired[int]
    at: NotRequired[str]


class Decided(TypedDict):
    """What became of a request: still `waiting` where it takes somebody else's yes, too. Holds nothing personal, so it
    can be given again under the same key.
    """

    id: str
    state: ApprovalState
    digest: str
    decided_at: str | None


class DecidedExtension(TypedDict):
    """A run that asks to go on, without its words."""

    id: str
    run: str
    agent: str
    state: ExtensionState
    limit: LimitReached
    most: Amount
    granted: Amount | None
    created_at: str
    expires_at: str
    decided_at: str | None
    decided_by: NotRequired[str | None]


Decision: TypeAlias = "Literal[\"ALLOW\", \"REQUIRE_APPROVAL\", \"DENY\"]"


class DecisionBody(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    verdict: DecisionVerdict
    preset: NotRequired[str]
    reason: NotRequired[str]
    digest: str


DecisionVerdict: TypeAlias = "Literal[\"approve\", \"deny\"]"


class DeclareAbsenceBody(TypedDict):
    """One's own absence; somebody else's is proposed (`absence.declare`)."""

    begins_at: str
    ends_at: str
    reason: str
    team: NotRequired[str | None]
    tool: NotRequired[str | None]
    group: NotRequired[str | None]
    deputy: str


class Delivery(TypedDict):
    """One message. `webhook-id` is `msg_` and its id, however often it is sent."""

    id: str
    type: NotRequired[str]
    state: DeliveryState
    attempts: int
    last_result: str
    created_at: str
    due_at: str
    ended_at: str | None


class DeliveryPage(TypedDict):
    data: list[Delivery]
    has_more: bool
    next_cursor: str | None


DeliveryState: TypeAlias = "Literal[\"waiting\", \"sent\", \"dead\", \"dropped\"]"


class Difference(TypedDict):
    """One field that will be another."""

    field: str
    before: Any
    after: Any
    loosens: bool


class DiscardBody(TypedDict):
    """Why it is given up."""

    reason: str


class Document(TypedDict):
    """A DMN document."""

    document: str


class DraftBody(TypedDict):
    """What a version says. The definition has its cells as texts: see the documentation of decision tables."""

    definition: dict[str, Any]
    cases: NotRequired[list[CaseBody]]
    effective_from: NotRequired[str | None]
    effective_until: NotRequired[str | None]
    seen: NotRequired[str]


class EditBody(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    arguments: Any
    digest: str
    edited_digest: str
    reason: NotRequired[str]


class EditPreviewBody(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    arguments: Any
    digest: str


class Edited(TypedDict):
    """What a person made of a call before it was approved; `arguments` of the call are theirs."""

    by: str
    before: Any
    reason: str


Effect: TypeAlias = "Literal[\"read\", \"reversible\", \"irreversible\"]"


class EmptyBody(TypedDict):
    """Nothing more to say."""



class Evaluation(TypedDict):
    """A version, tried by a set: what both were is named by their digests."""

    id: str
    set: str
    agent: str
    version: int
    set_digest: str
    version_digest: str
    repeat: int
    max_usd: str
    state: EvaluationState
    why_stopped: str
    started_by: str
    created_at: str
    ended_at: str | None


class EvaluationBody(TypedDict):
    """Which version, how often, and for how much money at most."""

    version: int
    max_usd: str
    repeat: NotRequired[int]


class EvaluationCase(TypedDict):
    """One case, as it is written."""

    name: str
    written: dict[str, Any]
    source_run: str | None


class EvaluationCheck(TypedDict):
    """What was asked for, and what was found."""

    passed: bool
    said: str


class EvaluationComparison(TypedDict):
    """Two evaluations side by side."""

    one: Evaluation
    other: Evaluation
    is_alike: bool
    figures: list[EvaluationFigure]
    cases: list[ComparedCase]


class EvaluationFigure(TypedDict):
    """One figure of both, on average of a run, each case counting the same."""

    name: NameEnum
    one: float
    other: float
    chance: float
    differs: bool
    words: str


class EvaluationPage(TypedDict):
    data: list[Evaluation]
    has_more: bool
    next_cursor: str | None


class EvaluationResult(TypedDict):
    """What came of one case, one time."""

    case: str
    repetition: int
    run: str | None
    passed: bool | None
    checks: list[EvaluationCheck]
    why: str
    steps: int
    tokens: int
    usd: str
    model_ms: int
    approvals: int
    denials: int
    tool_errors: int
    misses: int


class EvaluationSet(TypedDict):
    """Cases that versions of an agent are tried by."""

    id: str
    agent: str
    agent_id: str
    name: str
    description: str
    gating: bool
    pass_rate: str
    digest: str


class EvaluationSetPage(TypedDict):
    data: list[EvaluationSet]
    has_more: bool
    next_cursor: str | None


EvaluationState: TypeAlias = "Literal[\"running\", \"finished\", \"stopped\"]"


class Event(TypedDict):
    """One entry of the run's ledger stream."""

    seq: int
    kind: EventKind
    at: str
    facts: dict[str, Any]
    content: Any


EventKind: TypeAlias = "Literal[\"run.started\", \"run.held_back\", \"run.admitted\", \"call.received\", \"message.received\", \"input.received\", \"handover.answered\", \"handover.closed\", \"outcome.settled\", \"call.vetoed\", \"run.paused\", \"run.unpaused\", \"run.cancel_requested\", \"run.killed\", \"plan.frozen\", \"model.requested\", \"step.decided\", \"model.failed\", \"call.allowed\", \"call.gated\", \"call.refused\", \"call.held\", \"call.asked\", \"confirmation.requested\", \"confirmation.given\", \"confirmation.refused\", \"approval.granted\", \"approval.refused\", \"call.edited\", \"call.asked_back\", \"attempt.started\", \"call.delegated\", \"call.called_off\", \"attempt.failed\", \"call.deferred\", \"call.succeeded\", \"call.failed\", \"call.unknown\", \"call.parked\", \"result.read\", \"call.staged\", \"changes.offered\", \"changes.sent_back\", \"changes.settled\", \"summary.requested\", \"summary.written\", \"summary.failed\", \"memory.recalled\", \"memory.written\", \"budget.bound\", \"budget.drawn\", \"budget.returned\", \"budget.exhausted\", \"run.limit_reached\", \"budget.extended\", \"budget.extension_refused\", \"authority.lost\", \"run.completed\", \"run.halted\", \"run.failed\", \"run.cancelled\", \"run.expired\"]"


class EventPage(TypedDict):
    data: list[Event]
    has_more: bool
    next_cursor: str | None


class Evidence(TypedDict):
    """What a person is shown who decides. Only requests of this version's runs have all of it."""

    agent: NotRequired[str]
    statement: NotRequired[str]
    arguments: NotRequired[dict[str, Any]]
    marks: NotRequired[Any]
    resolutions: NotRequired[list[dict[str, Any]]]
    preview: NotRequired[dict[str, Any]]
    principal: NotRequired[ShownPrincipal]
    request: NotRequired[str]
    why: NotRequired[str]
    said: NotRequired[str]
    evidence: NotRequired[list[SeenAnswer]]
    evidence_left_out: NotRequired[int]
    reasons: NotRequired[list[ShownReason]]
    step: NotRequired[int]
    call: NotRequired[int]


class Example(TypedDict):
    """A person's word on whether steps of a run are an example to learn from."""

    run: str
    verdict: ExampleVerdict
    steps: list[int]
    decided_by: str
    decided_at: str


class ExampleBody(TypedDict):
    """Whether it is one, of which steps, and why."""

    verdict: ExampleVerdict
    steps: NotRequired[list[int]]
    reason: str


ExampleVerdict: TypeAlias = "Literal[\"approved\", \"rejected\"]"


class ExportBody(TypedDict):
    """Which examples, and what for; what is left out narrows nothing."""

    version: NotRequired[int]
    task: NotRequired[str]
    since: NotRequired[str]
    until: NotRequired[str]
    reason: str


class Exported(TypedDict):
    """The file, line by line, and what is on the record of it."""

    runs: int
    lines: int
    left_out: int
    digest: str
    examples: list[dict[str, Any]]


class Extension(TypedDict):
    """A run that asks to go on. `progress` is what it has done, and has yet to do; null once it was erased.

    `progress.said` are the model's words.
    """

    id: str
    run: str
    agent: str
    state: ExtensionState
    limit: LimitReached
    most: Amount
    granted: Amount | None
    created_at: str
    expires_at: str
    decided_at: str | None
    decided_by: NotRequired[str | None]
    progress: dict[str, Any] | None


class ExtensionDecisionBody(TypedDict):
    """Grant some of each unit, at most what the question says, or refuse."""

    verdict: ExtensionDecisionBodyVerdictEnum
    steps: NotRequired[int]
    tokens: NotRequired[int]
    usd: NotRequired[str]
    seconds: NotRequired[int]
    reason: NotRequired[str]


ExtensionDecisionBodyVerdictEnum: TypeAlias = "Literal[\"grant\", \"refuse\"]"


class ExtensionPage(TypedDict):
    data: list[Extension]
    has_more: bool
    next_cursor: str | None


ExtensionState: TypeAlias = "Literal[\"waiting\", \"granted\", \"refused\", \"expired\", \"voided\"]"


FactorEnum: TypeAlias = "Literal[\"any\", \"key\"]"


class Finding(TypedDict):
    """A guardrail that is missing, and what to do about it."""

    code: str
    subject: str
    problem: str
    remedy: str


class ForeseenEffect(TypedDict):
    """One effect of a run, and what an undo would do about it."""

    step: int
    call: int
    tool: str
    word: UndoWord
    by: str
    kind: ForeseenEffectKindEnum | BlankEnum
    why: str
    policy: Decision | BlankEnum
    policy_why: str


ForeseenEffectKindEnum: TypeAlias = "Literal[\"reversible\", \"compensable\"]"


class ForeseenUndo(TypedDict):
    """The effects of a run, the latest first: the order in which they are undone."""

    effects: list[ForeseenEffect]


class Foresight(TypedDict):
    """What would be decided about the first call of a new run; budgets are not looked at."""

    verdict: Decision
    code: str
    reasons: list[Reason]


class ForkBody(TypedDict):
    """From which step on, and what is to be otherwise; what is left out stays as it was."""

    step: int
    instructions: NotRequired[str]
    model: NotRequired[str]
    terms: NotRequired[dict[str, ForkTermsBody]]
    call_reads: NotRequired[bool]


class ForkCall(TypedDict):
    """A call, what policy said of it, and what became of it."""

    step: int
    call: int
    tool: str
    decision: str
    state: str
    code: str


class ForkFigure(TypedDict):
    """What both have used."""

    name: str
    recorded: float
    now: float


class ForkPair(TypedDict):
    """Two calls that stand in each other's place, or one that has none in the other run."""

    recorded: ForkCall | None
    now: ForkCall | None
    alike: AlikeEnum


class ForkReport(TypedDict):
    """A fork beside the run that it was forked from. What it recalls has cost it steps and nothing else."""

    of: str
    step: int
    changed: list[ChangedEnum]
    model: str
    terms: dict[str, Any]
    call_reads: bool
    parting: int | None
    is_cut: bool
    figures: list[ForkFigure]
    pairs: list[ForkPair]


class ForkTermsBody(TypedDict):
    """Terms that are tried out in place of those of a grant; nobody is granted anything."""

    decision: TermsDecision
    caps: NotRequired[list[dict[str, Any]]]
    over_caps: NotRequired[OverCapsEnum]


class Fulfilment(TypedDict):
    """Whether a run did what was asked, by the checks of its type of task."""

    fulfilled: bool | None
    why_unknown: str
    checks: list[Checked]
    judged_at: str | None


class GivenBy(TypedDict):
    step: int
    call: int


class GivenDecision(TypedDict):
    """What one person has said."""

    by: str
    deputy_for: NotRequired[str | None]
    verdict: ApprovalVerdict
    preset: str
    by_edit: bool
    stage: int
    channel: ChannelEnum
    decided_at: str


class GrantCapBody(TypedDict):
    """A ceiling on the number of calls, on their amount, or on both."""

    per: Period
    count: NotRequired[int]
    amount: NotRequired[str]


class GrantProposal(TypedDict):
    """What an agent may do with a tool."""

    verb: Literal["grant.set"]
    reason: NotRequired[str]
    subject: GrantSubject
    values: GrantValues


class GrantSubject(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    agent: str
    tool: str


class GrantValues(TypedDict):
    """The terms as a whole: what is left out is as it is by default, not as it stands."""

    decision: TermsDecision
    caps: NotRequired[list[GrantCapBody]]
    over_caps: NotRequired[OverCapsEnum]
    approval_ttl_s: NotRequired[int]
    valid_until: NotRequired[str | None]
    policy_table: NotRequired[str | None]
    veto_s: NotRequired[int]
    confirmation: NotRequired[bool]


class Group(TypedDict):
    """Requests for one tool whose arguments have the same shape, what is unusual first."""

    group: str
    tool: str
    effect: Effect
    constant: dict[str, str]
    varying: dict[str, int]
    approvals: list[Member]


class Handover(TypedDict):
    """A conversation that an agent passed to a person; `reason` is the agent's, null once erased."""

    id: str
    run: str
    agent: str
    step: int
    call: int
    opened_at: str
    claimed_by: NotRequired[str | None]
    claimed_at: str | None
    answered_at: str | None
    outcome: HandoverOutcome | BlankEnum
    reason: str | None


HandoverOutcome: TypeAlias = "Literal[\"given_back\", \"resolved\", \"declined\", \"elsewhere\"]"


class HandoverPage(TypedDict):
    data: list[Handover]
    has_more: bool
    next_cursor: str | None


class HeldBack(TypedDict):
    high: int
    normal: int
    low: int


IdempotencyEnum: TypeAlias = "Literal[\"honours_key\", \"read_back\", \"none\"]"


class ImportBody(TypedDict):
    """A DMN document."""

    document: str
    decides: NotRequired[str]
    seen: NotRequired[str]


class ImportToolBody(TypedDict):
    """What a person decides about a tool that is taken over; the rest is the server's own description.

    The effect is the person's, or a stricter one that the server admits. `description` and `credential` are for
    operations of an interface and for functions, `read_back` for functions, `asks` for servers that speak MCP.
    """

    digest: str
    name: str
    effect: Effect
    statement: NotRequired[str]
    idempotency: NotRequired[IdempotencyEnum]
    error_is_refusal: NotRequired[bool]
    asks: NotRequired[dict[str, dict[str, Any]]]
    description: NotRequired[str]
    credential: NotRequired[str]
    read_back: NotRequired[str]


class Indicator(TypedDict):
    """One unit, on average of a completed run."""

    unit: UnitEnum
    words: str
    runs: int
    now: float
    before: float | None
    by_day: list[IndicatorDay]


class IndicatorDay(TypedDict):
    """The average of the completed runs that began on one day (UTC)."""

    day: str
    mean: float


class Indicators(TypedDict):
    """What the newest completed runs of one type of task took, beside those of the version before."""

    agent: str
    version: int
    than: int | None
    tasks: list[str]
    task: str
    runs: int
    runs_before: int
    indicators: list[Indicator]
    regressions: list[Regression]
    looks: list[int]
    false_alarms: float


class InputBody(TypedDict):
    """The answer to the agent's question. Without `step` and `call` it answers the only open one."""

    text: str
    step: NotRequired[int]
    call: NotRequired[int]


class InstallationPreflight(TypedDict):
    """Whether production may start, with the published versions of all agents."""

    ready: bool
    enforced: bool
    findings: list[Finding]
    advice: list[Finding]


class IssueKeyBody(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    label: str
    expires_at: NotRequired[str | None]


class IssueKeySetBody(TypedDict):
    """Whose, and by what it is to prove itself."""

    agent: NotRequired[str]
    application: NotRequired[str]
    public_key: NotRequired[dict[str, Any] | None]
    expires_at: NotRequired[str | None]


class IssuedApiKey(TypedDict):
    """A key and its text."""

    id: str
    key_id: str
    label: str
    state: str
    created_at: str
    expires_at: str
    last_used_at: str | None
    key: NotRequired[str | None]


class IssuedKeySet(TypedDict):
    """A generation, and its secret where one was made."""

    id: str
    client_id: str
    generation: int
    state: str
    method: MethodEnum
    key_id: str
    created_at: str
    expires_at: str
    first_used_at: str | None
    misused_at: str | None
    secret: NotRequired[str | None]


class IssuerProposal(TypedDict):
    """That an issuer's tokens prove to a client who its user is."""

    verb: Literal["issuer.add"]
    reason: NotRequired[str]
    subject: ClientSubject
    values: IssuerValues


class IssuerValues(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    issuer: str
    audience: str
    jwks_url: NotRequired[str]
    algorithms: NotRequired[list[AlgorithmsEnum]]
    allow_private: NotRequired[bool]


class Item(TypedDict):
    """One request of a batch: whether it may be decided with the others, and what became of it."""

    number: int
    approval: str
    digest: str
    state: BatchItemState
    code: str
    detail: str
    outcome: str


class ItemCommentBody(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    item: NotRequired[int]
    comment: str


ItemDecision: TypeAlias = "Literal[\"kept\", \"shrunk\", \"revoked\", \"expired\", \"gone\"]"


class ItemPage(TypedDict):
    data: list[Item]
    has_more: bool
    next_cursor: str | None


class ItemVerdictBody(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    item: int
    verdict: DecisionVerdict


class ItemsDecisionBody(TypedDict):
    """A word about some or all items; each is decided by the rules of its own approval."""

    digest: str
    items: list[ItemVerdictBody]
    reason: NotRequired[str]


class KeyProof(TypedDict):
    """What `navigator.credentials.get` takes as `publicKey`, as JSON."""

    options: dict[str, Any]


class KeyProofBody(TypedDict):
    """What the signature is to be about, where a decision asks for one; see `decideApproval`."""

    about: NotRequired[str]


class KeySet(TypedDict):
    """One generation of the key set of an agent or an application, for the token endpoint."""

    id: str
    client_id: str
    generation: int
    state: str
    method: MethodEnum
    key_id: str
    created_at: str
    expires_at: str
    first_used_at: str | None
    misused_at: str | None


class KeySetPage(TypedDict):
    data: list[KeySet]
    has_more: bool
    next_cursor: str | None


LaneEnum: TypeAlias = "Literal[\"decided\", \"executed\", \"broke\"]"


class Latency(TypedDict):
    """How long the last attempt of each call took the tool, waiting not counted; null: nobody knows."""

    version: int
    attempts: int
    p50_ms: int | None
    p95_ms: int | None
    p99_ms: int | None


class LeaveFields(TypedDict):
    """From when until when, and what for. Without team, tool and group: for all that the absent may decide."""

    begins_at: str
    ends_at: str
    reason: str
    team: NotRequired[str | None]
    tool: NotRequired[str | None]
    group: NotRequired[str | None]


class LeaveOutBody(TypedDict):
    """Which requests are not decided with the others."""

    approvals: list[str]


LimitReached: TypeAlias = "Literal[\"steps\", \"tokens\", \"usd\", \"seconds\", \"shared_steps\", \"shared_tokens\", \"shared_usd\", \"price\"]"


class Limits(TypedDict):
    steps: int
    tokens: int
    usd: str
    seconds: int


class LintFinding(TypedDict):
    """One thing that invites mistakes. An `error` keeps agents from being published with the version."""

    code: str
    severity: SeverityEnum
    where: str
    problem: str
    remedy: str


class LintOverride(TypedDict):
    """Whose word lets the version be used in spite of errors; `findings` are code and place of each."""

    by: str
    reason: str
    findings: list[list[str]]
    created_at: str


class Look(TypedDict):
    """What the call would be: assessed like a proposal of the agent's. Nothing was kept."""

    digest: str
    arguments: Any
    changes: list[Change]
    amount: str | None
    preview: dict[str, Any] | None
    asks_people: bool
    stages: list[AskedStage]
    factor: FactorEnum


class LookedOver(TypedDict):
    """What is to be said of a version: of wrong cells nothing else is known."""

    problems: dict[str, str]
    doubts: list[str]
    cases: list[Case]
    is_ready: bool


class MadeDecision(TypedDict):
    """What was decided, by which version, and how it came about."""

    version: int
    digest: str
    outputs: Any | None
    trace: list[dict[str, Any]]


class MayDecide(TypedDict):
    """Whether you may activate or reject it now, and if not, why and what to do."""

    allowed: bool
    code: str
    detail: str


class Member(TypedDict):
    """One request of a group."""

    id: str
    digest: str
    oddities: list[Oddity]


class Memory(TypedDict):
    """A note of a run's, for later runs of the same agent for the same principal."""

    id: str
    agent: str
    run: str
    step: int
    state: MemoryState
    rests_on: MemoryLabel
    sensitive: bool
    text: str
    written_at: str
    expires_at: str
    settled_at: str | None
    settled_by: NotRequired[str | None]


class MemoryDeletionBody(TypedDict):
    """Why, if that is worth a word."""

    reason: NotRequired[str]


class MemoryDetail(TypedDict):
    """A note with what it has reached, as far as the caller may see it."""

    id: str
    agent: str
    run: str
    step: int
    state: MemoryState
    rests_on: MemoryLabel
    sensitive: bool
    text: str
    written_at: str
    expires_at: str
    settled_at: str | None
    settled_by: NotRequired[str | None]
    read_by: list[MemoryReading]
    notes: list[Memory]


MemoryLabel: TypeAlias = "Literal[\"user\", \"trusted\", \"untrusted\"]"


class MemoryPage(TypedDict):
    data: list[Memory]
    has_more: bool
    next_cursor: str | None


class MemoryReading(TypedDict):
    """A run that was shown the note, or one that rests on it."""

    run: str
    memory: str
    step: int
    read_at: str


class MemoryReasonBody(TypedDict):
    """Why; the record keeps it."""

    reason: str


MemoryState: TypeAlias = "Literal[\"active\", \"quarantined\", \"reverted\", \"deleted\"]"


class MessageBody(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    text: str


MethodEnum: TypeAlias = "Literal[\"client_secret\", \"private_key_jwt\"]"


class ModelSpend(TypedDict):
    """The most that may be spent on models, in USD, by the tightest of all budgets that hold."""

    run: str | None
    hour: str | None
    day: str | None
    month: str | None


NameEnum: TypeAlias = "Literal[\"passed\", \"usd\", \"steps\", \"tokens\", \"model_s\", \"approvals\", \"denials\", \"tool_errors\"]"


NeedsEnum: TypeAlias = "Literal[\"one\", \"two_to_loosen\", \"two\"]"


NullEnum: TypeAlias = "None"


class Oddity(TypedDict):
    """One thing that is unusual about a request among its like."""

    code: CodeEnum
    leaf: str
    words: str


class OutcomeBody(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    happened: bool
    note: str


class OutcomeCounts(TypedDict):
    """How many calls became one thing; `under_way` is what has neither ended nor waits for people."""

    hour: int
    day: int
    week: int
    outcome: OutcomeCountsOutcomeEnum


OutcomeCountsOutcomeEnum: TypeAlias = "Literal[\"succeeded\", \"failed\", \"unknown\", \"denied\", \"refused\", \"waiting\", \"under_way\"]"


OverCapsEnum: TypeAlias = "Literal[\"DENY\", \"REQUIRE_APPROVAL\"]"


OverlapEnum: TypeAlias = "Literal[\"skip\", \"wait\", \"allow\"]"


class OversightRuleProposal(TypedDict):
    """When people rest from approving, and what a second person looks at."""

    verb: Literal["oversight_rule.set"]
    reason: NotRequired[str]
    subject: OversightRuleSubject
    values: OversightRuleValues


class OversightRuleSubject(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    team: str


class OversightRuleValues(TypedDict):
    """The rule as a whole; `second_percent` null ends the one that stands: nobody has to rest, nothing is drawn."""

    most: NotRequired[int | None]
    within_s: NotRequired[int | None]
    pause_s: NotRequired[int | None]
    second_percent: int | None
    second_below: NotRequired[str | None]
    currency: NotRequired[str]
    before_effect: NotRequired[bool]


class OwnerProposal(TypedDict):
    """Who owns an agent."""

    verb: Literal["agent.hand_over"]
    reason: NotRequired[str]
    subject: AgentSubject
    values: OwnerValues


class OwnerValues(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    owner: str


Period: TypeAlias = "Literal[\"call\", \"run\", \"hour\", \"day\", \"month\"]"


class Preflight(TypedDict):
    """Whether a version of an agent may be published."""

    agent: str
    version: int
    ready: bool
    findings: list[Finding]
    advice: list[Finding]


class Preset(TypedDict):
    """One of the team's reasons to deny: the agent is told the words."""

    code: str
    words: str


class PriceProposal(TypedDict):
    """What a model costs."""

    verb: Literal["price.set"]
    reason: NotRequired[str]
    subject: PriceSubject
    values: PriceValues


class PriceSubject(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    model: str


class PriceValues(TypedDict):
    """USD per million tokens. What is not said of cached input and of writing it costs what plain input does."""

    version: str
    input_usd_per_mtok: str
    output_usd_per_mtok: str
    cached_input_usd_per_mtok: NotRequired[str]
    cache_write_usd_per_mtok: NotRequired[str]


class Principal(TypedDict):
    """The end user on whose behalf the run acts."""

    issuer: str
    subject: str


class PrincipalBody(TypedDict):
    """The end user on whose behalf the run is to act."""

    issuer: str
    subject: str


PriorityEnum: TypeAlias = "Literal[\"low\", \"normal\", \"high\"]"


class Proposal(TypedDict):
    """A change that somebody proposed: who, what, why, as it stood and as it will stand."""

    id: str
    verb: str
    state: ProposalState
    expires_at: str
    decided_at: str | None
    title: str
    subject: str
    team: NotRequired[str | None]
    permission: str
    reason: str
    maker: str
    checker: NotRequired[str | None]
    answer: str
    created_at: str
    before: dict[str, Any] | None
    after: dict[str, Any]
    loosening: list[str]
    differences: list[Difference]
    rolls_back: str | None


ProposalBody: TypeAlias = "AbsenceProposal | ActivationProposal | OwnerProposal | PublicationProposal | TrustProposal | ApprovalRuleProposal | BudgetProposal | TableProposal | GrantProposal | IssuerProposal | OversightRuleProposal | PriceProposal | RuleProposal | SamplingRuleProposal | ToolProposal | UserTermsProposal"


class ProposalDetail(TypedDict):
    """A proposal, and whether the caller may decide about it."""

    id: str
    verb: str
    state: ProposalState
    expires_at: str
    decided_at: str | None
    title: str
    subject: str
    team: NotRequired[str | None]
    permission: str
    reason: str
    maker: str
    checker: NotRequired[str | None]
    answer: str
    created_at: str
    before: dict[str, Any] | None
    after: dict[str, Any]
    loosening: list[str]
    differences: list[Difference]
    rolls_back: str | None
    may_decide: MayDecide


class ProposalPage(TypedDict):
    data: list[Proposal]
    has_more: bool
    next_cursor: str | None


ProposalState: TypeAlias = "Literal[\"waiting\", \"activated\", \"rejected\", \"withdrawn\", \"expired\", \"outdated\"]"


class Proposed(TypedDict):
    """Where a proposal stands. Holds nothing personal, so it can be given again under the same key."""

    id: str
    verb: str
    state: ProposalState
    expires_at: str
    decided_at: str | None


class PublicationProposal(TypedDict):
    """Which version new runs of an agent use."""

    verb: Literal["agent_version.publish"]
    reason: NotRequired[str]
    subject: VersionSubject


class PublishBody(TypedDict):
    """Why it may decide although it has gaps or overlaps."""

    acknowledgement: NotRequired[str]


class QuestionBody(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    question: str
    digest: str


class Reach(TypedDict):
    """What can be done with one tool; a tool that does not move money has amounts that mean nothing."""

    tool: str
    effect: str
    decision: str
    asks: AsksEnum
    approvers: list[str]
    moves_money: bool
    currency: str
    secret: str
    offered: bool
    alone: Ceilings
    at_most: Ceilings


class Reason(TypedDict):
    """One thing that was looked at, and by whose authority."""

    source: SourceEnum
    code: str
    detail: str


class ReasonBody(TypedDict):
    """Why; the record keeps it."""

    reason: str


class Receipt(TypedDict):
    """What the stop met. ``prevented`` grows as runs notice."""

    going: int
    now: dict[str, int]
    executed: int
    in_flight: int
    called_back: int
    leases: int
    leases_ended: int
    prevented: int
    runs: list[str]


class RecertifyAgentBody(TypedDict):
    """What was looked at, and when somebody has to look again."""

    recertify_by: str
    looked_at: str


class RedriveBody(TypedDict):
    """Why it is driven again, if that is worth a word."""

    reason: NotRequired[str]


class RefreshBody(TypedDict):
    """What it is asked by: nothing, or the document of an interface, in words."""

    document: NotRequired[str]


class Regression(TypedDict):
    """What a version takes more of than the version before it: found once, and it stays."""

    task: str
    unit: UnitEnum
    words: str
    than: int
    before: float
    now: float
    runs: int
    at: str


class RejectionBody(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    reason: str


class Replay(TypedDict):
    """What a replay has found."""

    run: str
    outcome: ReplayOutcomeEnum
    words: str
    engine: int
    by_engine: int
    entries: int
    commands: int
    steps: int
    prompts: int
    uncompared: int
    verdicts: int
    answers: int
    differences: list[ReplayDifference]
    is_cut: bool


class ReplayDifference(TypedDict):
    """One thing that is recorded otherwise than it would be today: codes and digests, no words of the run."""

    step: int
    entry: int
    what: ReplayDifferenceWhatEnum
    recorded: str
    now: str


ReplayDifferenceWhatEnum: TypeAlias = "Literal[\"command\", \"prompt\", \"offer\", \"bound\", \"answer\", \"verdict\", \"row\", \"history\", \"missing\"]"


ReplayOutcomeEnum: TypeAlias = "Literal[\"same\", \"different\", \"missing\", \"erased\", \"newer_engine\"]"


class RequiredAction(TypedDict):
    """What has to be done before the run goes on, by people or, of a child, by another agent.

    approval: decide it. input: answer the agent's question. handover: take over the conversation.
    outcome: find out whether a call took place. confirmation: have the end user confirm the call.
    extension: decide whether the run may go on beyond its limit. review: decide about the change set, whose id it is.
    run: nothing; the call waits for this child, which may wait for people itself.
    """

    type: TypeEnum
    step: int | None
    call: int | None
    id: str | None
    expires_at: str | None


class RetireBody(TypedDict):
    """Why it decides no longer."""

    reason: NotRequired[str]


class ReviewLoad(TypedDict):
    data: list[TeamReview]


class RolledBack(TypedDict):
    """What became of going back: done at once, or proposed."""

    done: bool
    proposal: str | None


class RuleProposal(TypedDict):
    """How many people a kind of change takes."""

    verb: Literal["rule.set"]
    reason: NotRequired[str]
    subject: RuleSubject
    values: RuleValues


class RuleSubject(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    verb: str
    team: NotRequired[str | None]


class RuleValues(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    needs: NeedsEnum


class Run(TypedDict):
    """One task given to an agent."""

    id: str
    kind: RunKind
    state: RunState
    priority: PriorityEnum
    status_reason: StatusReason | BlankEnum
    status_detail: LimitReached | BlankEnum
    agent: str
    agent_version: int
    principal: Principal
    proof: RunProof | BlankEnum
    parent_run: str | None
    given_by: GivenBy | None
    mode: RunMode
    task: str
    applies: str | None
    undoes: str | None
    fork_of: str | None
    tool_limits: dict[str, Any] | None
    required_actions: list[RequiredAction]
    budget: Budget
    tool_calls: int
    trace_id: str
    created_at: str
    updated_at: str
    ended_at: str | None
    expires_at: str
    links: RunLinks


class RunDetail(TypedDict):
    """One task given to an agent, with what came of it.

    `answer` is the agent's answer once completed, `summary` what was done and what was not when it ended
    otherwise. Both are null before, and after they were erased.
    """

    id: str
    kind: RunKind
    state: RunState
    priority: PriorityEnum
    status_reason: StatusReason | BlankEnum
    status_detail: LimitReached | BlankEnum
    agent: str
    agent_version: int
    principal: Principal
    proof: RunProof | BlankEnum
    parent_run: str | None
    given_by: GivenBy | None
    mode: RunMode
    task: str
    applies: str | None
    undoes: str | None
    fork_of: str | None
    tool_limits: dict[str, Any] | None
    required_actions: list[RequiredAction]
    budget: Budget
    tool_calls: int
    trace_id: str
    created_at: str
    updated_at: str
    ended_at: str | None
    expires_at: str
    links: RunLinks
    answer: str | None
    summary: str | None
    undone_by: list[str]
    fulfilment: Fulfilment | None
    children_used: UsedBelow


class RunFormBody(TypedDict):
    """By what the run is measured, what it has to keep to, and what it must not even propose."""

    criteria: NotRequired[list[str]]
    constraints: NotRequired[list[str]]
    forbidden: NotRequired[list[str]]
    budget: NotRequired[CeilingsBody]


RunKind: TypeAlias = "Literal[\"task\", \"external\", \"undo\", \"apply\", \"fork\", \"case\"]"


class RunLinks(TypedDict):
    self: str
    steps: str
    events: str
    trace: str
    children: str
    agent: str


RunMode: TypeAlias = "Literal[\"act\", \"propose\"]"


class RunPage(TypedDict):
    data: list[Run]
    has_more: bool
    next_cursor: str | None


RunProof: TypeAlias = "Literal[\"token\", \"asserted\", \"staff\"]"


RunState: TypeAlias = "Literal[\"queued\", \"in_progress\", \"requires_action\", \"paused\", \"cancelling\", \"completed\", \"halted\", \"failed\", \"cancelled\", \"expired\"]"


class RungBody(TypedDict):
    """Who may decide too once nobody has for so long."""

    after_s: int
    group: str


class Said(TypedDict):
    """One turn of a conversation; `[erased]` stands for words that were erased."""

    by: ByEnum
    name: str
    text: str
    at: str
    action: str


class SamplingRuleProposal(TypedDict):
    """How many calls are opened one by one before the rest is approved together."""

    verb: Literal["sampling_rule.set"]
    reason: NotRequired[str]
    subject: SamplingRuleSubject
    values: SamplingRuleValues


class SamplingRuleSubject(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    team: str
    effect: SamplingRuleSubjectEffectEnum


SamplingRuleSubjectEffectEnum: TypeAlias = "Literal[\"reversible\", \"irreversible\"]"


class SamplingRuleValues(TypedDict):
    """The rule as a whole; `at_least` null ends the one that stands: then each request has to be opened."""

    at_least: int | None
    percent: NotRequired[int]
    max_amount: NotRequired[str | None]
    currency: NotRequired[str]


class Schedule(TypedDict):
    """When which agent is given what, in whose name; `paused_for` is a code that says why it rests."""

    id: str
    name: str
    agent: str
    agent_version: str | None
    owner: str
    principal: Principal | None
    message: str | None
    cron: str
    timezone: str
    catch_up: CatchUpEnum
    overlap: OverlapEnum
    spread_s: int
    mode: RunMode
    priority: PriorityEnum
    task: str
    state: ScheduleStateEnum
    paused_for: str
    due_at: str
    starts_at: str
    refusals: int
    last_run: str | None
    created_at: str


class ScheduleBody(TypedDict):
    """A task for an agent by the clock. An application says for which user; a person sets it for themselves."""

    name: str
    message: str
    cron: str
    timezone: NotRequired[str]
    catch_up: NotRequired[CatchUpEnum]
    overlap: NotRequired[OverlapEnum]
    spread_s: NotRequired[int]
    mode: NotRequired[RunMode]
    priority: NotRequired[PriorityEnum]
    task: NotRequired[str]
    pinned: NotRequired[bool]
    agent: str
    principal: NotRequired[PrincipalBody]


class SchedulePage(TypedDict):
    data: list[Schedule]
    has_more: bool
    next_cursor: str | None


ScheduleStateEnum: TypeAlias = "Literal[\"active\", \"paused\", \"ended\"]"


ScopeEnum: TypeAlias = "Literal[\"run\", \"agent\", \"tool\", \"application\", \"principal\", \"credential\", \"provider\", \"everything\"]"


class SecondLook(TypedDict):
    """That a second person looks at a request, and what they say of it."""

    approval: str
    team: str
    agent: str
    tool: str
    before_effect: bool
    drawn_at: str
    verdict: SecondLookVerdict | NullEnum
    seen_by: NotRequired[str | None]
    seen_at: str | None
    is_yours: bool


class SecondLookBody(TypedDict):
    """What you say of what was approved."""

    verdict: SecondLookVerdict
    reason: NotRequired[str]


class SecondLookPage(TypedDict):
    data: list[SecondLook]
    has_more: bool
    next_cursor: str | None


SecondLookVerdict: TypeAlias = "Literal[\"agree\", \"disagree\"]"


class SeenAnswer(TypedDict):
    """A tool's answer that the model had seen, and that bears on the call."""

    step: int
    call: int
    tool: str
    excerpt: str
    sources: NotRequired[list[SourcesEnum]]
    marks: NotRequired[Any]


class SendBackBody(TypedDict):
    """What the agent is to do otherwise; it proposes anew, and this version is superseded."""

    digest: str
    comments: list[ItemCommentBody]


class ServerTool(TypedDict):
    """One tool of a server, as it was described last; `tool` is what was made of it, null for none."""

    id: str
    name: str
    described: dict[str, Any]
    digest: str
    faults: list[str]
    is_listed: bool
    is_changed: bool
    tool: str | None
    accepted: dict[str, Any] | None
    seen_at: str


class ServerToolPage(TypedDict):
    data: list[ServerTool]
    has_more: bool
    next_cursor: str | None


SeverityEnum: TypeAlias = "Literal[\"error\", \"warning\"]"


class ShownPrincipal(TypedDict):
    issuer: str
    subject: str


class ShownReason(TypedDict):
    """Why the call needs people: which part of the policy said so, and what."""

    source: str
    code: str
    detail: str


SourceEnum: TypeAlias = "Literal[\"user\", \"agent\", \"parent\", \"run\", \"tool\"]"


SourcesEnum: TypeAlias = "Literal[\"nowhere\", \"untrusted\", \"trusted\", \"user\"]"


class Stage(TypedDict):
    """One stage: so many of those who are asked have to say yes."""

    stage: int
    needed: int
    given: int
    groups: list[str]
    asked_now: bool


class StageBody(TypedDict):
    """How many have to say yes, of whom. Whoever it is, they must have the tool's calls to approve."""

    needed: int
    group: NotRequired[str | None]
    escalate: NotRequired[list[RungBody]]


class StartBody(TypedDict):
    """Which agent's runs."""

    agent: str


class StartRight(TypedDict):
    """Whether an application may start an agent's runs."""

    agent: str
    may_start: bool


class StartRunBody(TypedDict):
    """A task for an agent.

    Applications say for whom they act: by `subject_token`, or by `principal` if they are trusted to name users. A
    person starts runs for themselves and leaves both out.
    """

    agent: str
    message: str
    principal: NotRequired[PrincipalBody]
    subject_token: NotRequired[str]
    parent_run: NotRequired[str]
    priority: NotRequired[PriorityEnum]
    mode: NotRequired[RunMode]
    task: NotRequired[str]
    form: NotRequired[RunFormBody]
    tool_limits: NotRequired[dict[str, ToolLimitBody]]


StatusReason: TypeAlias = "Literal[\"identity_suspended\", \"identity_revoked\", \"identity_expired\", \"account_inactive\", \"application_revoked\", \"initiator_inactive\", \"parent_ended\", \"parent_stopped\", \"everything_stopped\", \"principal_stopped\", \"provider_stopped\", \"credential_stopped\", \"budget_reached\", \"cancelled_by_user\", \"circuit_open\", \"expired\", \"killed\", \"outcome_unknown\", \"planner_error\", \"stuck\", \"review_capacity\"]"


class Step(TypedDict):
    """One turn of the model: what the AI decided, and the calls that came of it."""

    step: int
    state: StepState
    model: str
    attempts: int
    code: str
    thought: str | None
    text: str | None
    usage: Usage
    calls: list[ToolCall]
    asked_at: str
    decided_at: str | None


class StepPage(TypedDict):
    data: list[Step]
    has_more: bool
    next_cursor: str | None


StepState: TypeAlias = "Literal[\"asking\", \"decided\", \"failed\"]"


class StepUp(TypedDict):
    """The window in which this key may decide."""

    verified_until: str


class StepUpBody(TypedDict):
    """One of the two: a code, or what a security key answered to `beginKeyProof`."""

    otp: NotRequired[str]
    answer: NotRequired[dict[str, Any]]


class Stop(TypedDict):
    """A stop with its receipt as of now."""

    id: str
    scope: ScopeEnum
    target: str
    drill: bool
    stopped_at: str
    receipt: Receipt


class StopBody(TypedDict):
    """What is to stop, and why."""

    scope: ScopeEnum
    target: NotRequired[str]
    reason: str
    drill: NotRequired[bool]


class Switch(TypedDict):
    """What is stopped: `target` is the id of an end user or a key, a model provider's name, or nothing."""

    id: str
    scope: SwitchScope
    target: str
    thrown_at: str
    thrown_by: str
    lifted_at: str | None
    lifted_by: NotRequired[str | None]


class SwitchPage(TypedDict):
    data: list[Switch]
    has_more: bool
    next_cursor: str | None


SwitchScope: TypeAlias = "Literal[\"everything\", \"principal\", \"provider\", \"credential\"]"


class Table(TypedDict):
    """A decision that a team makes by rules."""

    id: str
    team: str
    slug: str
    name: str
    created_at: str


class TableDetail(TypedDict):
    """A table, with the version that decides now."""

    id: str
    team: str
    slug: str
    name: str
    created_at: str
    in_force: int | None


class TableForesight(TypedDict):
    """The recorded calls of the last days, decided again; what a run would have done next nobody knows."""

    days: int
    calls: int
    unknown: int
    changed: int
    moves: list[TableMove]
    listed: list[ChangedDecision]
    is_cut: bool


class TableMove(TypedDict):
    """How often one answer would have become another."""

    before: str
    after: str
    calls: int


class TablePage(TypedDict):
    data: list[Table]
    has_more: bool
    next_cursor: str | None


class TableProposal(TypedDict):
    """That a draft of a decision table is to decide."""

    verb: Literal["decision_table.publish"]
    reason: NotRequired[str]
    subject: TableSubject
    values: TableValues


class TableSubject(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    table: str
    version: int


class TableValues(TypedDict):
    """Why it may decide although it has gaps or overlaps."""

    acknowledgement: NotRequired[str]


class TableVersion(TypedDict):
    """What a table says from a day on."""

    number: int
    state: TableVersionState
    digest: str
    effective_from: str | None
    effective_until: str | None
    acknowledgement: str
    created_by: str
    published_by: NotRequired[str | None]
    created_at: str
    published_at: str | None
    retired_at: str | None


class TableVersionDetail(TypedDict):
    """A version with its rules."""

    number: int
    state: TableVersionState
    digest: str
    effective_from: str | None
    effective_until: str | None
    acknowledgement: str
    created_by: str
    published_by: NotRequired[str | None]
    created_at: str
    published_at: str | None
    retired_at: str | None
    definition: dict[str, Any]
    cases: list[dict[str, Any]]
    looked_over: LookedOver


class TableVersionPage(TypedDict):
    data: list[TableVersion]
    has_more: bool
    next_cursor: str | None


TableVersionState: TypeAlias = "Literal[\"draft\", \"published\", \"retired\"]"


class TaskBody(TypedDict):
    """What is to be done, and when."""

    name: str
    message: str
    cron: str
    timezone: NotRequired[str]
    catch_up: NotRequired[CatchUpEnum]
    overlap: NotRequired[OverlapEnum]
    spread_s: NotRequired[int]
    mode: NotRequired[RunMode]
    priority: NotRequired[PriorityEnum]
    task: NotRequired[str]
    pinned: NotRequired[bool]


class TeamReview(TypedDict):
    """What a team's approvers can decide in an hour, and what there is."""

    team: str
    per_approver_hour: int
    approvers: int
    capacity: int
    waiting: int
    under_way: int
    held_back: HeldBack


TermsDecision: TypeAlias = "Literal[\"ALLOW\", \"ALLOW_WITH_CAPS\", \"REQUIRE_APPROVAL\", \"DENY\"]"


class Tool(TypedDict):
    """One thing that agents may do; `version` is null until it is defined."""

    id: str
    name: str
    team: str
    state: ToolState
    version: ToolVersion | None
    breaker: Breaker
    created_at: str


class ToolCall(TypedDict):
    """What was executed of a step: one proposed call, its gate and its outcome."""

    call: int
    tool: str
    effect: Effect | BlankEnum
    state: CallState
    decision: Decision | BlankEnum
    reasons: list[Any]
    approval: str | None
    idempotency_key: str
    attempts: int
    code: str
    arguments: Any
    edited: Edited | None
    outcome: Any
    proposed_at: str
    held_until: str | None
    started_at: str | None
    ended_at: str | None
    latency_ms: int | None


class ToolLimitBody(TypedDict):
    """What the run may do with one tool; without members, whatever its agent may."""

    decision: NotRequired[ToolLimitBodyDecisionEnum]
    caps: NotRequired[list[CapBody]]
    over_caps: NotRequired[OverCapsEnum]


ToolLimitBodyDecisionEnum: TypeAlias = "Literal[\"ALLOW\", \"ALLOW_WITH_CAPS\", \"REQUIRE_APPROVAL\", \"DENY\"]"


class ToolMetrics(TypedDict):
    """A tool's last week, from the newest 10,000 calls of each of its newest 5 versions.

    `complete_since` is null if that was all; otherwise not every call before that moment was counted.
    """

    total: CallCounts
    outcomes: list[OutcomeCounts]
    refusals: list[CodeCounts]
    failures: list[CodeCounts]
    latency: list[Latency]
    complete_since: str | None


class ToolPage(TypedDict):
    data: list[Tool]
    has_more: bool
    next_cursor: str | None


class ToolProposal(TypedDict):
    """How a tool is defined."""

    verb: Literal["tool_version.add"]
    reason: NotRequired[str]
    subject: ToolSubject
    values: ToolValues


class ToolServer(TypedDict):
    """What tools are taken over from. Where it is never changes."""

    id: str
    slug: str
    team: str
    transport: TransportEnum
    url: str
    document_url: str
    command: str
    module: str
    audience: str
    credential: str
    allow_private: bool
    state: ToolServerStateEnum
    checked_at: str | None
    trouble: str
    latency_ms: int | None
    created_at: str


class ToolServerPage(TypedDict):
    data: list[ToolServer]
    has_more: bool
    next_cursor: str | None


ToolServerStateEnum: TypeAlias = "Literal[\"active\", \"retired\"]"


ToolState: TypeAlias = "Literal[\"active\", \"quarantined\", \"retired\"]"


class ToolSubject(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    tool: str


class ToolValues(TypedDict):
    """What is to differ from the latest version; the rest stays. Where calls lead is not set here."""

    description: NotRequired[str]
    statement: NotRequired[str]
    effect: NotRequired[Effect]
    idempotency: NotRequired[IdempotencyEnum]
    input_schema: NotRequired[dict[str, Any]]
    output_schema: NotRequired[dict[str, Any] | None]
    amount_argument: NotRequired[str]
    currency: NotRequired[str]
    dedupe_on: NotRequired[list[str]]
    dedupe_window_s: NotRequired[int]
    provenance: NotRequired[dict[str, Any]]
    resolvers: NotRequired[dict[str, Any]]
    max_concurrency: NotRequired[int | None]
    preview: NotRequired[dict[str, Any] | None]


class ToolVersion(TypedDict):
    """The newest definition of a tool. Where it leads and with which credential is not shown."""

    number: int
    description: str
    statement: str
    effect: Effect
    idempotency: IdempotencyEnum
    input_schema: dict[str, Any]
    output_schema: dict[str, Any] | None
    timeout_s: float
    max_attempts: int
    max_concurrency: int | None
    preview: dict[str, Any] | None
    audience: str
    digest: str
    lint: list[LintFinding]
    lint_overrides: list[LintOverride]


class Trace(TypedDict):
    """What the run decided, what it executed, where it broke, and what all of it cost."""

    data: list[TraceItem]
    has_more: bool
    next_cursor: str | None
    totals: TraceTotals


class TraceItem(TypedDict):
    """One entry of the stream, told for people."""

    seq: int
    kind: EventKind
    at: str
    facts: dict[str, Any]
    content: Any
    lane: LaneEnum
    title: str
    code: str
    step: int | None
    call: int | None
    tokens: int
    usd: str
    latency_ms: int | None


class TraceTotals(TypedDict):
    steps: int
    calls: int
    attempts: int
    broke: int
    tokens: int
    usd: str
    model_ms: int
    tool_ms: int


TransportEnum: TypeAlias = "Literal[\"http\", \"stdio\", \"openapi\", \"python\"]"


class TrustProposal(TypedDict):
    """Whether an application is trusted to say for which end user it acts, without a token of that user."""

    verb: Literal["application.trust"]
    reason: NotRequired[str]
    subject: ApplicationSubject
    values: TrustValues


class TrustValues(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    may_assert_users: bool


TurnEnum: TypeAlias = "Literal[\"person\", \"user\", \"agent\", \"nobody\"]"


TypeEnum: TypeAlias = "Literal[\"approval\", \"input\", \"handover\", \"outcome\", \"confirmation\", \"extension\", \"review\", \"run\"]"


class UndoBody(TypedDict):
    """Why it is to be undone; the record keeps it."""

    reason: str


UndoWord: TypeAlias = "Literal[\"will\", \"under_way\", \"done\", \"unsure\", \"cannot\"]"


UnitEnum: TypeAlias = "Literal[\"cost\", \"steps\", \"approvals\", \"human_s\", \"denials\", \"tool_errors\", \"unfulfilled\"]"


class UpdateAgentBody(TypedDict):
    """What is to be said of an agent; what is left out stays. Another owner is proposed (`agent.hand_over`)."""

    name: NotRequired[str]
    purpose: NotRequired[str]
    sponsor: NotRequired[str]
    expires_at: NotRequired[str | None]


class UpdateApplicationBody(TypedDict):
    """What is to be said of an application; what is left out stays."""

    name: NotRequired[str]
    may_assert_users: NotRequired[bool]


class Usage(TypedDict):
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    usd: str
    estimated: bool
    price_version: str


class Used(TypedDict):
    steps: int
    tokens: int
    usd: str
    seconds: float


class UsedBelow(TypedDict):
    runs: int
    steps: int
    tokens: int
    usd: str
    seconds: float


class UserTermsProposal(TypedDict):
    """What may be done with a tool on behalf of end users."""

    verb: Literal["user_terms.set"]
    reason: NotRequired[str]
    subject: UserTermsSubject
    values: UserTermsValues


class UserTermsSubject(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    tool: str
    principal: NotRequired[str | None]


class UserTermsValues(TypedDict):
    """The terms as a whole; a null decision ends those that stand."""

    decision: TermsDecision | NullEnum
    caps: NotRequired[list[GrantCapBody]]
    over_caps: NotRequired[OverCapsEnum]


class Verdict(TypedDict):
    """What became of your word about one item."""

    item: int
    verdict: DecisionVerdict
    is_taken: bool
    code: str
    detail: str


class Verdicts(TypedDict):
    """Each item that you have decided about; those not taken say why."""

    verdicts: list[Verdict]


class VersionSubject(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    agent: str
    number: int


class VetoBody(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    reason: str


class Webhook(TypedDict):
    """A webhook. Its address is not shown again, for whoever knows it can write there."""

    id: str
    team: str
    application: NotRequired[str | None]
    name: str
    host: str
    kinds: list[str]
    allow_private: bool
    state: WebhookState
    disabled_because: str
    failures: int
    failing_since: str | None
    former_until: str | None
    created_at: str


class WebhookBody(TypedDict):
    """Where, and of what."""

    team: NotRequired[str]
    application: NotRequired[str]
    name: str
    url: str
    kinds: list[str]
    allow_private: NotRequired[bool]


class WebhookPage(TypedDict):
    data: list[Webhook]
    has_more: bool
    next_cursor: str | None


WebhookState: TypeAlias = "Literal[\"active\", \"disabled\", \"removed\"]"


class WebhookWithSecret(TypedDict):
    """A webhook and its secret."""

    id: str
    team: str
    application: NotRequired[str | None]
    name: str
    host: str
    kinds: list[str]
    allow_private: bool
    state: WebhookState
    disabled_because: str
    failures: int
    failing_since: str | None
    former_until: str | None
    created_at: str
    secret: NotRequired[str | None]


class WhatIfBody(TypedDict):
    """A call that nobody makes."""

    tool: str
    arguments: Any
    principal: NotRequired[PrincipalBody]


class WholeEvaluation(TypedDict):
    """An evaluation with what came of each case."""

    id: str
    set: str
    agent: str
    version: int
    set_digest: str
    version_digest: str
    repeat: int
    max_usd: str
    state: EvaluationState
    why_stopped: str
    started_by: str
    created_at: str
    ended_at: str | None
    results: list[EvaluationResult]


class WholeEvaluationSet(TypedDict):
    """A set with its cases."""

    id: str
    agent: str
    agent_id: str
    name: str
    description: str
    gating: bool
    pass_rate: str
    digest: str
    cases: list[EvaluationCase]


class WhyBody(TypedDict):
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    reason: NotRequired[str]


WhyEnum: TypeAlias = "Literal[\"open\", \"forced_open\"]"


WindowEnum: TypeAlias = "Literal[\"hour\", \"day\", \"month\"]"


class Problem(TypedDict):
    """A problem document (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    reasons: list[dict[str, Any]]
