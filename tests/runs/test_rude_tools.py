"""Tools that answer with anything but what they promised, through the driver, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from pytest_django import Settings

from runs.models import Run
from runs.services import settle_outcome
from tests.api.caller import caller_of
from tests.console.visits import page_of, sign_in, text_of
from tests.runs.company import ORDER, Company, proposes, says
from tests.tools.rude_server import RudeServer, rude_server
from tools.adapters.http import HttpAdapter
from tools.models import EffectRecord
from tools.outcomes import Outcome

pytestmark = [pytest.mark.rude, pytest.mark.slow]

MOST_ATTEMPTS = 2
OUTPUT = {"type": "object", "properties": {"fine": {"type": "boolean"}}, "required": ["fine"]}
FAR_TOO_LONG_S = 20.0


@dataclass(frozen=True)
class Rudeness:
    """What a tool does, and what it means: whether an effect is in doubt, and whether asking again may help."""

    path: str
    code: str
    in_doubt: bool = True
    may_pass: bool = True
    timeout_s: float = FAR_TOO_LONG_S

    def __str__(self) -> str:
        return self.path


RUDENESS = [
    Rudeness("garbage", "bad_output"),
    Rudeness("html", "bad_output"),
    Rudeness("unpromised", "bad_output", may_pass=False),
    Rudeness("big", "bad_output", may_pass=False),
    Rudeness("empty", "bad_output"),
    Rudeness("status/204", "bad_output", may_pass=False),  # null is not what was promised
    Rudeness("drop", "connection_lost"),
    Rudeness("truncated", "connection_lost"),
    Rudeness("garbled", "connection_lost"),
    Rudeness("slow", "timeout", timeout_s=0.2),
    Rudeness("drip-body", "timeout", timeout_s=0.2),
    Rudeness("gzip", "bad_output"),
    Rudeness("redirect/302", "http_302", may_pass=False),
    Rudeness("redirect/307", "redirected", in_doubt=False, may_pass=False),
    Rudeness("status/500", "http_500"),
    Rudeness("status/429?retry-after=0", "http_429", in_doubt=False),
    Rudeness("status/422", "http_422", in_doubt=False, may_pass=False),
    Rudeness("hostile-problem", "http_400", in_doubt=False, may_pass=False),
    Rudeness("deep-problem", "http_500"),
    Rudeness("deep", "bad_output"),
    Rudeness("nested", "bad_output", may_pass=False),
    Rudeness("nan", "bad_output"),
    Rudeness("infinity", "bad_output"),
    Rudeness("huge-number", "bad_output", may_pass=False),
    Rudeness("huge-integer", "bad_output", may_pass=False),
    Rudeness("twice", "bad_output", may_pass=False),
    Rudeness("surrogate", "bad_output", may_pass=False),
    Rudeness("nul", "bad_output", may_pass=False),
    Rudeness("latin-1", "bad_output"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[RudeServer]:
    with rude_server() as running:
        yield running


@pytest.fixture(autouse=True)
def _nothing_seen(server: RudeServer) -> None:
    server.seen.clear()


def add_tool(company: Company, server: RudeServer, path: str, **changes: Any) -> None:
    fields: dict[str, Any] = {
        "adapter": "http",
        "config": {"method": "POST", "url": f"{server.url}/{path}", "allow_private": True},
        "output_schema": OUTPUT,
        "max_attempts": MOST_ATTEMPTS,
        **changes,
    }
    company.add_tool("refund", **fields)


def check_it_is_shown(company: Company, run: Run, code: str) -> None:
    """The trace, the steps, the events and the console's page tell of the call, and none of them breaks."""
    caller = caller_of(company.cast, company.cast.application.service_account)
    shown = {part: caller.get(f"/runs/{run.pk}{part}") for part in ("", "/steps", "/trace", "/events")}
    assert {part: answer.status for part, answer in shown.items()} == dict.fromkeys(shown, 200)
    (call,) = shown["/steps"].body["data"][0]["calls"]
    assert call["code"] == code
    page = sign_in(company.cast.bob).get(page_of("runs_run", "change", run.pk))
    assert page.status_code == 200
    assert "refund" in text_of(page)


def check_it_failed(company: Company, run: Run, code: str) -> None:
    """The model is told the code, and the run ends by its word."""
    assert (run.state, company.states(run)) == ("completed", [("failed", code)])
    (told,) = company.observations()
    assert (told["error"], bool(told["detail"])) == (code, True)
    assert company.content(run, "call.failed")["detail"] == told["detail"]


def check_it_is_parked(company: Company, server: RudeServer, run: Run, code: str) -> None:
    """A person says what happened; the tool is never asked again, and the run ends."""
    assert (run.state, company.states(run)) == ("requires_action", [("parked", code)])
    assert run.required_actions == [{"type": "outcome", "step": 1, "call": 1}]
    assert EffectRecord.objects.get().state == "unknown"
    assert company.content(run, "call.unknown")["detail"]
    made = len(server.seen)
    settle_outcome(actor=company.cast.alice, run=run, step=1, call=1, happened=True, note="I looked.")
    run = company.drive(run)
    assert (run.state, len(server.seen)) == ("completed", made)
    assert company.observations() == [{"settled_by": "a person", "outcome": "happened"}]


