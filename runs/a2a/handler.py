"""What the official SDK asks of a server, answered by runs: nothing is remembered between two requests.

Its own handler keeps tasks and queues in the process; ours are in the database, so that any process answers for any
task, and a killed one loses none.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import AsyncGenerator, Callable
from typing import Any, NoReturn, TypeVar, cast
from uuid import UUID

from a2a.server.context import ServerCallContext
from a2a.server.request_handlers.request_handler import RequestHandler, validate_request_params
from a2a.types import (
    CancelTaskRequest,
    GetTaskRequest,
    ListTasksRequest,
    ListTasksResponse,
    SendMessageRequest,
    SubscribeToTaskRequest,
    Task,
    TaskState,
)
from a2a.utils.errors import (
    A2AError,
    ContentTypeNotSupportedError,
    ExtendedAgentCardNotConfiguredError,
    InternalError,
    InvalidParamsError,
    InvalidRequestError,
    PushNotificationNotSupportedError,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)
from django.utils import timezone

from agentops.api.refusals import ApiError
from agentops.errors import AgentOpsError, NotFound, PolicyDenied, StateConflict, ValidationFailed
from agentops.identifiers import new_id
from agentops.tracing import TraceContext, continue_trace
from runs.a2a.admitting import Caller
from runs.a2a.following import follow, look, wait, wait_for_end
from runs.a2a.listing import USUAL, Wanted, list_tasks
from runs.a2a.messages import Said, WantsPush, WrongMedia, read_said
from runs.a2a.standing import Standing
from runs.a2a.taking import find_task, take_message
from runs.a2a.wording import write_task, write_update
from runs.gateway.waiting import ask_database
from runs.services import cancel_run

_log = logging.getLogger(__name__)

CALLER = "agentops.caller"  # in the request's scope, and in the context's state
_PREFIX = "TASK_STATE_"
Method = TypeVar("Method", bound=Callable[..., Any])  # Any: each has its own types


def translate(error: Exception) -> A2AError:
    """Return the protocol's word for an error of ours; what went wrong inside is told to nobody."""
    match error:
        case A2AError():
            return error
        case NotFound():
            return TaskNotFoundError()
        case WantsPush():
            return PushNotificationNotSupportedError(error.detail)
        case WrongMedia():
            return ContentTypeNotSupportedError(error.detail)
        case ValidationFailed():
            return InvalidParamsError(f"{error.code}: {error.detail}")
        case AgentOpsError():
            return UnsupportedOperationError(f"{error.code}: {error.detail}")
        case ApiError():
            return InvalidRequestError(f"{error.code}: {error.detail}")
    _log.error("a request over A2A failed", exc_info=error)
    return InternalError("Something went wrong here.")


def _told(method: Method) -> Method:
    """Check that a request is whole, as the SDK does, and word what goes wrong: it would tell the client its words."""
    checked = validate_request_params(method)

    @functools.wraps(method)
    async def told(
        handler: RunsHandler, params: Any, context: ServerCallContext
    ) -> Any:  # Any: of each method
        try:
            return await checked(handler, params, context)
        except Exception as error:  # the boundary
            raise translate(error) from None

    return cast(Method, told)


