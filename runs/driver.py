"""The driver: lease a run, fold it, carry out one command after another, give it back.

Effects happen outside any transaction and hold no database connection. Whatever is thrown at it, a run that
the driver leaves is either waiting, ended, or due for the next driver.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from django.conf import settings

from agentops.clock import lease_clock_s
from agentops.database import borrowed, discard_broken, is_unreachable
from agentops.engine import commands as c
from agentops.engine.decide import next_command
from agentops.engine.fold import NewerEngine
from agentops.errors import StateConflict
from agentops.ledger.store import Cursor
from agentops.logs import in_trace
from approvals.confirmations.asking import void_confirmations
from approvals.services import void_requests
from runs import admission, escrow, extensions, lease_rows, summaries, summarising, turns
from runs.actions import assessing, gating, outcomes
from runs.actions.refusals import give_caps_back
from runs.changesets import applying, staging
from runs.changesets.withdrawing import withdraw_changes
from runs.dead_letters import is_worn_out, park
from runs.delegation import answering, calling, joining
from runs.delegation.remote import call_off_remote
from runs.delegation.waking import wake_family
from runs.evaluation import calls as case_calls
from runs.forks import calls as forked_calls
from runs.forks import turns as forked_turns
from runs.gateway import taking
from runs.guards import Guard
from runs.interruptions import (
    BudgetSet,
    BudgetShort,
    GuardRefused,
    HeadMoved,
    LeaseLost,
    StandingChanged,
    WindowMissing,
)
from runs.late_outcomes import keep_late_outcomes
from runs.lease_rows import RunContext
from runs.leases import leases, stopping
from runs.memory.meaning import asking
from runs.models import ChangeSet
from runs.queues import is_asked, is_turn_over
from runs.session import Session, open_session, utc_now
from runs.slots import slot, waiting_outside
from runs.spreading import put_off
from runs.undoing import steps

logger = logging.getLogger(__name__)

# A wait shorter than this is slept through: to give the run back and take it again would cost more.
SHORT_WAIT_S = 1.0
# After a fault of ours the run rests this long, so that a poisoned run does not spin a worker.
REST_S = 30.0
# Of a run that goes by a later release's rules: soon, one of its workers has room for it.
NEWER_REST_S = 2.0
# How often in a row each run was met without a database by this process. Mostly that is no fault of the run's,
# and it goes on soon; but its own statements may be what kills the server, so the rests double.
_outages: dict[UUID, int] = {}
# How often people may get in between while a failing driver writes down what has happened.
SAVE_TRIES = 5

Taken = tuple[int, datetime | None, RunContext]


def drive(run_id: UUID) -> RunContext | None:
    """Drive a run until it waits, ends, or has to make room: at the end of its time slice, or for who is more urgent.

    Return it if it should go on at once.
    """
    asked_at = lease_clock_s()
    with borrowed() as connection, connection.cursor() as cursor:
        taken = _take(cursor, run_id)
        # Who held it may have given it back before it was rung: nobody would hear that but the sweeper.
        if taken is None and lease_rows.ring(cursor, run_id):
            taken = _take(cursor, run_id)
    return _drive(taken, asked_at) if taken else None


def _take(cursor: Cursor, run_id: UUID) -> Taken | None:
    return lease_rows.take_lease(cursor, run_id, owner=leases().owner, lease_s=settings.LEASE_S)


def drive_in_turn(run_id: UUID) -> RunContext | None:
    """Drive the run whose turn it is, for a message that named one of its priority; return it if it should go on.

    The run that was named is not rung where somebody drives it: what has happened to it was rung by whoever did it.
    """
    asked_at = lease_clock_s()
    with borrowed() as connection, connection.cursor() as cursor:
        taken = lease_rows.take_lease_in_turn(cursor, run_id, owner=leases().owner, lease_s=settings.LEASE_S)
    return _drive(taken, asked_at) if taken else None


def _drive(taken: Taken, asked_at: float) -> RunContext | None:
    epoch, due_at, context = taken
    held, run_id = leases(), context.run_id
    if is_worn_out(context.drives - 1):  # whoever drove it last died: nobody was left to park it
        _park(run_id, epoch, context.drives - 1, None)
        return None
    held.hold(run_id, epoch, asked_at=asked_at)
    with in_trace(context.trace_id):
        return context if _drive_held(run_id, epoch, due_at, context) else None


def _drive_held(run_id: UUID, epoch: int, due_at: datetime | None, context: RunContext) -> bool:
    held = leases()
    try:
        with slot(context.priority):
            again = _drive_leased(open_session(context, epoch, due_at))
        _outages.pop(run_id, None)
        return again
    except LeaseLost:
        logger.warning("run %s: lease lost", run_id)
        return False
    except NewerEngine as newer:
        logger.warning("run %s: left to another worker: %s", run_id, newer.detail)
        _rest(run_id, epoch, NEWER_REST_S, "uncounted")
        return False
    except Exception as error:
        if is_unreachable(error):
            _sit_out(run_id, epoch, error)
        else:
            logger.exception("run %s: the driver failed; it rests for %s s", run_id, REST_S)
            if not is_worn_out(context.drives) or not _park(run_id, epoch, context.drives, error):
                _rest(run_id, epoch, REST_S, "failed")
        return False
    finally:
        held.drop(run_id, epoch)


def _sit_out(run_id: UUID, epoch: int, error: Exception) -> None:
    """Rest shortly for want of a database; if it does not come back meanwhile, the lease runs out by itself."""
    outages = _outages[run_id] = _outages.get(run_id, 0) + 1
    rest_s = min(REST_S, 2.0 ** (outages - 1))
    logger.warning("run %s: the database does not answer; it rests for %s s: %s", run_id, rest_s, error)
    discard_broken()
    try:
        _rest(run_id, epoch, rest_s, "uncounted")
    except psycopg.OperationalError as still:
        logger.warning("run %s: it could not be given back, its lease runs out: %s", run_id, still)


def _park(run_id: UUID, epoch: int, attempts: int, error: Exception | None) -> bool:
    """Leave a run to people, whom nothing but a person's word gives back to drivers."""
    logger.error("run %s: %s drives in a row have come to nothing; it is a dead letter", run_id, attempts)
    return park(run_id, epoch, attempts, error)


