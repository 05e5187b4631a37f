"""An agent of somebody else's, made with the official SDK: `python -m tests.runs.a2a.far PORT LOG` is its process.

What it does with a task says the task's first word. It logs what reached it; what waits goes on once LOG.go is there.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import uvicorn
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import (
    AgentCapabilities,
    AgentCard,
    AgentInterface,
    AgentSkill,
    Message,
    Part,
    Role,
    Task,
    TaskState,
    TaskStatus,
)
from google.protobuf.json_format import MessageToDict
from starlette.applications import Starlette


class Far(AgentExecutor):
    def __init__(self, log: Path) -> None:
        self._log, self._go = log, log.with_suffix(".go")

    def note(self, *words: str) -> None:
        with self._log.open("a") as log:
            log.write(" ".join(words) + "\n")

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        message = context.message
        assert message is not None
        assert context.task_id
        assert context.context_id
        text = "".join(part.text or str(MessageToDict(part.data)) for part in message.parts)
        headers = context.call_context.state["headers"] if context.call_context else {}
        self.note("took", message.message_id, str("traceparent" in headers), text)
        word = text.partition(" ")[0]
        if word == "now":
            said = Message(message_id="m", role=Role.ROLE_AGENT, parts=[Part(text="At once.")])
            await event_queue.enqueue_event(said)
            return
        while word == "linger" and not self._go.exists():  # it has the message, and has not answered yet
            await asyncio.sleep(0.05)
        task = Task(id=context.task_id, context_id=context.context_id)
        task.status.CopyFrom(TaskStatus(state=TaskState.TASK_STATE_SUBMITTED))
        await event_queue.enqueue_event(task)
        await self.carry_out(word, text, TaskUpdater(event_queue, context.task_id, context.context_id))

    async def carry_out(self, word: str, text: str, task: TaskUpdater) -> None:
        said = task.new_agent_message([Part(text=f"Because of {text}.")])
        match word:
            case "reject":
                await task.reject(said)
                return
            case "fail":
                await task.failed(said)
                return
            case "ask":
                await task.requires_input(said)
                return
            case "auth":
                await task.requires_auth(said)
            case _:
                await task.start_work()
        while word in ("slow", "auth") and not self._go.exists():
            await asyncio.sleep(0.05)
        await task.add_artifact([Part(text=f"Done: {text}.")])
        await task.complete()

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        self.note("cancelled")
        assert context.task_id
        assert context.context_id
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


def write_card(url: str) -> AgentCard:
    return AgentCard(
        name="Far agent",
        description="Does as it is told.",
        version="1",
        supported_interfaces=[
            AgentInterface(url=f"{url}/rpc", protocol_binding="JSONRPC", protocol_version="1.0")
        ],
        capabilities=AgentCapabilities(streaming=True),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        skills=[AgentSkill(id="chores", name="Chores", description="Does chores.", tags=["task"])],
    )


def main(port: int, log: Path) -> None:
    card = write_card(f"http://127.0.0.1:{port}")
    handler = DefaultRequestHandler(Far(log), InMemoryTaskStore(), card)
    routes = [*create_agent_card_routes(card), *create_jsonrpc_routes(handler, "/rpc")]
    uvicorn.run(Starlette(routes=routes), host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
