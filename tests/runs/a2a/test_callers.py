"""Who gets in over A2A, for whom, and what they see of an agent that is not for them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from a2a.client import Client
from a2a.client.errors import A2AClientError
from a2a.types import ListTasksRequest, Task
from a2a.utils.errors import TaskNotFoundError
from django.utils import timezone
from guardian.shortcuts import remove_perm
from pytest_django import Settings

from identities.models import ApiKey, Application
from identities.oauth.issuers import forget_keys
from identities.services import add_issuer, issue_api_key
from runs.a2a import admitting, application, taking
from runs.models import Run
from tests.oauth.clients import give_secret
from tests.oauth.provider import AUDIENCE, Provider, serve_provider
from tests.runs.a2a.served import (
    NAMED,
    Served,
    answer,
    get,
    message,
    name,
    send_for,
    serving,
    told,
)
from tests.runs.company import Company, proposes, says

pytestmark = [pytest.mark.delegation, pytest.mark.slow]

BODY = {"message": {"messageId": "1", "role": "ROLE_USER", "parts": [{"text": "Help"}], "metadata": NAMED}}


@pytest.fixture
def provider(served: Served) -> Iterator[Provider]:
    """Provide who knows the users of the company's application."""
    cast = served.company.cast
    with serve_provider() as made:
        made.reset()
        add_issuer(
            actor=cast.ada, client=cast.application.service_account, issuer=made.address, audience=AUDIENCE,
            allow_private=True,
        )  # fmt: skip
        yield made
    forget_keys()


def post(served: Served, **headers: str) -> httpx.Response:
    """Send a message without the SDK, as anybody might."""
    given = {"A2A-Version": "1.0", **headers}
    return httpx.post(f"{served.base}/v1/message:send", json=BODY, headers=given, timeout=60)


@pytest.mark.parametrize(
    ("credential", "status", "code"),
    [
        ("", 401, "not_authenticated"),
        ("Bearer nonsense", 401, "invalid_credential"),
        ("Bearer a.b.c", 401, "invalid_credential"),
        ("Basic YTpi", 401, "invalid_credential"),
        ("a person's", 403, "not_allowed"),
        ("another's", 404, "unknown_agent"),
    ],
)
def test_who_is_no_application_of_the_agent_is_refused(
    served: Served, credential: str, status: int, code: str
) -> None:
    cast = served.company.cast
    if credential == "a person's":
        credential = f"Bearer {issue_api_key(actor=cast.alice, user=cast.alice, label='own')[1]}"
    if credential == "another's":
        remove_perm("start_run", cast.application.service_account, cast.agent)
        credential = f"Bearer {served.key}"
    refused = post(served, **({"Authorization": credential} if credential else {}))
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert ("WWW-Authenticate" in refused.headers) is (status == 401)
    assert not Run.objects.exists()


def test_an_access_token_counts_as_at_the_api(served: Served) -> None:
    served.company.play(says("Done."))
    cast = served.company.cast
    client = give_secret(cast.alice, cast.application.service_account)
    token = client.token(f"{served.url}/api/v1")
    assert post(served, Authorization=f"Bearer {token}").status_code == 200
    assert Run.objects.get().application == cast.application


def test_the_users_own_token_says_for_whom_the_task_is(served: Served, provider: Provider) -> None:
    served.company.play(says("Done."))
    Application.objects.update(may_assert_users=False)
    served.headers = {admitting.SUBJECT_TOKEN: provider.id_token()}

    async def talk(client: Client) -> Task:
        return await send_for(client, message(said={}))

    task = served.ask(talk, streaming=False)
    run = Run.objects.get()
    assert (name(task), run.proof) == ("COMPLETED", "token")
    assert (run.principal.issuer, run.principal.subject) == (provider.address, "customer-17")


def test_a_token_of_another_user_does_not_find_the_task(served: Served, provider: Provider) -> None:
    served.company.play(says("Done."))

    async def start(client: Client) -> Task:
        return await send_for(client, message(said={}))

    async def pry(client: Client) -> list[Task]:
        with pytest.raises(TaskNotFoundError):
            await get(client, task.id)
        return list((await client.list_tasks(ListTasksRequest())).tasks)

    served.headers = {admitting.SUBJECT_TOKEN: provider.id_token()}
    task = served.ask(start, streaming=False)
    served.headers = {admitting.SUBJECT_TOKEN: provider.id_token(sub="customer-18")}
    assert not served.ask(pry)


def test_a_token_that_proves_nothing_is_no_asserted_user_either(served: Served, provider: Provider) -> None:
    told = provider.id_token(aud="another-app")
    refused = post(served, **{"Authorization": f"Bearer {served.key}", admitting.SUBJECT_TOKEN: told})
    assert (refused.status_code, refused.json()["code"]) == (403, "principal_not_proven")
    assert not Run.objects.exists()


def test_who_is_not_trusted_to_name_users_is_rejected(served: Served) -> None:
    Application.objects.update(may_assert_users=False)

    async def talk(client: Client) -> Task:
        return await send_for(client, message())

    task = served.ask(talk, streaming=False)
    assert (name(task), told(task).split(":")[0]) == ("REJECTED", "principal_not_proven")
    assert not Run.objects.exists()