def _rest(run_id: UUID, epoch: int, rest_s: float, drive: lease_rows.Drive) -> None:
    with borrowed() as connection, connection.cursor() as cursor:
        now = utc_now()
        wake_at = put_off(now + timedelta(seconds=rest_s), now, run_id)
        lease_rows.take_bell(cursor, run_id, epoch)
        lease_rows.release_lease(
            cursor, run_id, epoch, wake_at=wake_at, seq=0, engine=0, state="{}", keep=False, drive=drive
        )


def _drive_leased(session: Session) -> bool:
    try:
        return _drive_on(session)
    except LeaseLost:
        keep_late_outcomes(session)
        raise
    except Exception:
        _save_outcomes(session)
        raise


def _drive_on(session: Session) -> bool:
    slice_ends = time.monotonic() + settings.TIME_SLICE_S
    while True:
        try:
            if _carry_out_next(session):
                return False
            if stopping.is_set() or is_asked(session.context.priority):
                return _hand_on(session)
            if time.monotonic() >= slice_ends:
                if is_turn_over(session.context.priority):
                    return _hand_on(session)
                slice_ends = time.monotonic() + settings.TIME_SLICE_S
        except (HeadMoved, StandingChanged, GuardRefused):
            session.rewind()
        except BudgetSet:
            session.rewind()
            escrow.bind(session)
        except WindowMissing:
            session.rewind()
            escrow.open_windows(session)
        except BudgetShort as short:
            session.rewind()
            escrow.fall_short(session, short.missing)


def _save_outcomes(session: Session) -> None:
    """Write what has happened before the run rests: unwritten, a known outcome would count as lost."""
    try:
        _commit_outcomes(session)
    except Exception as error:  # the fault that brought us here is raised on
        logger.error("run %s: outcomes kept as evidence: %s", session.context.run_id, error)
        try:
            keep_late_outcomes(session)
        except Exception:
            logger.exception("run %s: outcomes could not be kept", session.context.run_id)


def _commit_outcomes(session: Session) -> None:
    for _ in range(SAVE_TRIES):
        session.rewind()
        try:
            return session.commit()
        except (HeadMoved, GuardRefused):
            continue
    raise StateConflict("stream_busy", f"run {session.context.run_id} is being written to")


def _hand_on(session: Session) -> bool:
    """Give a run back that has more to do, whether or not somebody rang meanwhile."""
    session.commit()
    while not session.release(utc_now()):
        if not session.answer_bell():
            raise LeaseLost("lease_lost", f"run {session.context.run_id} was taken over")
    return True


def _carry_out_next(session: Session) -> bool:
    """Carry out one command; return True when the run was given back."""
    session.confirm_lease()
    session.read_clock()
    gating.heed_decisions(session)
    answering.heed_children(session)
    command = next_command(session.state, session.now, session.idle_ms)
    if isinstance(command, c.Wait):
        return _wait(session, command)
    if isinstance(command, c.Admit):
        return _admit(session)
    if isinstance(command, c.Finish):
        _finish(session, command)
        return False
    if isinstance(command, c.Rest):
        return session.release(None) or True
    _EFFECTS[type(command)](session, command)
    return False


def _ask_planner(session: Session, command: c.AskPlanner) -> None:
    """Ask the run's planner; one outside has spoken already."""
    if session.applying is not None:
        applying.propose_items(session, session.applying, command.step)
    elif session.fork is not None:
        forked_turns.take_turn(session, session.fork, command.step, command.attempt)
    elif session.undo is not None:
        steps.propose_next(session, session.undo, command.step)
    elif session.state.is_external:
        taking.take_up(session, command.step)
    else:
        turns.ask_planner(session, command.step, command.attempt)