@pytest.mark.parametrize("rudeness", RUDENESS, ids=str)
def test_a_rude_answer_to_a_read_fails_it(company: Company, server: RudeServer, rudeness: Rudeness) -> None:
    add_tool(company, server, rudeness.path, effect="read", idempotency="none", timeout_s=rudeness.timeout_s)
    run = company.run(proposes(("refund", ORDER)), says("I cannot."))
    check_it_failed(company, run, rudeness.code)
    assert len(server.seen) == (MOST_ATTEMPTS if rudeness.may_pass else 1)
    check_it_is_shown(company, run, rudeness.code)


@pytest.mark.parametrize("rudeness", RUDENESS, ids=str)
def test_a_rude_answer_to_an_effect_under_an_honoured_key_is_asked_for_again(
    company: Company, server: RudeServer, rudeness: Rudeness
) -> None:
    add_tool(company, server, rudeness.path, idempotency="honours_key", timeout_s=rudeness.timeout_s)
    run = company.run(proposes(("refund", ORDER)), says("I cannot."))
    assert len(server.seen) == (MOST_ATTEMPTS if rudeness.may_pass else 1)
    assert {seen.headers["idempotency-key"] for seen in server.seen} == {f"{run.pk}:1:refund:1"}
    # How it is shown depends on the answer and on how the call ends: the tests beside this one look at both.
    if rudeness.in_doubt:
        check_it_is_parked(company, server, run, rudeness.code)
    else:
        check_it_failed(company, run, rudeness.code)


@pytest.mark.parametrize("rudeness", RUDENESS, ids=str)
def test_a_rude_answer_to_an_irreversible_effect_is_never_followed_by_a_second(
    company: Company, server: RudeServer, rudeness: Rudeness
) -> None:
    add_tool(
        company, server, rudeness.path, grant="REQUIRE_APPROVAL",
        effect="irreversible", idempotency="none", timeout_s=rudeness.timeout_s,
    )  # fmt: skip
    company.let_decide(company.versions[0].tool)
    run = company.run(proposes(("refund", ORDER)), says("I cannot."))
    assert server.seen == [], "a person decides first"
    company.decide()
    run = company.drive(run)
    check_it_is_shown(company, run, rudeness.code)
    if rudeness.in_doubt:
        assert len(server.seen) == 1
        check_it_is_parked(company, server, run, rudeness.code)
    else:
        assert len(server.seen) == (MOST_ATTEMPTS if rudeness.may_pass else 1)
        check_it_failed(company, run, rudeness.code)


@pytest.mark.parametrize(("path", "value"), [("ok", {"fine": True}), ("text-plain", {"fine": True})])
def test_json_under_another_name_is_json(
    company: Company, server: RudeServer, path: str, value: object
) -> None:
    add_tool(company, server, path)
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert (run.state, company.states(run)) == ("completed", [("succeeded", "ok")])
    assert company.observations() == [value]


def test_no_content_is_an_answer_of_a_tool_that_promised_none(company: Company, server: RudeServer) -> None:
    add_tool(company, server, "status/204", output_schema=None)
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert (company.states(run), company.observations()) == ([("succeeded", "ok")], [None])
    check_it_is_shown(company, run, "ok")


@pytest.mark.parametrize(("asked", "least_s", "most_s"), [("20", 20, 20), ("99999999", 300, 300)])
def test_a_tool_is_left_alone_for_as_long_as_it_asks_in_bounds(
    company: Company, server: RudeServer, asked: str, least_s: int, most_s: int
) -> None:
    add_tool(company, server, f"status/429?retry-after={asked}")
    run = company.run(proposes(("refund", ORDER)), says("I cannot."))
    assert (run.state, company.states(run)) == ("in_progress", [("retrying", "http_429")])
    assert len(server.seen) == 1
    (failed,) = company.facts(run, "attempt.failed")
    assert least_s * 1000 <= failed["delay_ms"] <= most_s * 1000
    check_it_is_shown(company, run, "http_429")


# --- tools that are asked what became of a key ------------------------------------------------------------


def add_doubtful_tool(company: Company, server: RudeServer, path: str) -> None:
    """Add a tool that loses every answer, and can be asked at a path."""
    read_back = {"method": "GET", "url": f"{server.url}/{path}/{{idempotency_key}}"}
    config = {"method": "POST", "url": f"{server.url}/drop", "allow_private": True, "read_back": read_back}
    add_tool(company, server, "", config=config, idempotency="read_back", output_schema=None)


