"""Our words as the protocol's messages, for the official SDK."""

from __future__ import annotations

from typing import Any

from a2a.types import (
    Artifact,
    Message,
    Part,
    Role,
    Task,
    TaskArtifactUpdateEvent,
    TaskState,
    TaskStatus,
    TaskStatusUpdateEvent,
)
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from runs.a2a.standing import Standing

RUN, REQUIRED, REASON = "io.agentops/run", "io.agentops/required", "io.agentops/reason"
ANSWER = "answer"


def write_task(standing: Standing) -> Task:
    """Return a task as it stands, with its answer where there is one."""
    task = Task(
        id=str(standing.run_id),
        context_id=str(standing.run_id),
        status=write_status(standing),
        metadata=_struct(_metadata(standing)),
    )
    if standing.answer is not None:
        task.artifacts.append(_artifact(standing.answer))
    return task


def write_status(standing: Standing) -> TaskStatus:
    """Return the state, since when, and in words what is awaited or went wrong."""
    at = Timestamp()
    at.FromDatetime(standing.at)
    status = TaskStatus(state=TaskState.Value(f"TASK_STATE_{standing.state}"), timestamp=at)
    if standing.words:
        status.message.CopyFrom(
            Message(
                message_id=f"{standing.run_id}.{standing.state.lower()}",
                task_id=str(standing.run_id),
                context_id=str(standing.run_id),
                role=Role.ROLE_AGENT,
                parts=[Part(text=standing.words, media_type="text/plain")],
            )
        )
    return status


def write_update(standing: Standing) -> list[TaskArtifactUpdateEvent | TaskStatusUpdateEvent]:
    """Return the events of a change: the answer before the status that ends the task."""
    own = str(standing.run_id)
    events: list[TaskArtifactUpdateEvent | TaskStatusUpdateEvent] = []
    if standing.answer is not None:
        artifact = _artifact(standing.answer)
        events.append(
            TaskArtifactUpdateEvent(task_id=own, context_id=own, artifact=artifact, last_chunk=True)
        )
    status, metadata = write_status(standing), _struct(_metadata(standing))
    return [*events, TaskStatusUpdateEvent(task_id=own, context_id=own, status=status, metadata=metadata)]


def _artifact(answer: str) -> Artifact:
    return Artifact(artifact_id=ANSWER, name=ANSWER, parts=[Part(text=answer, media_type="text/plain")])


def _metadata(standing: Standing) -> dict[str, Any]:  # Any: JSON
    told: dict[str, Any] = {RUN: str(standing.run_id)}  # Any: as above
    told |= {REQUIRED: [dict(each) for each in standing.required]} if standing.required else {}
    return told | ({REASON: standing.reason} if standing.reason else {})


def _struct(value: dict[str, Any]) -> Struct:  # Any: JSON
    made: Struct = ParseDict(value, Struct())
    return made
