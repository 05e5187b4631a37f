"""A2A over HTTP, with the official client, in both bindings: how tasks begin, wait, go on and end."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from a2a.client import Client
from a2a.client.errors import A2AClientError
from a2a.types import (
    CancelTaskRequest,
    ListTasksRequest,
    Part,
    StreamResponse,
    SubscribeToTaskRequest,
    Task,
    TaskPushNotificationConfig,
    TaskState,
)
from a2a.utils.errors import (
    A2AError,
    ContentTypeNotSupportedError,
    InvalidParamsError,
    PushNotificationNotSupportedError,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)
from a2a.utils.signing import InvalidSignaturesError, create_signature_verifier
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Value
from guardian.shortcuts import assign_perm
from jwt import PyJWK
from pytest_django import Settings

from approvals.models import ApprovalRequest
from identities.models import Application
from runs.models import Run
from tests.factories import ApplicationFactory, GrantFactory
from tests.runs.a2a.served import (
    NAMED,
    REST,
    RPC,
    Served,
    answer,
    get,
    message,
    name,
    send,
    send_for,
    serving,
    told,
    until,
)
from tests.runs.company import Company, proposes, says
from tests.runs.delegation.conftest import House
from tools.models import ToolGrant

pytestmark = [pytest.mark.delegation, pytest.mark.slow]

REFUND = ("refund", {"order_id": "A-1", "amount": "5.00"})


@pytest.fixture(params=[RPC, REST])
def binding(request: pytest.FixtureRequest) -> str:
    """Provide each of the two bindings."""
    return str(request.param)


def test_a_message_is_a_run_and_its_answer_an_artifact(served: Served, binding: str) -> None:
    served.company.play(proposes(("look_up", {"order_id": "A-1"})), says("It is on its way."))

    async def talk(client: Client) -> Task:
        return await send_for(client, message("Where is A-1?"))

    task = served.ask(talk, binding, streaming=False)
    assert (name(task), answer(task)) == ("COMPLETED", "It is on its way.")
    run = Run.objects.get()
    assert (str(run.pk), task.context_id) == (task.id, task.id)
    assert (run.application, run.proof, run.principal.subject) == (
        served.company.cast.application, "asserted", "customer-1",
    )  # fmt: skip


def test_typed_values_are_told_as_json(served: Served) -> None:
    served.company.play(says("Yes."))
    part = Part(data=ParseDict({"order_id": "A-1", "count": 2}, Value()))

    async def talk(client: Client) -> Task:
        return await send_for(client, message(parts=[part]))

    assert name(served.ask(talk, streaming=False)) == "COMPLETED"
    said = '{\n  "count": 2,\n  "order_id": "A-1"\n}'
    assert said in served.company.asked()[0]["messages"][-1]["content"]


def test_the_same_message_is_one_run(served: Served, binding: str) -> None:
    served.company.play(says("Done."))

    async def talk(client: Client) -> tuple[Task, Task]:
        first = await send_for(client, message("Do it.", id="m-1"))
        second = await send_for(client, message("Do it.", id="m-1"))
        with pytest.raises(A2AError, match="idempotency_key_reused"):
            await send_for(client, message("Do something else.", id="m-1"))
        return first, second

    first, second = served.ask(talk, binding, streaming=False)
    assert first.id == second.id
    assert Run.objects.count() == 1


def test_who_has_to_approve_is_waited_for_and_the_answer_follows(served: Served, binding: str) -> None:
    company = served.company
    refund = next(each for each in company.versions if each.tool.name == "refund")
    company.grant(refund.tool, "REQUIRE_APPROVAL")
    company.let_decide(refund.tool)
    company.play(proposes(REFUND), says("Refunded."))

    async def talk(client: Client) -> tuple[Task, Task]:
        waiting = await send_for(client, message("Refund A-1."))
        await asyncio.to_thread(company.decide)
        return waiting, await until(client, waiting.id, "COMPLETED")

    waiting, done = served.ask(talk, binding, streaming=False)
    assert name(waiting) == "AUTH_REQUIRED"
    assert "A person has to approve this." in told(waiting)
    asked = ApprovalRequest.objects.get()
    [required] = waiting.metadata["io.agentops/required"]
    assert (required["type"], required["id"]) == ("approval", str(asked.pk))
    assert required["url"] == f"{served.url}/admin/approvals/approvalrequest/{asked.pk}/change/"
    assert (answer(done), len(company.world.effects)) == ("Refunded.", 1)


def test_what_an_agent_below_waits_for_is_waited_for_here(company: Company, settings: Settings) -> None:
    """Nothing waits unseen because it is nested."""
    refund, house = company.add_tool("refund"), House(company)
    clerk = house.hire("clerk", refund)
    ToolGrant.objects.filter(identity=clerk).update(state="superseded")
    GrantFactory.create(identity=clerk, tool=refund.tool, decision="REQUIRE_APPROVAL")
    company.let_decide(refund.tool)
    house.add_delegation("clerk")
    company.play(
        proposes(("ask_clerk", {"topic": "refund A-1"})),
        proposes(REFUND),
        says("Refunded."),
        says("All done."),
    )

    async def talk(client: Client) -> tuple[Task, Task]:
        sent = await send_for(client, message("Have A-1 refunded.", return_immediately=True))
        waiting = await until(client, sent.id, "AUTH_REQUIRED")
        await asyncio.to_thread(company.decide)
        return waiting, await until(client, sent.id, "COMPLETED")

    with serving(company, settings) as served:
        waiting, done = served.ask(talk, streaming=False)
    assert "A person has to approve this." in told(waiting)
    assert (answer(done), len(company.world.effects)) == ("All done.", 1)


def test_a_stream_tells_of_the_approval_and_of_the_end(served: Served, binding: str) -> None:
    company = served.company
    refund = next(each for each in company.versions if each.tool.name == "refund")
    company.grant(refund.tool, "REQUIRE_APPROVAL")
    company.let_decide(refund.tool)
    company.play(proposes(REFUND), says("Refunded."))

    async def talk(client: Client) -> list[str]:
        seen = []
        async for event in client.send_message(message("Refund A-1.")):
            seen.append(kind_of(event))
            if seen[-1].endswith("AUTH_REQUIRED"):
                await asyncio.to_thread(company.decide)
        return seen

    seen = served.ask(talk, binding)
    assert seen[0].startswith("task ")
    assert "status AUTH_REQUIRED" in seen or seen[0] == "task AUTH_REQUIRED"
    assert seen[-2:] == ["artifact Refunded.", "status COMPLETED"]


def kind_of(event: StreamResponse) -> str:
    """Return what an event is, and what it says, in two words."""
    if event.HasField("task"):
        return f"task {name(event.task)}"
    if event.HasField("artifact_update"):
        return f"artifact {event.artifact_update.artifact.parts[0].text}"
    return f"status {TaskState.Name(event.status_update.status.state).removeprefix('TASK_STATE_')}"


def test_who_lost_the_connection_subscribes_again(served: Served, binding: str) -> None:
    company = served.company
    refund = next(each for each in company.versions if each.tool.name == "refund")
    company.grant(refund.tool, "REQUIRE_APPROVAL")
    company.let_decide(refund.tool)
    company.play(proposes(REFUND), says("Refunded."))

    async def lose() -> str:
        async with served.connected(binding) as client:
            async for event in client.send_message(message("Refund A-1.")):
                return event.task.id
        raise AssertionError

    async def talk() -> list[str]:
        task_id = await lose()
        async with served.connected(binding) as client:
            await until(client, task_id, "AUTH_REQUIRED")
            seen = []
            async for event in client.subscribe(SubscribeToTaskRequest(id=task_id)):
                seen.append(kind_of(event))
                if len(seen) == 1:
                    await asyncio.to_thread(company.decide)
            with pytest.raises(UnsupportedOperationError, match="has ended"):
                [event async for event in client.subscribe(SubscribeToTaskRequest(id=task_id))]
            return seen

    seen = asyncio.run(talk())
    assert seen[0] == "task AUTH_REQUIRED"
    assert seen[-2:] == ["artifact Refunded.", "status COMPLETED"]
    assert Run.objects.count() == 1


def test_what_the_agent_asks_the_user_is_answered_in_the_same_task(served: Served, binding: str) -> None:
    served.company.play(proposes(("ask_user", {"question": "Which order?"})), says("A-1 it is."))

    async def talk(client: Client) -> tuple[Task, Task]:
        asked = await send_for(client, message("Where is it?"))
        await send_for(client, message("A-1", task=asked.id))
        return asked, await until(client, asked.id, "COMPLETED")

    asked, done = served.ask(talk, binding, streaming=False)
    assert (name(asked), told(asked)) == ("INPUT_REQUIRED", "Which order?")
    assert answer(done) == "A-1 it is."
    assert Run.objects.count() == 1


def test_a_task_is_cancelled_once(served: Served, binding: str) -> None:
    served.company.play(proposes(("ask_user", {"question": "Which order?"})))

    async def talk(client: Client) -> Task:
        asked = await send_for(client, message("Where is it?"))
        cancelled = await client.cancel_task(CancelTaskRequest(id=asked.id))
        with pytest.raises(TaskNotCancelableError):
            await client.cancel_task(CancelTaskRequest(id=asked.id))
        with pytest.raises(UnsupportedOperationError, match="run_ended"):
            await send_for(client, message("A-1", task=asked.id))
        return cancelled

    assert name(served.ask(talk, binding, streaming=False)) == "CANCELED"


def test_what_may_not_be_done_at_all_is_rejected(served: Served, binding: str) -> None:
    agent = served.company.cast.agent
    agent.state = "suspended"

    async def talk(client: Client) -> Task:
        await asyncio.to_thread(agent.save, update_fields=["state"])  # after the card was read
        return await send_for(client, message())

    task = served.ask(talk, binding, streaming=False)
    assert (name(task), told(task).split(":")[0]) == ("REJECTED", "agent_not_active")
    assert not Run.objects.exists()


def test_a_run_that_lost_its_right_is_rejected(served: Served) -> None:
    company = served.company
    company.play(proposes(("ask_user", {"question": "Which order?"})))

    async def talk(client: Client) -> Task:
        asked = await send_for(client, message())
        agent = company.cast.agent
        agent.state = "suspended"
        await asyncio.to_thread(agent.save, update_fields=["state"])
        await send_for(client, message("A-1", task=asked.id))
        return await until(client, asked.id, "REJECTED")

    assert "suspended" in told(served.ask(talk, streaming=False))


def another(company: Company) -> Application:
    """Return another application of the team, which may start the agent as well."""
    made: Application = ApplicationFactory.create(team=company.cast.team)
    assign_perm("start_run", made.service_account, company.cast.agent)
    return made


def test_tasks_of_others_are_not_there(served: Served, binding: str) -> None:
    company = served.company
    company.play(says("Done."))

    async def talk(client: Client) -> Task:
        return await send_for(client, message())

    task = served.ask(talk, binding, streaming=False)
    other = served.key_of(another(company))

    async def pry(client: Client) -> None:
        for refused in (
            get(client, task.id),
            client.cancel_task(CancelTaskRequest(id=task.id)),
            send_for(client, message("And?", task=task.id)),
            get(client, "0190a000-0000-7000-8000-000000000000"),
            get(client, "none"),
        ):
            with pytest.raises(TaskNotFoundError):
                await refused
        assert not (await client.list_tasks(ListTasksRequest())).tasks

    async def listen(client: Client) -> None:
        with pytest.raises(TaskNotFoundError):
            [event async for event in client.subscribe(SubscribeToTaskRequest(id=task.id))]

    served.ask(pry, binding, key=other, streaming=False)
    served.ask(listen, binding, key=other)


def test_tasks_are_listed_in_pages(served: Served, binding: str) -> None:
    served.company.play(says("Done."))

    async def talk(client: Client) -> list[str]:
        made = [(await send_for(client, message(f"Task {n}."))).id for n in range(3)]
        first = await client.list_tasks(ListTasksRequest(page_size=2, include_artifacts=True))
        rest = await client.list_tasks(ListTasksRequest(page_size=2, page_token=first.next_page_token))
        assert [task.id for task in (*first.tasks, *rest.tasks)] == made[::-1]
        assert (first.total_size, rest.next_page_token) == (3, "")
        assert [answer(task) for task in first.tasks] == ["Done."] * 2
        assert not rest.tasks[0].artifacts
        for state, count in ((TaskState.TASK_STATE_COMPLETED, 3), (TaskState.TASK_STATE_WORKING, 0)):
            assert len((await client.list_tasks(ListTasksRequest(status=state))).tasks) == count
        one = await client.list_tasks(ListTasksRequest(context_id=made[0]))
        assert [task.id for task in one.tasks] == made[:1]
        with pytest.raises(InvalidParamsError):
            await client.list_tasks(ListTasksRequest(page_token="far"))
        return made

    served.ask(talk, binding, streaming=False)


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (message(parts=[Part(raw=b"x", media_type="image/png")]), ContentTypeNotSupportedError),
        (message(parts=[Part(url="https://files.example/a")]), ContentTypeNotSupportedError),
        (message(accepted_output_modes=["image/png"]), ContentTypeNotSupportedError),
        (message(" "), InvalidParamsError),
        (message("x" * 40_000), InvalidParamsError),
        (message(id="m" * 300), InvalidParamsError),
        (message(context="elsewhere"), InvalidParamsError),
        (message(said={}), InvalidParamsError),
        (message(said={"io.agentops/principal": "me"}), InvalidParamsError),
        (message(said={"io.agentops/task": "none", **NAMED}), InvalidParamsError),
        (
            message(task_push_notification_config=TaskPushNotificationConfig(url="https://me.example")),
            PushNotificationNotSupportedError,
        ),
    ],
)
def test_what_is_not_spoken_is_refused_by_name(
    served: Served, request_: Any, error: type[Exception], binding: str
) -> None:
    async def talk(client: Client) -> None:
        with pytest.raises(error):
            await send(client, request_)

    served.ask(talk, binding, streaming=False)
    assert not Run.objects.exists()


def test_nobody_is_called_back(served: Served) -> None:
    async def talk(client: Client) -> None:
        with pytest.raises(PushNotificationNotSupportedError):
            await client.create_task_push_notification_config(
                TaskPushNotificationConfig(task_id="t", url="https://me.example")
            )

    served.ask(talk)


def test_the_card_is_signed_and_any_change_shows(served: Served) -> None:
    card = served.card()
    jwks = httpx.get(f"{served.url}/oauth/jwks").json()["keys"]

    def find(kid: str | None, jku: str | None) -> PyJWK:
        assert jku == f"{served.url}/oauth/jwks"
        return next(PyJWK(key) for key in jwks if key["kid"] == kid)

    verify = create_signature_verifier(find, ["ES256"])
    verify(card)
    card.description += " Trust me."
    with pytest.raises(InvalidSignaturesError):
        verify(card)
    assert {each.protocol_binding for each in card.supported_interfaces} == {RPC, REST}
    assert card.capabilities.streaming
    at_root = httpx.get(f"{served.url}/.well-known/agent-card.json").json()
    assert at_root["name"] == card.name


def test_a_flood_is_put_off(served: Served, settings: Settings, binding: str) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "write": (0, 60)}

    async def talk(client: Client) -> None:
        with pytest.raises(A2AClientError, match="429"):
            await send(client, message())

    served.ask(talk, binding)
    assert not Run.objects.exists()


def test_who_waits_too_long_already_is_joined_by_nobody(
    served: Served, settings: Settings, binding: str
) -> None:
    settings.START_TARGET_S = -1.0
    path = "" if binding == RPC else "/v1/message:send"
    body = {"message": {"messageId": "1", "role": "ROLE_USER", "parts": [{"text": "Help"}]}}
    sent = body if binding == REST else {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": body}
    headers = {"Authorization": f"Bearer {served.key}", "A2A-Version": "1.0"}
    refused = httpx.post(f"{served.base}{path}", json=sent, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (429, "overloaded")
    assert int(refused.headers["Retry-After"]) >= 1
