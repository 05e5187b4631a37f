"""What people and applications tell a run that is going on. Each verb is one service, as in the console."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, TypeVar
from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agentops.api.idempotency import Answer, answer_once
from agentops.api.openapi import IDEMPOTENCY_KEY
from agentops.api.serializers import BodySerializer, Fields, read_body
from agentops.api.views import ApiView
from agentops.errors import NotFound
from identities.api.authentication import caller
from identities.models import User
from runs import services
from runs.api.bodies import ControlBody, InputBody, MessageBody, OutcomeBody, VetoBody
from runs.api.lookup import find_run, operation_on_run, show_run
from runs.api.serializers import RunSerializer
from runs.models import Run, ToolCall

View = TypeVar("View", bound=type[APIView])


class Control(ApiView):
    """A verb that a run acts upon in its own time; the answer shows the run as it is after accepting."""

    body: ClassVar[type[BodySerializer]] = ControlBody

    def perform(self, actor: User, run: Run, body: Fields) -> None:
        """Call the service; it decides who may and whether the run's state admits it."""
        raise NotImplementedError

    def post(self, request: Request, run_id: UUID, **where: int) -> Response:
        """Tell the run."""
        actor = caller(request)
        run = find_run(actor, run_id)
        body = {**read_body(self.body, request), **where}

        def act() -> Answer:
            self.perform(actor, run, body)
            return Answer(202, show_run(find_run(actor, run_id)))

        return answer_once(request, operation_on_run(request.path), act)


def described(operation_id: str, description: str, body: type[BodySerializer]) -> Callable[[View], View]:
    """Return a decorator that describes a verb in the OpenAPI document."""
    return extend_schema_view(
        post=extend_schema(
            operation_id=operation_id,
            description=description,
            tags=["runs"],
            parameters=[IDEMPOTENCY_KEY],
            request=body,
            responses={202: RunSerializer},
        )
    )


@described(
    "cancelRun", "Stop the run as soon as no effect is under way. 409 when it has ended already.", ControlBody
)
class Cancel(Control):
    def perform(self, actor: User, run: Run, body: Fields) -> None:
        services.cancel_run(actor=actor, run=run, reason=body["reason"])


@described(
    "killRun", "Halt the run at once, as an operator: no further call, the reason on record.", ControlBody
)
class Kill(Control):
    def perform(self, actor: User, run: Run, body: Fields) -> None:
        services.kill_run(actor=actor, run=run, reason=body["reason"])


@described("pauseRun", "Hold the run before its next step or call.", ControlBody)
class Pause(Control):
    def perform(self, actor: User, run: Run, body: Fields) -> None:
        services.pause_run(actor=actor, run=run, reason=body["reason"])


@described("resumeRun", "Let a paused run go on.", ControlBody)
class Resume(Control):
    def perform(self, actor: User, run: Run, body: Fields) -> None:
        services.resume_run(actor=actor, run=run, reason=body["reason"])


@described("addMessage", "Give the run a further message of the user; the agent reads it next.", MessageBody)
class Messages(Control):
    body = MessageBody

    def perform(self, actor: User, run: Run, body: Fields) -> None:
        services.add_message(actor=actor, run=run, text=body["text"])


@described("answerInput", "Answer the question that the agent asked the user.", InputBody)
class Input(Control):
    body = InputBody

    def perform(self, actor: User, run: Run, body: Fields) -> None:
        services.answer_input(
            actor=actor, run=run, text=body["text"], step=body.get("step"), call=body.get("call")
        )


def _require_call(run: Run, body: Fields) -> None:
    if not ToolCall.objects.filter(run=run, step=body["step"], number=body["call"]).exists():
        raise NotFound("unknown_call", "This run has no such call.")


@described(
    "vetoCall",
    "Keep a call that is held (`held_until`) from going out; the agent is told why. 409 when it is not held any more.",
    VetoBody,
)
class Veto(Control):
    body = VetoBody

    def perform(self, actor: User, run: Run, body: Fields) -> None:
        _require_call(run, body)
        services.veto_call(actor=actor, run=run, step=body["step"], call=body["call"], reason=body["reason"])


@described(
    "settleOutcome",
    "Say whether a call with an unknown outcome took place, so that the run can go on.",
    OutcomeBody,
)
class Outcome(Control):
    body = OutcomeBody

    def perform(self, actor: User, run: Run, body: Fields) -> None:
        _require_call(run, body)
        services.settle_outcome(
            actor=actor,
            run=run,
            step=body["step"],
            call=body["call"],
            happened=body["happened"],
            note=body["note"],
        )