RUDE_WORDS = [
    ("html", "bad_output"),
    ("garbage", "bad_output"),
    ("twice", "bad_output"),
    ("deep", "bad_output"),
    ("nul", "bad_output"),
    ("big", "bad_output"),
    ("empty", "bad_output"),
    ("not-found-page", "http_404"),
    ("status/500", "http_500"),
    ("redirect/302", "http_302"),
    ("drop", "connection_lost"),
]


@pytest.mark.parametrize(("path", "code"), RUDE_WORDS)
def test_a_rude_word_about_an_effect_proves_nothing(
    company: Company, server: RudeServer, path: str, code: str
) -> None:
    add_doubtful_tool(company, server, path)
    run = company.run(proposes(("refund", ORDER)), says("I cannot."))
    assert [seen.method for seen in server.seen] == ["POST"] + ["GET"] * MOST_ATTEMPTS
    check_it_is_shown(company, run, code)
    check_it_is_parked(company, server, run, code)


def test_an_adapter_that_raises_when_asked_proves_nothing(
    company: Company, server: RudeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overflow(*_: object, **__: object) -> Outcome:
        raise OverflowError

    monkeypatch.setattr(HttpAdapter, "read_back", overflow)
    add_doubtful_tool(company, server, "ok")
    run = company.run(proposes(("refund", ORDER)), says("I cannot."))
    check_it_is_parked(company, server, run, "tool_error")
    assert len(server.seen) == 1


# --- functions --------------------------------------------------------------------------------------------


def nested(depth: int) -> Any:  # Any: JSON
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


RESULTS = {
    "nan": float("nan"),
    "infinity": {"a": float("-inf")},
    "bytes": b"garbage",
    "object": object(),
    "too-large": "x" * 10_000_000,
    "surrogate": {"a": "\ud800"},
    "surrogate-name": {"\udfff": 1},
    "nul": ["\0"],
    "huge-integer": 2**60,
    "nested": nested(40),
    "bottomless": nested(50_000),
}


@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)
@pytest.mark.parametrize("effect", ["read", "reversible"])
def test_a_function_that_returns_no_json(company: Company, effect: str, result: Any) -> None:
    company.add_tool("refund", effect=effect, max_attempts=MOST_ATTEMPTS)
    company.world.mishaps.extend([lambda do: [do(), result][1]] * MOST_ATTEMPTS)
    run = company.run(proposes(("refund", ORDER)), says("I cannot."))
    assert company.world.attempts == ["refund"], "asking again would bring the same"
    check_it_is_shown(company, run, "bad_output")
    if effect == "read":
        check_it_failed(company, run, "bad_output")
    else:
        assert (run.state, company.states(run)) == ("requires_action", [("parked", "bad_output")])


# --- adapters that an installation brought along ----------------------------------------------------------


def add_strange_tool(company: Company, settings: Settings, adapter: str, **changes: Any) -> None:
    settings.TOOL_ADAPTERS = {"own": f"tests.tools.adapters.strangers.{adapter}"}
    company.add_tool("refund", adapter="own", config={}, max_attempts=MOST_ATTEMPTS, **changes)


@pytest.mark.parametrize("adapter", ["Eager", "Unbuilt"])
def test_an_adapter_that_cannot_be_called_or_built_sends_nothing(
    company: Company, settings: Settings, adapter: str
) -> None:
    add_strange_tool(company, settings, adapter, idempotency="none")
    run = company.run(proposes(("refund", ORDER)), says("I cannot."))
    check_it_failed(company, run, "bad_config")
    check_it_is_shown(company, run, "bad_config")


@pytest.mark.parametrize("idempotency", ["none", "read_back"])
def test_an_adapter_that_answers_nothing_leaves_the_call_in_doubt(
    company: Company, settings: Settings, idempotency: str
) -> None:
    add_strange_tool(company, settings, "Blank", idempotency=idempotency)
    run = company.run(proposes(("refund", ORDER)), says("I cannot."))
    assert (run.state, company.states(run)) == ("requires_action", [("parked", "tool_error")])
    check_it_is_shown(company, run, "tool_error")


def test_an_adapter_that_could_not_ask_what_became_of_a_key_proves_nothing(
    company: Company, settings: Settings
) -> None:
    add_strange_tool(company, settings, "Unsure", idempotency="read_back")
    run = company.run(proposes(("refund", ORDER)), says("I cannot."))
    assert (run.state, company.states(run)) == ("requires_action", [("parked", "unreachable")])
    assert company.calls(run)[0].attempts == 1, "a second attempt could be a second effect"


def test_a_code_that_is_none_brings_no_words_into_facts(company: Company, settings: Settings) -> None:
    add_strange_tool(company, settings, "Chatty")
    run = company.run(proposes(("refund", ORDER)), says("I cannot."))
    check_it_failed(company, run, "tool_error")
    assert "Ann Lee" in company.observations()[0]["detail"]
    assert "Ann Lee" not in str([entry.facts for entry in company.entries(run)])
