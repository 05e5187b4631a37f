"""Taking a message: it starts a run, or goes on with one; sent again under the same id it is the same message."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from agentops.api.idempotency import Answer, Operation, act_once
from agentops.errors import NotFound, StateConflict, ValidationFailed
from agentops.tracing import TraceContext
from identities.models import ApiKey
from runs.a2a.admitting import Caller
from runs.a2a.messages import Said
from runs.api.principals import principal_of
from runs.models import Run, RunKind
from runs.services import add_message, answer_input, start_run


def own_tasks(caller: Caller) -> QuerySet[Run]:
    """Return the runs that are this caller's tasks: of its application, at this agent, and of the user it proves.

    What the agent's own work has caused, a child or an undo, is no task of a caller's.
    """
    own = Run.objects.filter(
        application=caller.application, identity=caller.agent, kind=RunKind.TASK, delegated_call=None
    )
    if caller.proven is None:
        return own
    return own.filter(principal__issuer=caller.proven.issuer, principal__subject=caller.proven.subject)


def find_task(caller: Caller, task_id: str) -> Run:
    """Return a task of the caller's own; raises NotFound, also for those of others."""
    try:
        found = own_tasks(caller).select_related("identity").filter(pk=UUID(task_id)).first()
    except ValueError:
        found = None
    if found is None:
        raise NotFound("unknown_task", "there is no such task")
    return found


def take_message(caller: Caller, said: Said, trace: TraceContext) -> UUID:
    """Return the run that a message has started, or goes on with.

    Raises PolicyDenied and StateConflict where nothing may be started, NotFound, ValidationFailed, Overloaded, and
    ApiError where the message's id is another's, or it is being taken this moment.
    """
    principal = () if said.task_id else principal_of(caller.account, said.principal, caller.proven)
    operation = Operation(f"a2a:{caller.agent.slug}", principal)

    def act() -> Answer:
        run = _go_on(caller, said) if said.task_id else _start(caller, said, principal, trace)
        return Answer(200, {"run": str(run.pk)})

    answer, _ = act_once(str(caller.account.pk), said.message_id, said.marked, operation, act)
    return UUID(answer.body["run"])


def _start(caller: Caller, said: Said, principal: tuple[str, ...], trace: TraceContext) -> Run:
    if said.context_id:
        detail = "a context is one task here: leave contextId out, or name the task that you go on with"
        raise ValidationFailed("unknown_context", detail)
    issuer, subject = principal
    return start_run(
        actor=caller.account,
        agent=caller.agent,
        message=said.text,
        issuer=issuer,
        subject=subject,
        application=caller.application,
        trace=trace,
        credential=caller.credential if isinstance(caller.credential, ApiKey) else None,
        proven=caller.proven,
        task=said.skill,
    )


def _go_on(caller: Caller, said: Said) -> Run:
    """Answer what the agent asked the user, or else tell it what the user says next."""
    run = find_task(caller, said.task_id)
    if said.context_id not in ("", str(run.pk)):
        raise ValidationFailed("wrong_context", "this task stands in another context")
    if said.principal is not None:
        raise ValidationFailed("principal_given", "the task has its user already")
    if run.has_ended:
        raise StateConflict("run_ended", f"the task has ended ({run.state}); start another one")
    if any(action["type"] == "input" for action in run.required_actions):
        return answer_input(actor=caller.account, run=run, text=said.text)
    return add_message(actor=caller.account, run=run, text=said.text)
