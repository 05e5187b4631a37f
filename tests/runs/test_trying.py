"""Trying a tool: everything is said, nothing is sent, and nobody learns what is not theirs to see."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse

from agentops.ledger.models import Entry
from identities.models import STAFF_ISSUER, SecretLease
from runs import trying
from runs.admin import try_it
from tests.console.visits import Page, count_queries, page_of, sign_in, text_of
from tests.factories import ToolVersionFactory
from tests.runs.company import Company
from tests.tools.rude_server import RudeServer, rude_server
from tests.verbs import secret_of
from tools import showing
from tools.admin.schema_form import MOST_FIELDS, ArgumentsForm, find_slots
from tools.models import CapUsage, EffectRecord, Tool, ToolVersion

SCRIPT = "<script>alert(1)</script>"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "order_id": {"type": "string", "description": "Which order.", "maxLength": 12},
        "amount": {"type": "number", "minimum": 0},
        "urgent": {"type": "boolean"},
        "why": {"enum": ["late", "broken"]},
        "to": {"type": "object", "properties": {"city": {"type": "string"}, "zip": {"type": "integer"}}},
        "items": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["order_id", "amount"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def running() -> Iterator[RudeServer]:
    with rude_server() as server:
        yield server


@pytest.fixture
def server(running: RudeServer, settings: LazySettings) -> RudeServer:
    running.seen.clear()
    running.connections = 0
    return running


@pytest.fixture
def refund(company: Company, server: RudeServer) -> ToolVersion:
    """Give the agent an irreversible tool on a real server, freely as far as a grant can."""
    version = company.add_tool(
        "refund",
        effect="irreversible",
        adapter="http",
        config={
            "method": "POST",
            "url": f"{server.url}/status/200/refunds/{{order_id}}?region=eu",
            "headers": {"X-Shop": "one"},
        },
        input_schema=SCHEMA,
        dedupe_on=["order_id"],
        statement="refund {amount} for {order_id}",
    )
    company.let_decide(version.tool)
    company.publish()
    return version


def try_it_out(client: Client, tool: Tool, arguments: object = None, **whose: str) -> Page:
    raw = json.dumps(arguments) if not isinstance(arguments, str) else arguments
    form = {"raw": raw, **whose}
    return client.post(reverse("admin:runs_try", args=[tool.pk]), form)


GOOD = {"order_id": "W1", "amount": 12.5}


def test_everything_is_said_and_nothing_reaches_the_server(
    company: Company, refund: ToolVersion, server: RudeServer
) -> None:
    bob = sign_in(company.cast.bob)
    before = Entry.objects.count()
    page = text_of(try_it_out(bob, refund.tool, GOOD, agent="refunds-agent"))
    for words in (
        "valid", "a person would be asked", "irreversible", "POST http://127.0.0.1:", "/refunds/W1?region=eu",
        "X-Shop: one", '{"amount":12.5}', f"X-Principal: {STAFF_ISSUER}|bob",
        "Idempotency-Key: run:step:refund:call", "the same over all attempts", "by order_id",
    ):  # fmt: skip
        assert words in page, words
    assert (server.connections, server.seen) == (0, [])
    assert (Entry.objects.count(), EffectRecord.objects.count(), CapUsage.objects.count()) == (before, 0, 0)


def test_a_trial_that_called_would_be_noticed(
    company: Company, refund: ToolVersion, server: RudeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: what is only to be shown goes out as well, to the very server that counts."""
    import urllib.request

    show = showing.show_request

    def show_and_send(call: Any) -> Any:  # Any: a call, and what is shown of it
        shown = show(call)
        urllib.request.urlopen(shown.line.split(" ")[1], data=shown.body.encode()).close()  # noqa: S310  loopback
        return shown

    monkeypatch.setattr(trying, "show_request", show_and_send)
    try_it_out(sign_in(company.cast.bob), refund.tool, GOOD)
    assert server.connections == 1
    assert server.seen[0].method == "POST"


def test_the_answer_is_that_of_the_rules(company: Company, refund: ToolVersion) -> None:
    company.grant(refund.tool, "DENY")
    page = text_of(try_it_out(sign_in(company.cast.bob), refund.tool, GOOD, agent="refunds-agent"))
    assert "it would be refused" in page
    assert "denied_by_grant" in page


def test_fields_become_the_values_of_their_types(company: Company, refund: ToolVersion) -> None:
    form = ArgumentsForm(schema=SCHEMA)
    names = {".".join(slot.path): slot.name for slot in form.slots}
    assert list(names) == ["order_id", "amount", "urgent", "why", "to.city", "to.zip", "items"]
    given = {
        "order_id": "007",
        "amount": "12.50",
        "urgent": "1",
        "why": "1",
        "to.zip": "80331",
        "items": '["a"]',
    }
    filled = ArgumentsForm({names[name]: text for name, text in given.items()}, schema=SCHEMA)
    assert filled.is_valid()
    assert filled.cleaned_data["arguments"] == {
        "order_id": "007", "amount": 12.5, "urgent": False, "why": "broken", "to": {"zip": 80331}, "items": ["a"],
    }  # fmt: skip


