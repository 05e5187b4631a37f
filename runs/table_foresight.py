"""What a version of a decision table would have changed: the recorded calls of the last month, decided again.

Two kinds of calls ask a table: those of tools that pass its answer on, whose answers are on record, and those of agents
whose grant has it asked about every call, whose answers are found anew by the version that decided then. Both are
decided by the functions that decide real calls. Whatever stands on record stays as it is.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.utils import timezone

from agentops.database import borrowed
from agentops.errors import AgentOpsError
from runs.table_recall import Recalled, recall_asked, recall_judged
from tools.decisions.answers import write_answer
from tools.decisions.deciding import compile_definition
from tools.decisions.definitions import read_definition
from tools.models import DecisionTable, DecisionTableVersion
from tools.tables.in_force import NO_DECISION, VersionInForce, read_inputs
from tools.tables.policies import answer_about

DAYS = 30
MOST = 2_000  # calls of each kind that are decided again, the newest
LISTED = 20
MOST_MOVES = 12
NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class ChangedDecision:
    """A call about which the table would have said something else."""

    run_id: UUID
    step: int
    tool: str
    at: datetime
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Move:
    """How often one answer would have become another."""

    before: str
    after: str
    calls: int


@dataclass(frozen=True, slots=True)
class TableForesight:
    """What would have changed. Of ``unknown`` calls the words were erased; ``is_cut``: there were more calls."""

    days: int
    calls: int
    unknown: int
    changed: int
    moves: tuple[Move, ...]
    listed: tuple[ChangedDecision, ...]
    is_cut: bool


def foresee_table(version: DecisionTableVersion) -> TableForesight:
    """Return what a version, a draft as a rule, would have changed; raises ValidationFailed for no table at all."""
    candidate = _as_deciding(version)
    since = timezone.now() - timedelta(days=DAYS)
    with borrowed() as connection, connection.cursor() as cursor:
        asked = recall_asked(cursor, version.table, since, MOST)
        judged = recall_judged(cursor, version.table, since, MOST)
    pairs = [
        *(_decide_asked(call, candidate) for call in asked),
        *_decide_judged(version.table, judged, candidate),
    ]
    is_cut = MOST in (len(asked), len(judged))
    return _sum_up([pair for pair in pairs if pair is not None], len(pairs), is_cut)


def _sum_up(found: list[ChangedDecision], calls: int, is_cut: bool) -> TableForesight:
    changed = [each for each in found if each.before != each.after]
    changed.sort(key=lambda each: each.at, reverse=True)
    counted = Counter((each.before, each.after) for each in changed).most_common(MOST_MOVES)
    moves = tuple(Move(before, after, number) for (before, after), number in counted)
    unknown = calls - len(found)
    return TableForesight(DAYS, calls, unknown, len(changed), moves, tuple(changed[:LISTED]), is_cut)


def _as_deciding(version: DecisionTableVersion) -> VersionInForce:
    decider = compile_definition(read_definition(version.definition))
    return VersionInForce(version.table.slug, version.number, version.digest, decider)


def _decide_asked(call: Recalled, candidate: VersionInForce) -> ChangedDecision | None:
    """Compare what the table answered with what it would have; None where either is not known any more."""
    if call.arguments is None or call.answer is None:
        return None
    try:
        made = candidate.decider.decide(read_inputs(candidate, call.arguments))
        after = _say(write_answer(candidate.decider, list(made.values())[-1].value))
    except AgentOpsError as error:
        after = error.code
    before = call.answer if isinstance(call.answer, str) else _say(call.answer)
    return ChangedDecision(call.run_id, call.step, call.spec.name, call.at, before, after)


def _say(outputs: object) -> str:
    """Return an answer in one line, the same for the same answer; none at all reads as its code does."""
    if outputs is None:
        return NO_DECISION
    if isinstance(outputs, dict):
        return ", ".join(f"{name}: {_plain(value)}" for name, value in outputs.items())
    return _plain(outputs)


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _decide_judged(
    table: DecisionTable, calls: list[Recalled], candidate: VersionInForce
) -> Iterator[ChangedDecision | None]:
    """Compare what the version of then said of each call with what the candidate would have."""
    history = _History(table)
    for call in calls:
        if call.arguments is None:
            yield None
            continue
        before, after = (_judge(version, call) for version in (history.at(call.at), candidate))
        yield ChangedDecision(call.run_id, call.step, call.spec.name, call.at, before, after)


def _judge(version: VersionInForce | None, call: Recalled) -> str:
    if version is None:
        return NOTHING
    answer = answer_about(version, call.as_made(), call.amount, call.at)
    ceiling = "" if answer.ceiling is None else f" up to {answer.ceiling:f}"
    return f"{answer.decision}{ceiling}" or NOTHING


class _History:
    """Which version of a table decided when; each is compiled once."""

    def __init__(self, table: DecisionTable) -> None:
        self._versions = [each for each in table.versions.exclude(state="draft") if _was_meant(each)]
        self._versions.sort(key=lambda each: (_begin(each), each.number), reverse=True)
        self._compiled: dict[UUID, VersionInForce] = {}

    def at(self, moment: datetime) -> VersionInForce | None:
        """Return the version that decided then: the one that began last, unless it was retired by then."""
        for each in self._versions:
            if _begin(each) <= moment and (each.effective_until is None or each.effective_until > moment):
                is_over = each.retired_at is not None and each.retired_at <= moment
                return None if is_over else self._compile(each)
        return None

    def _compile(self, version: DecisionTableVersion) -> VersionInForce:
        if version.pk not in self._compiled:
            self._compiled[version.pk] = _as_deciding(version)
        return self._compiled[version.pk]


def _begin(version: DecisionTableVersion) -> datetime:
    return max(filter(None, (version.effective_from, version.published_at)))


def _was_meant(version: DecisionTableVersion) -> bool:
    """Whether a version has begun, or will: one that was retired before that never counts."""
    return version.retired_at is None or version.retired_at >= _begin(version)
