"""Building a run's rows anew from its ledger stream: they are projections, the stream is the truth."""

from __future__ import annotations

from uuid import UUID

from django.db import connection, transaction

from agentops.engine.fold import fold
from agentops.errors import NotFound
from runs import journal
from runs.changesets.rebuilding import rebuild_changes
from runs.fulfilment.judging import judge_again
from runs.handovers import rebuild_handovers
from runs.histories import read_history
from runs.memory.rebuilding import rebuild_memories
from runs.models import Run, Step, ToolCall
from runs.projection import Projection, project, run_row


@transaction.atomic
def rebuild_run(run_id: UUID) -> int:
    """Write the rows of a run, its steps and its calls anew; return how many entries they were built from.

    The rows of effects, of conversations handed over, of change sets and of notes are brought to where the stream says
    that they stand; none is taken away. What a run of a task did is judged anew. Drivers of the run wait meanwhile.
    Raises NotFound.
    """
    run = Run.objects.select_for_update().filter(pk=run_id).first()
    if run is None:
        raise NotFound("unknown_run", f"there is no run {run_id}")
    Step.objects.filter(run=run).delete()
    ToolCall.objects.filter(run=run).delete()
    # Going anew, an ended run must not stand in the way of the conversation's or the undo that is open meanwhile.
    aside = run.pk.hex if run.conversation else ""
    Run.objects.filter(pk=run_id).update(tool_calls=0, ended_at=None, conversation=aside, undoes=None)
    events, state = read_history(run_id), None
    for event in events:
        state, projection = fold(state, event), Projection()
        project(projection, event, state)
        row = run_row(state, event.at, projection)
        journal.write_rows(connection.connection, run_id, run.identity_id, row, projection)
    limits = state.limits if state else None
    wider = {f"max_{name}": getattr(limits, name) for name in limits._fields} if limits else {}
    Run.objects.filter(pk=run_id).update(conversation=run.conversation, undoes=run.undoes_id, **wider)
    with connection.cursor() as cursor:
        rebuild_handovers(cursor, run_id)
        rebuild_changes(cursor, run)
        rebuild_memories(cursor, run)
    judge_again(run)
    return len(events)
