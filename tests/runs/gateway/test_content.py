"""Pictures, sounds, documents and prompts of others' servers, from the record out to an agent outside."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import mcp_types as types
import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.utils import timezone
from mcp import Client, MCPError

from identities.models import User
from runs import erasure, parts
from runs.erasure import erase_run
from runs.gateway import offering
from runs.gateway.blocks import write_blocks
from runs.models import AgentVersion, KeptPart, Run
from runs.retention import PART_KEPT, trim
from runs.services import kill_run
from tests.runs.company import proposes, says
from tests.runs.gateway.conftest import Outside
from tests.runs.gateway.fixtures import PNG
from tests.runs.gateway.gateways import Gateway
from tools.adapters.mcp import contents
from tools.models import Tool
from tools.outcomes import Part

pytestmark = [pytest.mark.mcp, pytest.mark.slow]

MIXED = "test_multiple_content_types"
TEXT = "test://static-text"


def recorded(outside: Outside) -> str:
    """Return every word that the ledger has of the run."""
    return json.dumps([[entry.facts, entry.content] for entry in outside.company.entries(outside.run)])


def test_the_record_has_a_digest_and_the_agent_gets_the_picture(shown: Outside) -> None:
    answer = shown.hear(shown.call(MIXED, {}))
    assert (answer.status, answer.has_blocks, PNG in recorded(shown)) == ("succeeded", True, False)
    text, picture, document = write_blocks(answer.value, answer.parts)
    assert isinstance(text, types.TextContent)
    assert isinstance(picture, types.ImageContent)
    assert isinstance(document, types.EmbeddedResource)
    assert (picture.data, picture.mime_type) == (PNG, "image/png")
    row = KeptPart.objects.get()
    assert (str(row.run_id), row.digest) == (str(shown.run.pk), answer.value[1]["sha256"])


def test_without_that_care_the_bytes_would_be_on_the_record(
    shown: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "_take", lambda text, named, parts: {"data": text, "mimeType": named})
    shown.call(MIXED, {})
    assert PNG in recorded(shown)


def test_the_same_picture_again_is_the_same_row(shown: Outside) -> None:
    for tool in (MIXED, "test_image_content"):
        shown.hear(shown.call(tool, {}))
    assert KeptPart.objects.count() == 1


def test_a_conversation_keeps_so_much_and_says_of_the_rest_that_it_is_gone(
    shown: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "RUN_LIMIT_BYTES", 10)
    answer = shown.hear(shown.call("test_image_content", {}))
    [block] = write_blocks(answer.value, answer.parts)
    assert (answer.status, KeptPart.objects.count()) == ("succeeded", 0)
    assert block.text == "[image/png of 71 bytes is left out: it is kept no more]"  # type: ignore[union-attr]  # a text


def test_after_a_day_it_is_gone(shown: Outside) -> None:
    shown.call("test_image_content", {})
    now = timezone.now()
    trim(now + PART_KEPT - timedelta(minutes=5))
    assert KeptPart.objects.count() == 1
    trim(now + PART_KEPT + timedelta(minutes=5))
    assert KeptPart.objects.count() == 0


def end_and_erase(outside: Outside) -> Run:
    outside.call("test_image_content", {})
    alice, run = outside.company.cast.alice, outside.run
    kill_run(actor=outside.company.cast.ada, run=run)
    outside.company.drive(run)
    alice.user_permissions.add(Permission.objects.get(codename="erase_content"))
    erase_run(actor=User.objects.get(pk=alice.pk), run=outside.run, reason="asked for it")
    return run


def test_who_erases_a_run_erases_its_pictures(shown: Outside) -> None:
    end_and_erase(shown)
    assert KeptPart.objects.count() == 0


def test_without_that_line_they_would_stay(shown: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "erase_parts", lambda cursor, run: None)
    end_and_erase(shown)
    assert KeptPart.objects.count() == 1


def test_nobody_gets_the_parts_of_another_run(shown: Outside) -> None:
    digest = shown.hear(shown.call("test_image_content", {})).value[0]["sha256"]
    run = shown.run
    shown.call("greet", {"name": "Ann"}, conversation="another")
    other = Run.objects.filter(kind="external").order_by("-id").first()
    assert other is not None
    with connection.cursor() as cursor:
        assert parts.read_parts(cursor, run.pk, [digest])
        assert parts.read_parts(cursor, other.pk, [digest]) == {}


def test_a_run_of_ours_keeps_nothing_that_nobody_could_use(shown: Outside) -> None:
    company = shown.company
    AgentVersion.objects.update(state="retired")
    company.publish(max_steps=5)
    run = company.run(proposes(("test_image_content", {})), says("A picture."))
    assert (company.states(run), KeptPart.objects.count()) == ([("succeeded", "ok")], 0)
    assert PNG not in json.dumps(company.asked())


def test_a_part_is_written_with_the_outcome_or_not_at_all(shown: Outside) -> None:
    """Its duty stands in the transaction of the entry that names it."""
    shown.call("test_image_content", {})
    with connection.cursor() as cursor:
        cursor.execute("SELECT xmin FROM runs_kept_part")
        [(kept,)] = cursor.fetchall()
        cursor.execute("SELECT xmin FROM ledger_entry WHERE kind = 'call.succeeded'")
        assert cursor.fetchall() == [(kept,)]


# --- resources and prompts -----------------------------------------------------------------------------


def test_resources_and_prompts_are_read_by_calls_like_all_others(showing: Gateway, shown: Outside) -> None:
    async def talk(client: Client) -> Any:  # Any: what a client gets
        listed = await client.list_resources(), await client.list_prompts(), await client.list_tools()
        read = [await client.read_resource(uri) for uri in (TEXT, "test://template/7/data")]
        said = await client.get_prompt("test_prompt_with_arguments", {"arg1": "a", "arg2": "b"})
        return listed, read, said

    (resources, prompts, tools), read, said = showing.ask(talk)
    assert {each.uri for each in resources.resources} == {TEXT, "test://static-binary"}
    assert {each.name for each in prompts.prompts} == {
        "test_simple_prompt", "test_prompt_with_arguments", "test_prompt_with_embedded_resource",
        "test_prompt_with_image", "test_input_required_result_prompt",
    }  # fmt: skip
    assert not {each.name for each in tools.tools} & {each.name for each in prompts.prompts}
    assert [each.contents[0].text for each in read] == ["The static text.", '{"id": "7"}']
    assert said.messages[0].content.text == 'Please look at {"arg1": "a", "arg2": "b"}.'
    run = Run.objects.get(kind="external")
    assert (run.steps, shown.company.states(run)) == (3, [("succeeded", "ok")] * 3)
    assert shown.company.kinds(run).count("attempt.started") == 3


def refusal(gateway: Gateway, uri: str = TEXT) -> MCPError:
    """Return why an address is not read."""

    async def talk(client: Client) -> Any:  # Any: nothing comes
        await client.read_resource(uri)

    # In groups, as the client closes; and where it is closed first, as it is.
    with pytest.RaisesGroup(MCPError, allow_unwrapped=True, flatten_subgroups=True) as refused:
        gateway.ask(talk)
    error: BaseException = refused.value
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, MCPError)
    return error


def grant(outside: Outside, decision: str) -> Tool:
    tool = Tool.objects.get(name="resource_test_static_text")
    outside.company.grant(tool, decision)
    return tool


def test_what_is_not_granted_is_not_there(showing: Gateway, shown: Outside) -> None:
    grant(shown, "DENY")

    async def talk(client: Client) -> types.ListResourcesResult:
        return await client.list_resources()

    assert [each.uri for each in showing.ask(talk).resources] == ["test://static-binary"]
    assert refusal(showing).code == types.INVALID_PARAMS
    assert not Run.objects.filter(kind="external").exists()


def test_who_were_shown_it_all_the_same_could_not_read_it(
    showing: Gateway, shown: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offering, "list_callable", lambda specs, **more: list(specs))
    grant(shown, "DENY")
    assert "denied" in str(refusal(showing)) or "grant" in str(refusal(showing))
    assert "attempt.started" not in shown.company.kinds(Run.objects.get(kind="external"))


def test_to_read_may_take_a_persons_yes(showing: Gateway, shown: Outside) -> None:
    shown.company.let_decide(grant(shown, "REQUIRE_APPROVAL"))
    error = refusal(showing)
    assert error.error.data["code"] == "approval_required"
    shown.company.decide()

    async def talk(client: Client) -> types.ReadResourceResult:
        return await client.read_resource(TEXT)

    assert showing.ask(talk).contents[0].text == "The static text."


# --- progress ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
def test_a_client_that_asks_for_progress_hears_what_happens_to_its_call(showing: Gateway, mode: str) -> None:
    heard: list[tuple[float, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, message))

    async def talk(client: Client) -> types.CallToolResult:
        result = await client.call_tool("greet", {"name": "Ann"}, progress_callback=hear)
        await asyncio.sleep(0.1)
        return result

    assert not showing.ask(talk, mode=mode).is_error
    assert [progress for progress, _ in heard] == list(range(1, len(heard) + 1))
    told = " ".join(message or "" for _, message in heard)
    assert "greet: allowed" in told
    assert "greet: called" in told


def test_a_part_says_nothing_of_itself_in_a_log() -> None:
    assert "secret" not in repr(Part("0" * 64, b"secret"))
