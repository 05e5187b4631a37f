"""A drive of one run: its folded state, what is not yet written, and the writing of it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from itertools import takewhile
from typing import Any
from uuid import UUID

from django.db import connection as orm_connection

from agentops.database import borrowed, orm_section
from agentops.engine import ENGINE_VERSION
from agentops.engine.budgets import Amount
from agentops.engine.events import EMBEDDING_REQUESTED, INTENTS, MODEL_REQUESTED, SUMMARY_REQUESTED, Event
from agentops.engine.fold import fold, is_overtaken
from agentops.engine.snapshots import dump_state
from agentops.engine.state import Mark, RunState
from agentops.errors import AgentOpsError, StateConflict
from agentops.identifiers import new_id, text_of
from agentops.ledger.entries import Draft, Head, SealedEntry
from agentops.ledger.store import Cursor, read_contents, read_head
from runs import group_commit, journal, lease_rows
from runs.changesets.plans import ApplyPlan
from runs.changesets.plans import read_plan as read_apply_plan
from runs.draws import Draw
from runs.evaluation.declared import Case
from runs.evaluation.plans import read_case_of, without_memory
from runs.folding import fold_on, read_state
from runs.forks.plans import Fork, read_fork
from runs.guards import Guard, append_guarded, append_with, in_lock_order
from runs.interruptions import (
    BudgetSet,
    BudgetShort,
    HeadMoved,
    LeaseLost,
    StandingChanged,
    WindowMissing,
)
from runs.journal import Appended, Premise, Write
from runs.lease_rows import RunContext
from runs.leases import leases
from runs.lookups.kept import Lookups
from runs.projection import Projection, project, run_row
from runs.showing import show_step
from runs.slots import waiting_outside
from runs.sources import RunSources
from runs.undoing.plans import UndoPlan, read_plan
from runs.versions import VersionSpec, read_version
from runs.window import Block, Written, by_step, choose_marks
from tools.assessment import Assessment
from tools.limits import read_limits, read_line
from tools.standing import Answer, Authority

logger = logging.getLogger(__name__)

# What an append says that wrote nothing.
_REFUSALS: dict[journal.Word, tuple[type[AgentOpsError], str]] = {
    "lease_lost": (LeaseLost, "has another driver"),
    "head_moved": (HeadMoved, "has moved on"),
    "budget_set": (BudgetSet, "is bound by another budget"),
    "standing_changed": (StandingChanged, "has another standing"),
    "window_missing": (WindowMissing, "draws on a window that is not open"),
    "window_locked": (HeadMoved, "draws on a window that was opened this very moment"),
    "budget_short": (BudgetShort, "finds too little in a shared budget"),
}

# With these a model is asked: budgets and standing are compared with what they were when it was decided.
_ASKS = frozenset((MODEL_REQUESTED, SUMMARY_REQUESTED, EMBEDDING_REQUESTED))
_DECISION = "SELECT decision FROM runs_tool_call WHERE run_id = %s AND step = %s AND number = %s"


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Session:
    """One driver's hold on one run, for one lease epoch."""

    context: RunContext
    epoch: int
    state: RunState
    head: Head
    pending: list[tuple[Draft, RunState]] = field(default_factory=list)
    contents: dict[int, Written] = field(default_factory=dict)
    arranged: dict[int, Block] = field(default_factory=dict)
    # Assessments made since the last write: no effect and no wait lies between them and the call.
    fresh: dict[int, Assessment] = field(default_factory=dict)
    # What has to be written in the transaction of what is pending: caps given back, a place in a queue.
    duties: list[Guard] = field(default_factory=list)
    # What the run draws on shared budgets, or returns, with what is pending.
    draw: Draw | None = None
    one_by_one: bool = False
    # A shared budget had too little for several calls: the next draw is for one.
    draws_least: bool = False
    # How those stood by whose authority the run acts when that was last looked at; a model call compares.
    actors: list[Any] | None = None
    # How tools and grants stood when they were last looked at, by tool; and what the pending attempts rest on.
    standings: dict[UUID, Answer] = field(default_factory=dict)
    premises: list[Premise] = field(default_factory=list)
    # What it was told and has read, labelled, and what was looked up for its calls; read when a call needs it.
    sources: RunSources | None = None
    lookups: Lookups = field(default_factory=Lookups)
    # The last vector that was paid for, by its text: what follows from it may have to be decided once more.
    vectors: dict[str, tuple[float, ...]] = field(default_factory=dict)
    idle_ms: int = 0
    kept_seq: int = 0
    # Heads that appends were to lead to: one whose answer was lost may have been written all the same.
    meant: list[Head] = field(default_factory=list)
    now: datetime = field(default_factory=utc_now)
    drafted: str = field(default_factory=lambda: text_of(new_id()))

    @cached_property
    def version(self) -> VersionSpec:
        version = read_version(self.context.agent_version_id)
        if self.fork is not None:
            return self.fork.change(version)
        if self.case is not None:
            return without_memory(version)
        if self.applying is not None:  # nobody is there to plan, or to ask
            return replace(version, plan="", may_ask_user=False, may_hand_over=False, memory="")
        return self.undo.narrow(version) if self.undo else version

    @cached_property
    def applying(self) -> ApplyPlan | None:
        """Return what the run is to carry out of a change set, if that is what it is for."""
        return read_apply_plan(self.context.run_id) if self.context.applies_id else None

    @property
    def change_set(self) -> str:
        """Return the id of the change set that the run proposes: that which has begun, or the next one's."""
        return self.state.change_set or self.drafted

    @cached_property
    def undo(self) -> UndoPlan | None:
        """Return what the run is to undo, if that is what it is for."""
        return read_plan(self.context.run_id) if self.context.undoes_id else None

    @cached_property
    def fork(self) -> Fork | None:
        """Return what the run takes from which recording, if it is a fork: it calls no tool that has an effect."""
        return read_fork(self.context.run_id) if self.context.fork_of_id else None

    @cached_property
    def case(self) -> Case | None:
        """Return the case of an evaluation set that the run is of: it calls no tool at all."""
        return read_case_of(self.context.run_id) if self.context.kind == "case" else None

    @property
    def is_dry(self) -> bool:
        """Return whether calls are answered by a recording or a script: nobody is asked, and nothing looked up."""
        return self.fork is not None or self.case is not None

    @cached_property
    def authority(self) -> Authority:
        """Return by whose authority the run acts, beside its agent's."""
        context = self.context
        return Authority(
            context.application_id, context.started_by_id, context.principal_id, self.version.planner,
            read_limits(context.limits), read_line(context.line), context.credential_id,
        )  # fmt: skip

    def read_clock(self) -> datetime:
        """Read the clock: what is decided next is decided, and noted, as of this time, so that it can be replayed."""
        self.now = utc_now()
        return self.now

    # --- writing ----------------------------------------------------------------------------------------

    def note(self, kind: str, facts: dict[str, Any], content: Any = None, duty: Guard | None = None) -> None:
        """Keep an outcome to be written with the next commit, and its duty with it; the state already knows it."""
        if self.idle_ms:
            facts, self.idle_ms = {**facts, "idle_ms": self.idle_ms}, 0
        self._add(Draft(kind, self.now, facts, content, self.context.identity_id))
        if duty is not None:
            self.duties.append(duty)

    def note_draw(self, kind: str, facts: dict[str, Any], hold: Amount | None, content: Any = None) -> None:
        """Keep an entry with which the run is to hold an amount of its shared budgets, or nothing more of them."""
        self.draw = Draw(self.state.shared_spent, hold, self.now)
        self.note(kind, facts, content)

    def _add(self, draft: Draft) -> None:
        self.state = fold(self.state, Event(self.state.seq + 1, draft.kind, draft.facts, draft.at))
        self.pending.append((draft, self.state))
        self.contents[self.state.seq] = Written(draft.kind, draft.facts, draft.content)

    def commit(self, guards: Sequence[Guard] = ()) -> None:
        """Write what is pending in one statement; with guards, in one transaction with them.

        Raises GuardRefused or what an append says that wrote nothing; after all but LeaseLost, ``rewind``.
        """
        if self.pending:
            demands = in_lock_order([*self.duties, *guards])
            self._append(
                lambda write: append_guarded(write, demands) if demands else group_commit.append(write)
            )

    def _append(self, perform: Callable[[Write], Appended]) -> None:
        drafts = [draft for draft, _ in self.pending]
        entries, after = journal.seal_drafts(self.context.run_id, self.head, drafts)
        self.meant = [*self._open_heads(), after]
        result = perform(self._prepare(entries, after))
        if result.word != "appended":
            raise self._refusal(result)
        self.head, self.pending, self.duties, self.draw, self.premises = after, [], [], None, []
        self.fresh.clear()

    def _refusal(self, result: Appended) -> AgentOpsError:
        kind, why = _REFUSALS[result.word]
        error = kind(result.word, f"run {self.context.run_id} {why}")
        if isinstance(error, BudgetShort):
            error.missing = result.missing
        return error

    @contextmanager
    def orm_write(self) -> Iterator[Callable[[Sequence[Guard]], None]]:
        """Lend a Django transaction, and the verb that writes what is pending, with guards, in it."""
        before = self.head, self.pending, self.duties, self.draw

        def write(guards: Sequence[Guard]) -> None:
            nonlocal before
            before = self.head, self.pending, self.duties, self.draw
            demands = in_lock_order([*self.duties, *guards])
            with orm_connection.cursor() as cursor:
                self._append(
                    lambda prepared: append_with(orm_connection.connection, cursor, prepared, demands)
                )

        try:
            with waiting_outside(), orm_section():
                yield write
        except BaseException:
            self.head, self.pending, self.duties, self.draw = (
                before  # what was written is undone with the transaction
            )
            raise

    def _prepare(self, entries: Sequence[SealedEntry], after: Head) -> Write:
        projection = Projection()
        for draft, state in self.pending:
            project(projection, Event(state.seq, draft.kind, draft.facts, draft.at), state)
        row = run_row(self.state, self.pending[-1][0].at, projection)
        run, identity = self.context.run_id, self.context.identity_id
        asks = any(draft.kind in _ASKS for draft, _ in self.pending)
        bound, actors = (self.state.drawn.units, self.actors) if asks else (None, None)
        return Write(
            run, identity, self.epoch, self.head, after, entries, row, projection, bound, actors, self.draw,
            self.premises,
        )  # fmt: skip

    def confirm_lease(self) -> float:
        """Return the time on the leases' clock until which the lease surely lasts.

        Raises LeaseLost unless it does: a stopped process wakes up without knowing how late it is.
        """
        until = leases().until(self.context.run_id, self.epoch)
        if until is None:
            raise LeaseLost("lease_lost", f"run {self.context.run_id} was taken over, or could have been")
        return until

    # --- reading ----------------------------------------------------------------------------------------

    def rewind(self) -> None:
        """Fold again what the ledger says, and keep what has happened; what was only intended is dropped."""
        pending = [draft for draft, _ in self.pending]
        happened = list(takewhile(lambda draft: draft.kind not in INTENTS, pending))
        with borrowed() as connection, connection.cursor() as cursor:
            head = read_head(cursor, self.context.run_id)
            state = read_state(cursor, self.context.run_id)
            # Asked after the fold, or what is written between the two would be doubled.
            if self._was_written(cursor):
                pending, happened, self.duties = [], [], []
        self.head, self.state = head, state
        self.idle_ms += sum(draft.facts.get("idle_ms", 0) for draft in pending[len(happened) :])
        self.pending, self.premises = [], []
        self.draw = self.actors = self.sources = None
        self.standings.clear()
        self.fresh.clear()
        self.lookups.put_back(pending[len(happened) :])
        self.contents.clear()
        self.arranged.clear()
        for draft in happened:
            if is_overtaken(self.state, draft.kind, draft.facts):
                self.lookups.put_back([draft])
                self.idle_ms += draft.facts.get("idle_ms", 0)
            else:
                self._add(draft)

    def _open_heads(self) -> list[Head]:
        return [head for head in self.meant if head.seq > self.head.seq]

    def _was_written(self, cursor: Cursor) -> bool:
        """Return whether an append whose answer was lost is in the ledger; salts make every hash its own."""
        found = self._open_heads()
        cursor.execute(
            "SELECT hash FROM ledger_entry WHERE stream = %s AND seq = ANY(%s)",
            (self.context.run_id, [head.seq for head in found]),
        )
        return bool({bytes(row[0]) for row in cursor.fetchall()} & {head.hash for head in found})

    def window(self) -> list[Block]:
        """Return what the model is shown, by step, without the system message; steps that stay are kept arranged."""
        marks = choose_marks(self.state.marks, self.version.context_tokens)
        self._load([mark.seq for mark in marks if mark.seq not in self.contents])
        wanted = {mark.seq for mark in marks}
        for seq in self.contents.keys() - wanted:
            del self.contents[seq]
        kept, self.arranged = self.arranged, {}
        for step, of_step in by_step(marks):
            block = kept.get(step)
            # Entries of a step only ever join those that are there.
            if block is None or (len(block.seqs), block.seqs[-1]) != (len(of_step), of_step[-1].seq):
                block = show_step(of_step, self.contents, self.version)
            self.arranged[step] = block
        return list(self.arranged.values())

    def read_marked(self, marks: Sequence[Mark]) -> dict[int, Written]:
        """Return the entries of marks, whether or not they fit into the window."""
        self._load([mark.seq for mark in marks if mark.seq not in self.contents])
        return {mark.seq: self.contents[mark.seq] for mark in marks}

    def entry(self, seq: int) -> Written:
        """Return an entry of the run."""
        if seq not in self.contents:
            self._load([seq])
        return self.contents[seq]

    def _load(self, seqs: Sequence[int]) -> None:
        if not seqs:
            return
        with borrowed() as connection:
            rows = connection.execute(
                "SELECT seq, kind, facts, content FROM ledger_entry WHERE stream = %s AND seq = ANY(%s)",
                (self.context.run_id, list(seqs)),
            ).fetchall()
        for seq, kind, facts, content in rows:
            self.contents[seq] = Written(kind, facts, None if content is None else json.loads(content))

    def content_of(self, seq: int) -> Any:  # Any: JSON
        """Return an entry's content, from memory or from the ledger."""
        if seq not in self.contents:
            with borrowed() as connection, connection.cursor() as cursor:
                return read_contents(cursor, self.context.run_id, [seq]).get(seq)
        return self.contents[seq].content

    def read_decision(self, step: int, call: int) -> str:
        """Return what policy said of a call, as its row has it; empty where nobody was asked."""
        with borrowed() as connection:
            row = connection.execute(_DECISION, (self.context.run_id, step, call)).fetchone()
        return row[0] if row else ""

    # --- giving back ------------------------------------------------------------------------------------

    def release(self, wake_at: datetime | None) -> bool:
        """Give the run back with a snapshot; False when it was rung, so that the drive goes on."""
        keep = self.state.seq - self.kept_seq >= 20 and not self.state.has_ended
        with borrowed() as connection, connection.cursor() as cursor:
            return lease_rows.release_lease(
                cursor, self.context.run_id, self.epoch, wake_at=wake_at, seq=self.state.seq,
                engine=ENGINE_VERSION, state=json.dumps(dump_state(self.state)) if keep else "{}", keep=keep,
            )  # fmt: skip

    def answer_bell(self) -> bool:
        with borrowed() as connection, connection.cursor() as cursor:
            return lease_rows.take_bell(cursor, self.context.run_id, self.epoch)


def open_session(context: RunContext, epoch: int, due_at: datetime | None) -> Session:
    """Return a session on a run whose lease was just taken."""
    with borrowed() as connection, connection.cursor() as cursor:
        kept = lease_rows.read_snapshot(cursor, context.run_id, ENGINE_VERSION)
        head = read_head(cursor, context.run_id)
        state = fold_on(cursor, context.run_id, kept)
        if state.seq != head.seq:  # somebody appended between the two reads
            head = read_head(cursor, context.run_id)
            state = read_state(cursor, context.run_id)
    if state.seq != head.seq:
        raise StateConflict("stream_busy", f"run {context.run_id} is being written to")
    session = Session(context, epoch, state, head, kept_seq=kept[0] if kept else 0)
    if state.working_since is not None:
        due = max(due_at or utc_now(), state.working_since)
        session.idle_ms = max(0, int((utc_now() - due).total_seconds() * 1000))
    return session
