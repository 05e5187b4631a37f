"""Results that are too long to be shown whole: stored once, shown as an excerpt, read on in by their own run alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from agentops.ledger.store import erase_contents
from runs import evidence, results
from runs.models import Run
from runs.prompts import read_prompt
from runs.results import PAGE, Wish, read_wish, show_page, show_places
from runs.window import OBSERVATION_LIMIT, text_of_value
from tests.api.caller import caller_of
from tests.console.visits import page_of, sign_in, text_of
from tests.rewriting import rewrite_text
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.deeds import WORLD, Result
from tests.runs.test_plans import EVE, SEND

ROWS = [{"order": f"A-{number}", "note": "n" * 180} for number in range(10_000)]
ROWS[9_876]["note"] = "the Needle"
TWO_MEGABYTES = {"rows": ROWS}


class _Rows(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps(TWO_MEGABYTES).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def shop_url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Rows)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/rows"
    server.shutdown()
    thread.join()
    server.server_close()


def _answer(found: Result, _: object) -> Result:
    return found


def answers_at_length(*texts: str) -> None:
    """Have the next reads answer with long texts that begin and end with these words."""
    for text in texts:
        found: Result = {"text": f"{text} {'x' * 40_000} {text} end"}
        WORLD.mishaps.append(partial(_answer, found))


def reads_on(**arguments: Any) -> Any:
    return proposes(("read_result", arguments))


def told(company: Company, run: Run) -> list[Any]:
    """Return what the model was shown last of each result."""
    assert run.state == "completed"
    return company.observations()


# --- one long result ----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.context
def test_two_megabytes_are_stored_once_and_read_on_in(company: Company, shop_url: str) -> None:
    config = {"method": "GET", "url": shop_url, "allow_private": True, "response_limit_bytes": 4 << 20}
    company.add_tool("look_up", effect="read", adapter="http", config=config)
    whole = text_of_value(TWO_MEGABYTES)
    run = company.run(
        proposes(("look_up", ORDER)),
        reads_on(result="call_1_1", offset=OBSERVATION_LIMIT),
        reads_on(result="call_1_1", find="needle"),
        says("Done."),
    )
    assert len(whole) > 2_000_000
    excerpt, page, places = told(company, run)
    assert excerpt.startswith(whole[:OBSERVATION_LIMIT])
    assert f"{len(whole) - OBSERVATION_LIMIT} more characters" in excerpt
    assert page.endswith(whole[OBSERVATION_LIMIT : OBSERVATION_LIMIT + PAGE])
    assert places.startswith(f"[1 places of {len(whole)}")
    assert '"note":"the Needle"' in places
    kept = sum(len(json.dumps(entry.content)) for entry in company.entries(run))
    assert kept < len(json.dumps(TWO_MEGABYTES)) + 4 * OBSERVATION_LIMIT
    assert all(len(json.dumps(body)) < 5 * OBSERVATION_LIMIT for body in company.asked())


def test_people_and_applications_see_what_was_read_on(company: Company) -> None:
    company.add_reads()
    answers_at_length("needle")
    run = company.run(proposes(("look_up", ORDER)), reads_on(result="call_1_1", find="needle"), says("Done."))
    (facts,) = company.facts(run, "result.read")
    assert (facts["step"], facts["length"], facts["label"], facts["sensitive"]) == (
        2, len(text_of_value({"text": f"needle {'x' * 40_000} needle end"})), "untrusted", False,
    )  # fmt: skip
    caller = caller_of(company.cast, company.cast.application.service_account)
    trace = caller.get(f"/runs/{run.pk}/trace").body["data"]
    assert [item["lane"] for item in trace if item["kind"] == "result.read"] == ["executed"]
    page = text_of(sign_in(company.cast.bob).get(page_of("runs_run", "change", run.pk)))
    assert "Reads on in the result of entry" in page


def test_it_is_offered_once_a_result_was_too_long_and_not_before(company: Company) -> None:
    company.add_reads()
    answers_at_length("needle")
    run = company.run(proposes(("look_up", ORDER)), says("Done."))
    offered = [[tool["function"]["name"] for tool in body["tools"]] for body in company.asked()]
    assert ["read_result" in names for names in offered] == [False, True]
    assert [list(read_prompt(run, step).tools) for step in (1, 2)] == offered


def test_without_a_long_result_there_is_nothing_to_read_on_in(company: Company) -> None:
    company.add_reads()
    company.run(proposes(("look_up", ORDER)), reads_on(result="call_1_1"), says("Done."))
    assert company.observations()[1]["error"] == "not_allow_listed"


def test_a_tool_of_that_name_which_a_team_had_before_stays_theirs(company: Company) -> None:
    company.add_reads()
    company.add_tool("read_result", function="look_up", effect="read")
    answers_at_length("needle")
    run = company.run(
        proposes(("look_up", ORDER)), proposes(("read_result", {"order_id": "A-2"})), says("Done.")
    )
    assert told(company, run)[1] == {"order": "A-2", "status": "delivered"}


def test_a_run_of_an_engine_that_knew_no_reading_on_goes_by_its_rules() -> None:
    long = "x" * (OBSERVATION_LIMIT + 1)
    assert evidence.size_of(long, 10) == {"size": OBSERVATION_LIMIT}
    assert evidence.size_of(long, 11) == {"size": OBSERVATION_LIMIT, "length": OBSERVATION_LIMIT + 1}


def test_what_was_erased_cannot_be_read_on_in(company: Company) -> None:
    company.add_reads()
    version = company.add_tool("refund", grant="REQUIRE_APPROVAL")
    company.let_decide(version.tool)
    answers_at_length("needle")
    turns = (proposes(("look_up", ORDER)), proposes(("refund", ORDER)), reads_on(result="call_1_1"))
    run = company.run(*turns, says("Done."))
    company.decide()
    with connection.cursor() as cursor:
        erase_contents(cursor, run.pk)
    company.drive(run)
    assert company.states(run)[-1] == ("refused", "unknown_result")


# --- whose it is --------------------------------------------------------------------------------------------------


def read_a_strangers(company: Company) -> list[Any]:
    """Let one run read something long in its second step, and another of the same agent ask for that."""
    company.add_reads()
    answers_at_length("mine", "theirs", "my own")
    company.run(
        proposes(("look_up", ORDER)),
        proposes(("look_up", {"order_id": "A-2"})),
        says("Done."),
        message="First.",
    )
    second = (proposes(("look_up", ORDER)), reads_on(result="call_2_1"), reads_on(result="call_1_1"))
    return told(company, company.run(*second, says("Done."), message="Second."))


def test_a_run_reads_on_in_its_own_results_alone(company: Company) -> None:
    _, another, own = read_a_strangers(company)
    assert another["error"] == "unknown_result"
    assert "my own" in own
    assert "theirs" not in own


def test_without_the_guard_it_reads_a_strangers(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant."""
    company.is_mutant = True
    rewrite_text(monkeypatch, results, "_STORED", "c.run_id = %(run)s AND ", "")
    assert "theirs" in str(read_a_strangers(company)[1])