def test_what_is_not_exposed_is_not_there(served: Served) -> None:
    agent = served.company.cast.agent
    agent.exposed = False
    agent.save(update_fields=["exposed"])
    assert post(served, Authorization=f"Bearer {served.key}").status_code == 404
    assert httpx.get(f"{served.base}/.well-known/agent-card.json").status_code == 404
    assert httpx.get(f"{served.url}/.well-known/agent-card.json").status_code == 404


@pytest.mark.parametrize(
    "version", [{"principal_source": "staff"}, {"planner": "external", "principal_source": "token"}]
)
def test_an_agent_that_nobody_could_give_a_task_has_no_card(
    company: Company, settings: Settings, version: dict[str, str]
) -> None:
    company.add_reads()
    with serving(company, settings, **version) as served:
        assert httpx.get(f"{served.base}/.well-known/agent-card.json").status_code == 404


def test_a_key_that_is_taken_back_ends_a_stream(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runs.a2a.following.LOOK_AGAIN_S", 0.2)
    company = served.company
    refund = next(each for each in company.versions if each.tool.name == "refund")
    company.grant(refund.tool, "REQUIRE_APPROVAL")
    company.let_decide(refund.tool)
    company.play(proposes(("refund", {"order_id": "A-1", "amount": "5.00"})))

    async def talk(client: Client) -> int:
        seen = 0
        async for _ in client.send_message(message("Refund A-1.")):
            seen += 1
            standing = ApiKey.objects.filter(revoked_at=None)
            await asyncio.to_thread(standing.update, revoked_at=timezone.now())
        return seen

    with pytest.raises((TaskNotFoundError, A2AClientError)):
        served.ask(talk)


def test_malformed_bodies_are_refused_before_anybody_reads_them(served: Served) -> None:
    headers = {"Authorization": f"Bearer {served.key}", "A2A-Version": "1.0"}
    for body in (b"{", b'{"a": 1, "a": 2}', b"\xff"):
        refused = httpx.post(served.base, content=body, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (400, "malformed_json")
    unknown = httpx.post(
        served.base, json={"jsonrpc": "2.0", "id": 1, "method": "Rule", "params": {}}, headers=headers
    )
    assert unknown.json()["error"]["code"] == -32601
    long = httpx.post(served.base, content=b"x" * 6_000_000, headers=headers)
    assert long.status_code == 413


def test_what_goes_wrong_inside_is_told_to_nobody(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the password is swordfish")

    monkeypatch.setattr("runs.a2a.handler.take_message", fail)
    headers = {"Authorization": f"Bearer {served.key}", "A2A-Version": "1.0"}
    call = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": BODY}
    answered = httpx.post(served.base, json=call, headers=headers)
    assert answered.json()["error"]["message"] == "Something went wrong here."
    assert "swordfish" not in answered.text
    assert "swordfish" not in post(served, Authorization=f"Bearer {served.key}").text


def test_without_the_extra_everything_else_goes_on(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [each for each in sys.modules if each == "a2a" or each.startswith("a2a.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "a2a", None)  # as if it were not installed
    application.is_installed.cache_clear()
    try:
        refused = post(served, Authorization=f"Bearer {served.key}")
        assert (refused.status_code, refused.json()["code"]) == (501, "a2a_not_installed")
        assert "agentops[a2a]" in refused.json()["detail"]
        assert httpx.get(f"{served.base}/.well-known/agent-card.json").status_code == 501
        runs = httpx.get(f"{served.url}/api/v1/runs", headers={"Authorization": f"Bearer {served.key}"})
        assert runs.status_code == 200
    finally:
        application.is_installed.cache_clear()


# --- guards that are taken away ---------------------------------------------------------------------------


def test_mutant_without_the_scope_of_tasks_others_see_them(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test above would turn red: this is what the filter keeps from happening."""
    from tests.runs.a2a.test_server import another

    served.company.play(says("Done."))

    async def start(client: Client) -> Task:
        return await send_for(client, message())

    async def pry(client: Client) -> Task:
        return await get(client, task.id)

    task = served.ask(start, streaming=False)
    other = served.key_of(another(served.company))
    with pytest.raises(TaskNotFoundError):
        served.ask(pry, key=other)
    monkeypatch.setattr(taking, "own_tasks", lambda _: Run.objects.all())
    assert answer(served.ask(pry, key=other)) == "Done."


def test_mutant_without_the_key_of_messages_one_is_two_runs(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.company.play(says("Done."))

    async def twice(client: Client) -> set[str]:
        return {(await send_for(client, message("Do it.", id="m-1"))).id for _ in range(2)}

    assert len(served.ask(twice, streaming=False)) == 1
    monkeypatch.setattr(taking, "act_once", lambda *given: (given[-1](), False))
    assert len(served.ask(twice, streaming=False)) == 2


def test_mutant_without_another_look_a_stream_outlives_its_key(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admitting.Caller, "still_stands", lambda _: True)
    served.company.play(says("Done."))

    async def talk(client: Client) -> list[Any]:  # Any: events
        seen = []
        async for event in client.send_message(message()):
            seen.append(event)
            standing = ApiKey.objects.filter(revoked_at=None)
            await asyncio.to_thread(standing.update, revoked_at=timezone.now())
        return seen

    assert served.ask(talk)