def test_what_is_wrong_is_said_by_the_schema(company: Company, refund: ToolVersion) -> None:
    page = text_of(try_it_out(sign_in(company.cast.bob), refund.tool, {"order_id": 7, "more": 1}))
    for words in ("refused", "must be of type string", "not expected here: more", "amount is missing"):
        assert words in page
    assert "What would be sent" not in page


def test_one_asks_for_oneself_unless_one_sets_terms(company: Company, refund: ToolVersion) -> None:
    named = {"issuer": "https://shop.example", "subject": "ann"}
    bobs = text_of(try_it_out(sign_in(company.cast.bob), refund.tool, GOOD, agent="refunds-agent", **named))
    assert f"X-Principal: {STAFF_ISSUER}|bob" in bobs
    assert "|ann" not in bobs
    alices = text_of(
        try_it_out(sign_in(company.cast.alice), refund.tool, GOOD, agent="refunds-agent", **named)
    )
    assert "X-Principal: https://shop.example|ann" in alices


def test_without_that_guard_anybody_asks_for_anybody(
    company: Company, refund: ToolVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant."""
    monkeypatch.setattr(try_it, "may_ask_for_others", lambda *_: True)
    named = {"issuer": "https://shop.example", "subject": "ann"}
    bobs = text_of(try_it_out(sign_in(company.cast.bob), refund.tool, GOOD, agent="refunds-agent", **named))
    assert "X-Principal: https://shop.example|ann" in bobs


def test_another_teams_tool_is_not_there(company: Company, refund: ToolVersion, server: RudeServer) -> None:
    charlie = sign_in(company.cast.charlie)
    assert charlie.get(reverse("admin:runs_try", args=[refund.tool_id])).status_code == 404
    assert try_it_out(charlie, refund.tool, GOOD).status_code == 404
    assert Client().get(reverse("admin:runs_try", args=[refund.tool_id])).status_code == 302


def test_an_agent_that_one_may_not_see_is_no_choice(company: Company, refund: ToolVersion) -> None:
    theirs = ToolVersionFactory.create(tool__team=company.cast.other_team).tool
    answer = try_it_out(sign_in(company.cast.charlie), theirs, {}, agent="refunds-agent")
    assert answer.status_code == 422
    assert "refunds-agent" not in text_of(answer).replace("refunds-agent is not one of", "")


def test_a_secret_is_a_mask(company: Company, refund: ToolVersion) -> None:
    secret = secret_of(company.cast)
    other = ToolVersionFactory.create(
        tool__team=company.cast.team,
        adapter="http",
        config={
            "method": "GET",
            "url": "https://shop.example/x?api_key=hush-hush",
            "credential": secret.slug,
            "audience": "https://shop.example",
        },
        input_schema={"type": "object"},
    )
    page = text_of(try_it_out(sign_in(company.cast.bob), other.tool, {}))
    assert f"Authorization: Bearer {showing.MASK}" in page
    assert "hush-hush" not in page
    assert SecretLease.objects.count() == 0


@pytest.mark.parametrize(
    ("adapter", "config", "words"),
    [
        ("mcp", {"server": "0" * 8, "tool": "pay", "digest": "0" * 64, "url": "https://shop.example/mcp"},
         '"name": "pay"'),
        ("mcp", {"tool": "pay", "url": "https://shop.example/mcp?api_key=hush-hush"},
         f"tools/call at https://shop.example/mcp?api_key={showing.MASK}"),
        ("mcp", {"tool": "prompt:greet", "command": ["greeter"]}, "prompts/get at the command ['greeter']"),
        ("mcp", {"tool": "resource:shop://terms", "url": "https://shop.example/mcp"}, '"uri": "shop://terms"'),
        ("python", {"function": "company.tools:pay"}, "company.tools:pay(…)"),
        ("decision", {"table": "eligibility"}, "the decision table eligibility is asked"),
        ("added", {}, "what it sends only it knows"),
        ("http", {"method": "POST"}, "Nothing:"),
    ],
)  # fmt: skip
def test_each_adapter_is_told_in_its_own_words(
    company: Company, adapter: str, config: dict[str, Any], words: str
) -> None:
    version = ToolVersionFactory.create(
        tool__team=company.cast.team, adapter=adapter, config=config, input_schema={"type": "object"}
    )
    assert words in text_of(try_it_out(sign_in(company.cast.bob), version.tool, {}))


RECURSIVE = {
    "type": "object",
    "properties": {"root": {"$ref": "#/$defs/node"}, "loop": {"$ref": "#/$defs/loop"}, "out": {"$ref": "http://x/"}},
    "$defs": {
        "node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}, "name": {"type": "string"}}},
        "loop": {"$ref": "#/$defs/loop"},
    },
}  # fmt: skip
HUGE_ENUM = {"type": "object", "properties": {"one": {"enum": [f"value {n}" for n in range(3_000)]}}}
MANY = {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(500)}}
ODD = {
    "type": "object",
    "properties": {SCRIPT: {"type": ["string", "null"], "description": SCRIPT, "enum": [SCRIPT, None, {"a": 1}]},
                   "b": True, "c": {"type": "object"}, "d": {"anyOf": [{}]}, "": {"type": "string", "format": ["x"]}},
}  # fmt: skip


@pytest.mark.parametrize("schema", [RECURSIVE, HUGE_ENUM, MANY, ODD, {"type": "object", "properties": []}])
def test_no_schema_breaks_the_page_or_makes_it_endless(company: Company, schema: dict[str, Any]) -> None:
    version = ToolVersionFactory.create(tool__team=company.cast.team, input_schema=schema, description=SCRIPT)
    page = sign_in(company.cast.bob).get(reverse("admin:runs_try", args=[version.tool_id]))
    assert page.status_code == 200
    assert SCRIPT not in page.content.decode()
    assert len(list(find_slots(schema))) <= MOST_FIELDS
    assert len(page.content) < 200_000


BAD = ["[1]", "7", "null", "{", "[" * 100_000, '{"a": NaN}', '{"\\ud800": 1}', '{"a": 1e999}', '{"a": "\\u0000"}',
       '{"a": ' * 40 + "1" + "}" * 40, json.dumps({SCRIPT: SCRIPT}), '{"a":1,"a":2}']  # fmt: skip


@pytest.mark.parametrize("raw", BAD, ids=range(len(BAD)))
def test_no_arguments_break_the_page(
    company: Company, refund: ToolVersion, server: RudeServer, raw: str
) -> None:
    page = try_it_out(sign_in(company.cast.bob), refund.tool, raw, agent="refunds-agent")
    assert page.status_code in (200, 422)
    assert SCRIPT not in page.content.decode()
    assert "What would be sent" not in text_of(page)
    assert server.connections == 0


def test_a_megabyte_is_refused_at_once(company: Company, refund: ToolVersion) -> None:
    page = try_it_out(sign_in(company.cast.bob), refund.tool, {**GOOD, "order_id": "x" * 1_000_000})
    assert "larger than 256 KiB as JSON" in text_of(page)


def test_a_large_argument_is_cut_and_says_so(company: Company) -> None:
    version = ToolVersionFactory.create(
        tool__team=company.cast.team, adapter="http", input_schema={"type": "object"},
        config={"method": "POST", "url": "https://shop.example/x"},
    )  # fmt: skip
    page = text_of(try_it_out(sign_in(company.cast.bob), version.tool, {"a": "x" * 10_000}))
    assert "characters more" in page


def test_the_tools_page_leads_there_and_a_tool_without_a_version_says_so(
    company: Company, refund: ToolVersion
) -> None:
    bob = sign_in(company.cast.bob)
    there = reverse("admin:runs_try", args=[refund.tool_id])
    assert there in bob.get(page_of("tools_tool", "change", refund.tool_id)).content.decode()
    empty = Tool.objects.create(team=company.cast.team, name="empty")
    assert "there is nothing to try" in text_of(bob.get(reverse("admin:runs_try", args=[empty.pk])))


def test_what_shows_it_beforehand_is_named(company: Company, refund: ToolVersion) -> None:
    preview = ToolVersionFactory.create(
        tool__team=company.cast.team, tool__name="preview_refund", effect="read"
    )
    ToolVersionFactory.create(tool__team=company.cast.other_team, tool__name="quote_refund", effect="read")
    page = sign_in(company.cast.bob).get(reverse("admin:runs_try", args=[refund.tool_id]))
    assert "preview_refund shows beforehand" in text_of(page)
    assert str(preview.tool_id) in page.content.decode()
    assert "quote_refund" not in text_of(page)


def test_trying_takes_no_more_queries_for_more_agents(company: Company, refund: ToolVersion) -> None:
    assert count_queries(sign_in(company.cast.bob), reverse("admin:runs_try", args=[refund.tool_id])) < 30


def test_showing_has_no_hands() -> None:
    """Nothing in the modules that write requests out can send one."""
    for module in (showing, trying, try_it):
        for sender in (
            "http.wire",
            "outgoing",
            "execution",
            "get_adapter",
            "with_credential",
            "urllib.request",
        ):
            assert sender not in inspect.getsource(module), (module.__name__, sender)