class RunsHandler(RequestHandler):
    """Tasks that are runs."""

    @_told
    async def on_message_send(self, params: SendMessageRequest, context: ServerCallContext) -> Task:
        """Start a run or go on with one, and wait until it is somebody else's turn, unless asked not to."""
        caller = _caller(context)
        taken = await _take(caller, read_said(params), _trace(context))
        if isinstance(taken, Standing):
            return write_task(taken)
        at_once = params.configuration.return_immediately
        return write_task(await (look(caller, taken) if at_once else wait(caller, taken)))

    async def on_message_send_stream(
        self, params: SendMessageRequest, context: ServerCallContext
    ) -> AsyncGenerator[Any, None]:  # Any: events of four kinds
        """Start a run or go on with one, and tell how it stands as that changes."""
        try:
            caller = _caller(context)
            taken = await _take(caller, _checked(params), _trace(context))
            if isinstance(taken, Standing):
                yield write_task(taken)
                return
            async for event in _tell(caller, taken):
                yield event
        except Exception as error:  # as in ``_told``
            raise translate(error) from None

    async def on_subscribe_to_task(
        self, params: SubscribeToTaskRequest, context: ServerCallContext
    ) -> AsyncGenerator[Any, None]:  # Any: as above
        """Tell how a task stands, from now on; one that has ended has nothing more to tell."""
        try:
            caller = _caller(context)
            run = await ask_database(lambda: find_task(caller, params.id))
            if run.has_ended:
                raise UnsupportedOperationError("the task has ended: get it")
            async for event in _tell(caller, run.pk):
                yield event
        except Exception as error:  # as in ``_told``
            raise translate(error) from None

    @_told
    async def on_get_task(self, params: GetTaskRequest, context: ServerCallContext) -> Task:
        """Return a task of the caller's own."""
        return write_task(await look(_caller(context), _read_id(params.id)))

    @_told
    async def on_list_tasks(self, params: ListTasksRequest, context: ServerCallContext) -> ListTasksResponse:
        """Return the caller's tasks, the newest first."""
        caller, wanted = _caller(context), _read_wanted(params)
        told, after, total = await ask_database(lambda: list_tasks(caller, wanted))
        tasks = [write_task(standing) for standing in told]
        for task in tasks:
            if not params.include_artifacts:
                task.ClearField("artifacts")
        return ListTasksResponse(tasks=tasks, next_page_token=after, page_size=wanted.size, total_size=total)

    @_told
    async def on_cancel_task(self, params: CancelTaskRequest, context: ServerCallContext) -> Task:
        """Have a run stop, and wait for that; what it did by then stays done."""
        caller = _caller(context)

        def cancel() -> None:
            run = find_task(caller, params.id)
            cancel_run(actor=caller.account, run=run, reason="cancelled by its caller, over A2A")

        try:
            await ask_database(cancel)
        except StateConflict as refusal:
            raise TaskNotCancelableError(refusal.detail) from None
        return write_task(await wait_for_end(caller, _read_id(params.id)))

    async def on_create_task_push_notification_config(self, params: Any, context: Any) -> NoReturn:
        """Refuse: whoever wants to be called is told by the webhooks that people set up."""
        raise PushNotificationNotSupportedError

    async def on_get_task_push_notification_config(self, params: Any, context: Any) -> NoReturn:
        """Refuse, as above."""
        raise PushNotificationNotSupportedError

    async def on_list_task_push_notification_configs(self, params: Any, context: Any) -> NoReturn:
        """Refuse, as above."""
        raise PushNotificationNotSupportedError

    async def on_delete_task_push_notification_config(self, params: Any, context: Any) -> NoReturn:
        """Refuse, as above."""
        raise PushNotificationNotSupportedError

    async def on_get_extended_agent_card(self, params: Any, context: Any) -> NoReturn:
        """Refuse: there is one card for everybody."""
        raise ExtendedAgentCardNotConfiguredError


async def _take(caller: Caller, said: Said, trace: TraceContext) -> UUID | Standing:
    """Return the run of a message; of one that may not be started, or not now, why: it leaves no run behind."""
    try:
        return await ask_database(lambda: take_message(caller, said, trace))
    except (PolicyDenied, StateConflict) as refusal:
        if said.task_id:
            raise
        words = f"{refusal.code}: {refusal.detail}"
        return Standing(new_id(), "REJECTED", timezone.now(), words, reason=refusal.code)


async def _tell(caller: Caller, run_id: UUID) -> AsyncGenerator[Any, None]:  # Any: events of four kinds
    is_first = True
    async for standing in follow(caller, run_id):
        for event in [write_task(standing)] if is_first else write_update(standing):
            yield event
        is_first = False


def _checked(params: SendMessageRequest) -> Said:
    from a2a.utils.proto_utils import validate_proto_required_fields

    validate_proto_required_fields(params)
    return read_said(params)


def _caller(context: ServerCallContext) -> Caller:
    caller: Caller = context.state[CALLER]
    return caller


def _trace(context: ServerCallContext) -> TraceContext:
    headers = context.state["headers"]
    return continue_trace(headers.get("traceparent"), headers.get("tracestate"))


def _read_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise TaskNotFoundError from None


def _read_wanted(params: ListTasksRequest) -> Wanted:
    state = TaskState.Name(params.status).removeprefix(_PREFIX) if params.status else ""
    since = params.status_timestamp_after
    return Wanted(
        state=state,
        context_id=params.context_id,
        since=since.ToDatetime(tzinfo=timezone.get_current_timezone())
        if params.HasField("status_timestamp_after")
        else None,
        after=params.page_token,
        size=params.page_size if params.HasField("page_size") else USUAL,
    )