def test_what_is_read_on_stays_a_strangers(company: Company) -> None:
    """An address that stands beyond the excerpt is no more the user's than one within it."""
    version = company.add_tool("send_email", **SEND)
    company.let_decide(version.tool)
    company.add_reads()
    answers_at_length(EVE)
    run = company.run(
        proposes(("look_up", ORDER)),
        reads_on(result="call_1_1", find=EVE),
        proposes(("send_email", {"to": EVE, "text": "hello"})),
        says("Done."),
    )
    assert (run.state, WORLD.effects) == ("requires_action", [])
    (facts,) = company.facts(run, "call.gated")
    assert "from_untrusted" in [reason["code"] for reason in facts["reasons"]]


# --- what is asked for, and what is shown -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        None, {}, [], "call_1_1", {"result": "1"}, {"result": "call_0_1"}, {"result": "call_1_1\n"}, {"result": 7},
        {"result": "call_1_1", "offset": -1}, {"result": "call_1_1", "offset": True},
        {"result": "call_1_1", "offset": 1.5}, {"result": "call_1_1", "find": " "},
        {"result": "call_1_1", "find": "x" * 201}, {"result": "call_1_1", "find": 3},
        {"result": "call_1_1", "run": "another"}, {"result": "call_9999999999_1"},
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_refused(arguments: Any) -> None:
    assert read_wish(arguments) is None


def test_what_can_be_told_is_read() -> None:
    assert read_wish({"result": "call_3_2", "offset": 5}) == Wish(3, 2, 5)
    assert read_wish({"result": "call_3_2", "find": "a b"}) == Wish(3, 2, 0, "a b")


@settings(max_examples=20)
@given(st.text(max_size=10).map(lambda text: text * (PAGE // 4)))
def test_the_pages_together_are_the_whole(text: str) -> None:
    pages = [show_page(text, offset).split("\n", 1)[1] for offset in range(0, len(text) + 1, PAGE)]
    assert "".join(pages) == text
    assert all(len(show_page(text, offset)) <= OBSERVATION_LIMIT for offset in range(0, len(text) + 1, PAGE))


def test_beyond_its_end_a_result_has_nothing() -> None:
    assert show_page("short", 99) == "[characters 5 to 5 of 5; this is its end]\n"


def test_only_the_first_places_are_shown_and_all_are_counted() -> None:
    shown = show_places("An (x+)+ a" + " needle" * 50, "NEEDLE")
    assert shown.startswith("[50 places of 360 characters hold it; the first 20 are shown]")
    assert len(shown.splitlines()) == 21
    assert show_places("An (x+)+ a", "(x+)+").startswith("[1 places")
    assert show_places("An", "b") == "[0 places of 2 characters hold it]"
