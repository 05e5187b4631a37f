"""A tool that asks in the middle of a call: only for what was declared, in our words, each answer in its own call."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import mcp_types as types
import pytest
from mcp import Client, MCPError
from pytest_django import Settings

from runs.gateway import asking, lacking
from runs.gateway.asking import read_state
from tests.runs.company import Company
from tests.runs.gateway import fixtures
from tests.runs.gateway.conftest import Outside, delegate
from tests.runs.gateway.fixtures import declared, serve_fixtures
from tests.runs.gateway.gateways import Gateway, serving
from tests.runs.gateway.served import take_over
from tests.runs.test_confirmations import answer as confirm
from tools.adapters.mcp import conversation
from tools.models import Tool
from tools.services import ServerDefinition

pytestmark = [pytest.mark.mcp, pytest.mark.slow]

ONCE, TWICE = "test_input_required_result_elicitation", "test_input_required_result_multi_round"
PROMPT = "test_input_required_result_prompt"


@pytest.fixture
def asked(company: Company) -> Iterator[Outside]:
    """Provide an agent outside whose tools may ask for what was declared."""
    with serve_fixtures() as url:
        place = ServerDefinition("http", url=url, allow_private=True)
        take_over(company, "fixtures", place, asks={**declared(), "greet": declared()[ONCE]})
        company.publish(price=False, planner="external", principal_source="token", max_steps=40)
        yield Outside(company, delegate(company))


@pytest.fixture
def gateway(asked: Outside, settings: Settings) -> Iterator[Gateway]:
    with serving(asked.company, settings) as served:
        yield served


class Person:
    """The user of a client, who fills in forms."""

    def __init__(self, *answers: dict[str, Any] | str) -> None:  # Any: values of a form
        self.answers, self.shown = list(answers), list[str]()

    async def fill_in(
        self, context: Any, params: Any
    ) -> types.ElicitResult:  # Any: as the client hands them over
        if params.mode == "url":  # where others decide: it was seen
            return types.ElicitResult(action="accept")
        self.shown.append(params.message)
        answer = self.answers.pop(0)
        if isinstance(answer, str):
            return types.ElicitResult(action=answer)  # type: ignore[arg-type]  # one of them
        return types.ElicitResult(action="accept", content=answer)


def call(
    gateway: Gateway, person: Person, tool: str, arguments: dict[str, Any] | None = None, **meta: str
) -> types.CallToolResult:  # Any: JSON
    named: Any = {f"io.agentops/{name}": each for name, each in meta.items()}  # Any: an open record

    async def talk(client: Client) -> types.CallToolResult:
        return await client.call_tool(tool, arguments or {}, meta=named)

    result: types.CallToolResult = gateway.ask(talk, mode="2026-07-28", elicitation_callback=person.fill_in)
    return result


def problem(result: types.CallToolResult) -> str:
    assert result.is_error, result
    return str(json.loads(result.content[0].text)["code"])  # type: ignore[union-attr]  # a text


def steps(outside: Outside) -> list[tuple[str, str]]:
    return outside.company.states(outside.run)


def last_arguments(outside: Outside) -> Any:  # Any: JSON
    decided = [entry for entry in outside.company.entries(outside.run) if entry.kind == "step.decided"]
    return (decided[-1].content or {})["calls"][0]["arguments"]


def test_the_user_is_asked_in_our_words_and_the_answer_is_an_argument(
    gateway: Gateway, asked: Outside
) -> None:
    person = Person({"name": "Ann"})
    assert not call(gateway, person, ONCE).is_error
    assert person.shown == ["We need user_name."], "and not what a stranger says"
    assert steps(asked) == [("failed", "input_required"), ("succeeded", "ok")]
    assert last_arguments(asked) == {"answers": {"user_name": {"name": "Ann"}}}


def test_each_round_is_a_call_that_brings_all_answers(gateway: Gateway, asked: Outside) -> None:
    person = Person({"name": "Ann"}, {"color": "blue"})
    assert not call(gateway, person, TWICE, key="once").is_error
    assert person.shown == ["We need step1.", "We need step2."]
    both = {"step1": {"name": "Ann"}, "step2": {"color": "blue"}}
    assert last_arguments(asked) == {"answers": both}
    assert len(steps(asked)) == 3


def test_what_is_answered_is_approved_like_every_call(
    gateway: Gateway, asked: Outside, settings: Settings
) -> None:
    settings.GATEWAY_WAIT_S = 2.0
    tool = Tool.objects.get(name=ONCE)
    asked.company.grant(tool, "REQUIRE_APPROVAL")
    asked.company.let_decide(tool)
    person = Person({"name": "Ann"})
    assert problem(call(gateway, person, ONCE)) == "approval_required"
    asked.company.decide()
    assert problem(call(gateway, person, ONCE)) == "approval_required", (
        "a yes to the question is none to the answer"
    )
    assert person.shown == ["We need user_name."]
    assert last_arguments(asked) == {"answers": {"user_name": {"name": "Ann"}}}


def test_who_does_not_say_does_nothing(gateway: Gateway, asked: Outside) -> None:
    assert problem(call(gateway, Person("decline"), ONCE)) == "declined"
    assert steps(asked) == [("failed", "input_required")]


def test_an_answer_that_fits_no_form_goes_nowhere(gateway: Gateway, asked: Outside) -> None:
    assert problem(call(gateway, Person({"name": "Ann", "password": "secret"}), ONCE)) == "invalid_arguments"
    assert "attempt.started" not in asked.company.kinds(asked.run)[-3:]


def test_a_prompt_asks_too(gateway: Gateway, asked: Outside) -> None:
    person = Person({"context": "a lamp"})

    async def talk(client: Client) -> types.GetPromptResult:
        return await client.get_prompt(PROMPT, {})

    result = gateway.ask(talk, mode="2026-07-28", elicitation_callback=person.fill_in)
    assert (person.shown, len(result.messages)) == (["We need user_context."], 1)


def test_an_agent_that_knows_the_answer_gives_it_at_once(asked: Outside) -> None:
    told = asked.hear(asked.call(ONCE, {"answers": {"user_name": {"name": "Ann"}}}))
    assert told.status == "succeeded"
    assert steps(asked) == [("succeeded", "ok")]


def test_what_was_not_declared_is_asked_of_nobody(
    gateway: Gateway, asked: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(fixtures.ROUNDS, ONCE, [("password", fixtures.form(password="string"))])
    person = Person()
    assert problem(call(gateway, person, ONCE)) == "input_required"
    assert person.shown == []


def test_who_shows_no_forms_is_told_what_is_asked(gateway: Gateway, asked: Outside) -> None:
    async def talk(client: Client) -> types.CallToolResult:
        return await client.call_tool(ONCE, {})

    result = gateway.ask(talk, mode="2026-07-28")
    assert problem(result) == "input_required"
    assert "user_name" in result.content[0].text


def test_a_server_that_never_stops_asking_is_not_asked_for_ever(
    asked: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = [("user_name", fixtures.form(name="string"))] * 100
    monkeypatch.setitem(fixtures.ROUNDS, ONCE, endless)
    told = asked.hear(asked.call(ONCE, {"answers": {"user_name": {"name": "Ann"}}}))
    assert (told.status, told.code) == ("failed", "input_required")


@pytest.fixture
def confirmed(company: Company, settings: Settings) -> Iterator[Gateway]:
    """Provide the gateway to a tool whose calls the user has to confirm."""
    company.add_tool("refund", grant_confirmation=True)
    company.publish(price=False, planner="external", principal_source="token", max_steps=40)
    with serving(company, settings) as served:
        yield served


class Confirming(Person):
    """A user who confirms in their application once they are told to."""

    def __init__(self, company: Company) -> None:
        super().__init__({})
        self.company = company

    async def fill_in(self, context: Any, params: Any) -> types.ElicitResult:  # Any: as above
        await asyncio.to_thread(confirm, self.company)
        return await super().fill_in(context, params)


def test_a_user_is_led_to_where_they_confirm(confirmed: Gateway, company: Company) -> None:
    person = Confirming(company)
    assert not call(confirmed, person, "refund", {"order_id": "A-1"}).is_error
    assert person.shown == ["refund: confirm this in the application that you use, and then go on here."]
    assert company.world.attempts == ["refund"]


def test_what_is_pressed_there_confirms_nothing(
    confirmed: Gateway, company: Company, settings: Settings
) -> None:
    settings.GATEWAY_WAIT_S = 1.0
    assert problem(call(confirmed, Person({}), "refund", {"order_id": "A-1"})) == "confirmation_required"
    assert company.world.attempts == []


def test_mutant_that_takes_any_state_lets_anybody_write_one(
    asked: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    received = asked.call(ONCE, {})
    bent = json.dumps([str(received.run_id), received.number, {"user_name": {"name": "Eve"}}, True])
    with pytest.raises(Exception, match="bad_request_state"):
        read_state(bent)
    monkeypatch.setattr(asking.signing, "loads", lambda text, **_: json.loads(text))  # type: ignore[attr-defined]  # the module's own name
    found = read_state(bent)
    assert found is not None
    assert found.answers == {"user_name": {"name": "Eve"}}


def test_mutant_that_answers_what_nobody_declared_gives_strangers_what_they_ask(
    asked: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(fixtures.ROUNDS, ONCE, [("password", fixtures.form(password="string"))])
    told = asked.hear(asked.call(ONCE, {"answers": {"user_name": {"name": "Ann"}}}))
    assert told.code == "input_required"

    def obey(result: types.InputRequiredResult, answers: Any) -> types.InputResponses:  # Any: JSON
        [content] = answers.values()
        return {
            name: types.ElicitResult(action="accept", content=content) for name in result.input_requests or ()
        }

    monkeypatch.setattr(conversation, "respond", obey)
    told = asked.hear(asked.call(ONCE, {"answers": {"user_name": {"name": "Ann"}}}))
    assert told.status == "succeeded"


LACKING = "test_missing_capability"


def test_what_a_tool_needs_of_its_client_is_told_to_one_that_lacks_it(
    gateway: Gateway, asked: Outside
) -> None:
    """By the protocol's own error, with what is lacking by name; the call was made here, and refused there."""
    error = call_lacking(gateway)
    assert isinstance(error, MCPError)
    assert error.error.code == types.MISSING_REQUIRED_CLIENT_CAPABILITY
    assert error.error.data == {"requiredCapabilities": {"sampling": {}}}
    assert "nothing was called" in error.error.message
    assert "no sampling, no call" not in error.error.message, "a stranger's words go nowhere"


@pytest.mark.usefixtures("asked")
def test_a_client_that_has_it_is_told_that_nothing_is_passed_on(gateway: Gateway) -> None:
    result = call_lacking(gateway, sampling_callback=sample)
    assert isinstance(result, types.CallToolResult)
    problem = result.meta["io.agentops/problem"] if result.meta else {}
    assert (result.is_error, problem["code"]) == (True, "capability_missing")
    assert "sampling" in problem["detail"]


@pytest.mark.usefixtures("asked")
def test_without_the_guard_the_error_is_a_result(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: nobody looks at what the client has."""
    monkeypatch.setattr(lacking, "_offers", lambda *_: True)
    assert isinstance(call_lacking(gateway), types.CallToolResult)


async def sample(
    context: Any, params: Any
) -> types.CreateMessageResult:  # Any: as the client hands them over
    raise AssertionError("nobody asks this client's model")


def call_lacking(gateway: Gateway, **options: Any) -> Any:  # Any: of the SDK's client; a result or its error
    async def talk(client: Client) -> Any:  # Any: as above
        try:
            return await client.call_tool(LACKING, {})
        except MCPError as error:
            return error

    return gateway.ask(talk, mode="2026-07-28", **options)
