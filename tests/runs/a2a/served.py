"""An exposed agent at an address, and those who speak to it with the official SDK."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
from a2a.client import A2ACardResolver, Client, ClientConfig, ClientFactory
from a2a.types import (
    AgentCard,
    GetTaskRequest,
    Message,
    Part,
    Role,
    SendMessageConfiguration,
    SendMessageRequest,
    StreamResponse,
    Task,
    TaskState,
)
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct
from pytest_django import Settings

from identities.models import Application
from identities.oauth.signing_keys import keeper
from identities.services import issue_api_key
from tests.api.live import serve_api
from tests.runs.company import ISSUER, SUBJECT, Company
from tests.runs.gateway.worker import working

RPC, REST = "JSONRPC", "HTTP+JSON"
NAMED = {"io.agentops/principal": {"issuer": ISSUER, "subject": SUBJECT}}

Talk = Callable[[Client], Awaitable[Any]]  # Any: whatever the talk returns


@dataclass
class Served:
    """Where the agent is, and with which key its caller comes."""

    url: str
    company: Company
    key: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def base(self) -> str:
        return f"{self.url}/a2a/{self.company.cast.agent.slug}"

    @asynccontextmanager
    async def connected(
        self, binding: str = RPC, *, key: str = "", streaming: bool = True
    ) -> AsyncIterator[Client]:
        """Connect as the official client does, by the card."""
        headers = {"Authorization": f"Bearer {key or self.key}", **self.headers}
        async with httpx.AsyncClient(headers=headers, timeout=60) as http:
            card = await A2ACardResolver(http, self.base).get_agent_card()
            config = ClientConfig(
                streaming=streaming, httpx_client=http, supported_protocol_bindings=[binding],
                use_client_preference=True,
            )  # fmt: skip
            yield ClientFactory(config).create(card)

    def ask(self, talk: Talk, binding: str = RPC, **options: Any) -> Any:  # Any: as the talk returns
        async def connect() -> Any:  # Any: as above
            async with self.connected(binding, **options) as client:
                return await talk(client)

        return asyncio.run(connect())

    def card(self) -> AgentCard:
        card = AgentCard()
        ParseDict(httpx.get(f"{self.base}/.well-known/agent-card.json").json(), card)
        return card

    def key_of(self, application: Application) -> str:
        return issue_api_key(actor=self.company.cast.alice, user=application.service_account, label="a2a")[1]


@contextmanager
def serving(company: Company, settings: Settings, **version: Any) -> Iterator[Served]:  # Any: its fields
    """Expose the company's agent behind a real server, with a worker."""
    keeper.forget()
    cast = company.cast
    cast.agent.exposed = True
    cast.agent.save(update_fields=["exposed"])
    if company.published is None:
        company.publish(**version)
    settings.GATEWAY_WAIT_S = 20.0
    key = issue_api_key(actor=cast.alice, user=cast.application.service_account, label="a2a")[1]
    with serve_api() as url:
        settings.PUBLIC_URL = url
        with working():
            yield Served(url, company, key)
    keeper.forget()


def message(
    text: str = "Please help.",
    *,
    id: str = "",
    task: str = "",
    said: dict[str, Any] | None = None,
    **more: Any,
) -> SendMessageRequest:  # Any: fields of the protocol
    """Return a request to the agent; a new task names the user, unless told otherwise."""
    metadata = said if said is not None else ({} if task else NAMED)
    parts = more.pop("parts", [Part(text=text)])
    made = Message(
        message_id=id or str(uuid4()), task_id=task, role=Role.ROLE_USER, parts=parts,
        metadata=ParseDict(metadata, Struct()), context_id=more.pop("context", ""),
    )  # fmt: skip
    return SendMessageRequest(message=made, configuration=SendMessageConfiguration(**more))


async def send(client: Client, request: SendMessageRequest) -> list[StreamResponse]:
    """Send a message and return all that is answered."""
    return [event async for event in client.send_message(request)]


async def send_for(client: Client, request: SendMessageRequest) -> Task:
    """Send a message and return the task that its answer ends with."""
    events = await send(client, request)
    return next(event.task for event in reversed(events) if event.HasField("task"))


async def get(client: Client, task_id: str) -> Task:
    return await client.get_task(GetTaskRequest(id=task_id))


async def until(client: Client, task_id: str, state: str, within_s: float = 60) -> Task:
    """Ask for a task until it stands so."""
    async with asyncio.timeout(within_s):
        while name(task := await get(client, task_id)) != state:
            await asyncio.sleep(0.1)
        return task


def name(task: Task) -> str:
    """Return the state without its prefix."""
    return str(TaskState.Name(task.status.state)).removeprefix("TASK_STATE_")


def told(task: Task) -> str:
    """Return the words of the status."""
    return "".join(part.text for part in task.status.message.parts)


def answer(task: Task) -> str:
    return "".join(part.text for artifact in task.artifacts for part in artifact.parts)