def _summarise(session: Session, command: c.Summarise) -> None:
    """Have the oldest steps summarised; a fork recalls what was written of those that it recalls."""
    if session.fork is None or not forked_turns.recall_summary(session, session.fork, command.through):
        summarising.summarise(session, command.through)


def _assess(session: Session, command: c.AssessCalls) -> None:
    """Assess calls; for those of a fork, and of a case, nobody is asked."""
    if session.fork is not None:
        forked_calls.assess_calls(session, session.fork, command.calls)
    elif session.case is not None:
        case_calls.assess_calls(session, session.case, command.calls)
    else:
        assessing.assess_calls(session, command.calls)


def _call_tools(session: Session, command: c.CallTools) -> None:
    """Make calls. A fork makes none but reads, where whoever began it asked for that; a case none at all."""
    numbers: Sequence[int] = command.calls
    if session.fork is not None:
        numbers = forked_calls.answer_calls(session, session.fork, numbers)
    elif session.case is not None:
        numbers = case_calls.answer_calls(session, session.case, numbers)
    if numbers:
        calling.call_tools(session, numbers)


_EFFECTS: dict[type, Callable[[Session, Any], None]] = {
    c.AskPlanner: _ask_planner,
    c.SettleLostAnswer: lambda session, command: turns.settle_lost_answer(
        session, command.step, command.attempt
    ),
    c.Summarise: _summarise,
    c.SettleLostSummary: lambda session, command: summarising.settle_lost(session, command.through),
    c.SettleLostEmbedding: lambda session, _: asking.settle_lost(session),
    c.OfferChanges: lambda session, command: staging.offer_changes(session, command.items),
    c.AssessCalls: _assess,
    c.CallTools: _call_tools,
    c.CallOff: lambda session, command: joining.call_off(session, command.calls),
    c.SettleLostAttempt: lambda session, command: outcomes.settle_lost_attempt(session, command.call),
    c.ReadBack: lambda session, command: outcomes.read_back(session, command.call),
    c.Park: lambda session, command: outcomes.park(session, command.call),
    c.AskMore: lambda session, command: extensions.ask_more(session, command.limit),
}


def _admit(session: Session) -> bool:
    """Let the run begin, or give it back until there is room for it before those who review."""
    until = c.Wait(session.state.expires_at, "queued", for_people=True)
    return not admission.admit(session) and _wait(session, until)


def _wait(session: Session, command: c.Wait) -> bool:
    """Give the run back until it is due; a short wait is slept through instead."""
    if command.for_people:
        escrow.give_back(session)
    else:
        session.commit()
    seconds = None if command.until is None else (command.until - utc_now()).total_seconds()
    if seconds is not None and seconds <= SHORT_WAIT_S:
        with waiting_outside():
            time.sleep(max(0.0, seconds))
        return False
    if session.release(_wake_at(session, command.until)):
        return True
    if not session.answer_bell():
        raise LeaseLost("lease_lost", f"run {session.context.run_id} was taken over")
    session.rewind()
    return False


def _wake_at(session: Session, until: datetime | None) -> datetime | None:
    """Return when the run is woken: for its expiry, which nobody waits for, some time after that of others."""
    if until is None or until != session.state.expires_at:
        return until
    return put_off(until, utc_now(), session.context.run_id)


def _finish(session: Session, command: c.Finish) -> None:
    """End the run; its open approvals and what it holds of shared budgets end with it, in one transaction."""
    called_off = call_off_remote(session)
    content = summaries.write_ending(session, command)
    waiting = any(call.approval or call.confirmation for call in session.state.calls)
    waiting = waiting or bool(session.state.extensible.asked)
    proposed = session.state.change_set and session.state.review != "settled"
    holds = session.state.drawn != type(session.state.drawn)()
    # A call that was to be tried again has surely had no effect, unless it is in doubt.
    idle = [call for call in session.state.open_calls if not call.in_doubt]
    returns: list[Guard] = [duty for call in idle if (duty := give_caps_back(session, call))]
    limit = {"limit": command.limit} if command.limit else {}
    facts = {"reason": command.reason, **limit, **({"called_off": called_off} if called_off else {})}
    if holds:
        session.note_draw(command.event, facts, None, content)
    else:
        session.note(command.event, facts, content)
    if not waiting and not proposed:
        session.commit(returns)
    else:
        with session.orm_write() as write:
            write(returns)
            _withdraw_questions(session)
    wake_family(session)


def _withdraw_questions(session: Session) -> None:
    """Close what people and the end user are asked for a run that ends."""
    run, now = session.context.run_id, session.now
    void_requests(subject_ref=str(run), code="run_ended", now=now)
    void_confirmations(subject_ref=str(run), code="run_ended", now=now)
    extensions.void_extensions(run, now)
    withdraw_changes(run, ChangeSet.State.VOIDED, "run_ended", now)
