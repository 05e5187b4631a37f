"""The scripted planner as the real `openai` client sees it."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx2
import openai
import pytest

from agentops.demo.planner.app import build_app
from agentops.demo.planner.script import SHIPPED, load_scripts
from tests.demo.servers import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from openai.types.chat import ChatCompletion

JsonObject = dict[str, Any]  # Any: JSON values
NUMBERS = itertools.count(1)
TRACE = "00-{:032x}-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with running(build_app(load_scripts(SHIPPED))) as address:
        yield address


@pytest.fixture(scope="module")
def http(address: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=address) as client:
        yield client


@pytest.fixture(scope="module")
def client(address: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0, timeout=20) as client:
        yield client


@pytest.fixture
def marker(request: pytest.FixtureRequest) -> str:
    """The text by which this test's own script is chosen."""
    return f"<{request.node.name}>"


class Play:
    """Puts one script and asks for the turns of its conversation."""

    def __init__(self, client: openai.OpenAI, http: httpx2.Client, marker: str) -> None:
        self.client = client
        self.http = http
        self.marker = marker
        self.name = f"test-{next(NUMBERS)}"

    def put(self, *turns: object) -> None:
        document = {"match": {"contains": self.marker}, "turns": list(turns)}
        answer = self.http.put(f"/scripts/{self.name}", json=document)
        assert answer.status_code == 200, answer.text

    def ask(self, *after: JsonObject, **options: Any) -> ChatCompletion:  # Any: the client's many parameters
        messages: Any = [
            {"role": "system", "content": "help"},
            {"role": "user", "content": self.marker},
            *after,
        ]
        answer: ChatCompletion = self.client.chat.completions.create(
            model=options.pop("model", "scripted"), messages=messages, **options
        )
        return answer


@pytest.fixture
def play(client: openai.OpenAI, http: httpx2.Client, marker: str) -> Play:
    return Play(client, http, marker)


def called(*results: str, call_id: str = "call_1") -> list[JsonObject]:
    """An assistant message with one call per result, and the results."""
    calls = [
        {"id": f"{call_id}_{number}", "type": "function", "function": {"name": "tool", "arguments": "{}"}}
        for number in range(len(results))
    ]
    answers = [
        {"role": "tool", "tool_call_id": f"{call_id}_{number}", "content": result}
        for number, result in enumerate(results)
    ]
    return [{"role": "assistant", "content": None, "tool_calls": calls}, *answers]


# A plain turn


def test_text_thought_and_usage_arrive(play: Play) -> None:
    usage = {"prompt_tokens": 120, "completion_tokens": 30, "cached": 100, "reasoning": 20}
    play.put({"content": "Good day.", "thought": "Be polite.", "usage": usage})
    answer = play.ask()
    message = answer.choices[0].message
    assert (message.content, answer.choices[0].finish_reason) == ("Good day.", "stop")
    assert message.model_dump()["reasoning_content"] == "Be polite."
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (
        120,
        30,
        150,
    )
    assert answer.usage.prompt_tokens_details is not None
    assert answer.usage.prompt_tokens_details.cached_tokens == 100
    assert answer.usage.completion_tokens_details is not None
    assert answer.usage.completion_tokens_details.reasoning_tokens == 20
    assert answer.model == "scripted"


def test_usage_is_estimated_from_the_length_of_the_texts(play: Play) -> None:
    play.put({"content": "x" * 400, "thought": "y" * 40})
    short, long = play.ask(), play.ask({"role": "user", "content": "z" * 4000})
    assert short.usage is not None
    assert long.usage is not None
    assert short.usage.completion_tokens == 110
    assert short.usage.completion_tokens_details is not None
    assert short.usage.completion_tokens_details.reasoning_tokens == 10
    assert long.usage.prompt_tokens - short.usage.prompt_tokens >= 1000


def test_parts_never_exceed_their_whole(play: Play) -> None:
    play.put(
        {"content": "x", "usage": {"prompt_tokens": 5, "cached": 9, "completion_tokens": 3, "reasoning": 8}}
    )
    usage = play.ask().usage
    assert usage is not None
    assert usage.prompt_tokens_details is not None
    assert usage.prompt_tokens_details.cached_tokens == 5
    assert usage.completion_tokens_details is not None
    assert usage.completion_tokens_details.reasoning_tokens == 3


def test_parallel_tool_calls_arrive_as_written(play: Play) -> None:
    calls = [
        {"name": "get_order", "arguments": {"order_id": "A-1042"}},
        {"name": "nonsense", "arguments": '{"order_id": "A-10'},
    ]
    play.put({"tool_calls": calls})
    choice = play.ask().choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls is not None
    received = [each.model_dump()["function"] for each in choice.message.tool_calls]
    assert json.loads(received[0]["arguments"]) == {"order_id": "A-1042"}
    assert received[1] == {"name": "nonsense", "arguments": '{"order_id": "A-10'}
    assert len({each.id for each in choice.message.tool_calls}) == 2


def test_refusal_and_finish_reason_are_the_scripts(play: Play) -> None:
    play.put({"refusal": "I will not.", "finish_reason": "content_filter"})
    choice = play.ask().choices[0]
    assert (choice.message.refusal, choice.message.content) == ("I will not.", None)
    assert choice.finish_reason == "content_filter"


# Which turn


def test_the_turn_follows_from_the_assistant_messages(play: Play) -> None:
    play.put({"content": "first"}, {"content": "second"})
    assert play.ask().choices[0].message.content == "first"
    said = {"role": "assistant", "content": "first"}
    assert play.ask(said, {"role": "user", "content": "and?"}).choices[0].message.content == "second"
    past_the_end = play.ask(said, said).choices[0]
    assert (past_the_end.message.content, past_the_end.finish_reason) == (
        "There is nothing left for me to do here.",
        "stop",
    )


def test_a_repeated_request_gets_the_same_answer_and_another_one_other_ids(play: Play) -> None:
    play.put({"tool_calls": [{"name": "t", "arguments": {}}]})
    first, again = play.ask(), play.ask()
    assert first == again
    other = play.ask({"role": "user", "content": "more"})
    assert other.id != first.id
    assert other.choices[0].message.tool_calls is not None
    assert first.choices[0].message.tool_calls is not None
    assert other.choices[0].message.tool_calls[0].id != first.choices[0].message.tool_calls[0].id


def test_an_unknown_conversation_gets_a_polite_answer(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Sing!"}])
    assert answer.choices[0].message.content == "I am sorry, I do not know how to help with this request."
    assert answer.choices[0].finish_reason == "stop"


def test_a_conversation_without_a_user_gets_an_answer_too(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="m", messages=[{"role": "system", "content": "A-1042"}])
    assert answer.choices[0].message.content == "I am sorry, I do not know how to help with this request."


def test_scripts_match_by_regex_and_by_model_too(client: openai.OpenAI, http: httpx2.Client) -> None:
    def ask(model: str, text: Any) -> str | None:  # Any: a string or content parts
        messages: Any = [{"role": "user", "content": text}]
        return client.chat.completions.create(model=model, messages=messages).choices[0].message.content

    by_regex = {"match": {"regex": r"order Z-\d{4}$"}, "turns": [{"content": "by regex"}]}
    by_model = {"match": {"model": "model-of-this-test"}, "turns": [{"content": "by model"}]}
    assert http.put("/scripts/by-regex", json=by_regex).status_code == 200
    assert http.put("/scripts/by-model", json=by_model).status_code == 200
    assert ask("any", "Where is order Z-1234") == "by regex"
    assert ask("any", [{"type": "text", "text": "order "}, {"type": "text", "text": "Z-1234"}]) == "by regex"
    assert ask("any", "Where is order Z-12345") != "by regex"
    assert ask("model-of-this-test", "anything") == "by model"
    assert {"scripted", "model-of-this-test"} <= {model.id for model in client.models.list()}


DENIED = '{"code": "denied_by_human", "detail": "not today"}'


@pytest.mark.parametrize(
    ("results", "content"),
    [
        ((DENIED,), "denied"),
        (('{"ok": true}', DENIED), "denied"),
        (('{"error": "no such tool"}',), "failed"),
        (('{"status": "failed"}',), "failed"),
        (('{"is_error": true}',), "failed"),
        (("Error: not found",), "failed"),
        (('{"order": {"status": "cancelled"}, "error": null}',), "done"),
        (('["error"]',), "done"),
        (("all is well",), "done"),
    ],
)
def test_alternatives_depend_on_the_last_results(play: Play, results: tuple[str, ...], content: str) -> None:
    play.put(
        {"tool_calls": [{"name": "t", "arguments": {}}]},
        [
            {"when": {"last_tool_contains": "denied_by_human"}, "content": "denied"},
            {"when": {"last_tool_error": True}, "content": "failed"},
            {"content": "done"},
        ],
    )
    assert play.ask(*called(*results)).choices[0].message.content == content


def test_only_the_last_turns_results_count(play: Play) -> None:
    play.put(
        {"content": "1"},
        {"content": "2"},
        [{"when": {"last_tool_error": True}, "content": "bad"}, {"content": "good"}],
    )
    answer = play.ask(*called("Error: x"), *called("fine", call_id="call_2"))
    assert answer.choices[0].message.content == "good"


def test_the_first_script_by_name_is_played(client: openai.OpenAI, http: httpx2.Client) -> None:
    for name in ("order-b", "order-a", "order-c"):
        document = {"match": {"contains": "first by name"}, "turns": [{"content": name}]}
        assert http.put(f"/scripts/{name}", json=document).status_code == 200
    answer = client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "the first by name"}]
    )
    assert answer.choices[0].message.content == "order-a"


# Expressions


def test_expressions_look_up_earlier_results(play: Play) -> None:
    play.put(
        {"content": "1"},
        {
            "content": "{{ result.1.order.id }} costs {{result.last.lines.1.price}}, {{ result.1.order }}",
            "thought": "{{ result.2.lines.0.price }}",
            "tool_calls": [
                {
                    "name": "t",
                    "arguments": {"n": "{{ result.2.lines.0.price }}", "all": ["{{ result.1 }}", "{ {"]},
                },
                {"name": "raw", "arguments": "{{ result.1.order.id }}"},
            ],
        },
    )
    order = {"order": {"id": "A-1042"}}
    message = (
        play.ask(*called(json.dumps(order), '{"lines": [{"price": 5}, {"price": "7.00"}]}'))
        .choices[0]
        .message
    )
    assert message.content == 'A-1042 costs 7.00, {"id": "A-1042"}'
    assert message.model_dump()["reasoning_content"] == "5"
    assert message.tool_calls is not None
    calls = [each.model_dump()["function"]["arguments"] for each in message.tool_calls]
    assert json.loads(calls[0]) == {"n": 5, "all": [order, "{ {"]}
    assert calls[1] == "{{ result.1.order.id }}"


@pytest.mark.parametrize(
    "expression",
    [
        "{{ result.2.id }}",
        "{{ result.1.name }}",
        "{{ result.1.list.3 }}",
        "{{ result.1.list.x }}",
        "{{ result.1.id.x }}",
    ],
)
def test_a_path_that_leads_nowhere_is_a_clear_error(play: Play, expression: str) -> None:
    play.put({"content": "1"}, {"content": f"see {expression}"})
    with pytest.raises(openai.BadRequestError, match="result") as error:
        play.ask(*called('{"id": 1, "list": [1]}'))
    assert error.value.code == "script_error"


def test_a_result_that_is_no_json_can_be_quoted_whole(play: Play) -> None:
    play.put({"content": "1"}, {"content": "It said: {{ result.last }}"})
    answer = play.ask(*called("Error: gone"))
    assert answer.choices[0].message.content == "It said: Error: gone"


# The completion limit


@pytest.mark.parametrize("parameter", ["max_tokens", "max_completion_tokens"])
def test_a_limit_cuts_the_answer(play: Play, parameter: str) -> None:
    play.put({"content": "word " * 100, "tool_calls": [{"name": "t", "arguments": {"a": 1}}]})
    answer = play.ask(**{parameter: 10})
    choice = answer.choices[0]
    assert choice.finish_reason == "length"
    assert choice.message.content == "word " * 8
    assert choice.message.tool_calls is None
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 10


def test_a_limit_may_cut_arguments_in_the_middle(play: Play) -> None:
    play.put(
        {"tool_calls": [{"name": "t", "arguments": {"text": "x" * 100}}, {"name": "u", "arguments": {}}]}
    )
    choice = play.ask(max_completion_tokens=5).choices[0]
    assert choice.finish_reason == "length"
    assert choice.message.tool_calls is not None
    (call,) = choice.message.tool_calls
    arguments = call.model_dump()["function"]["arguments"]
    assert arguments.startswith('{"text": "xx')
    assert len(arguments) <= 20
    with pytest.raises(json.JSONDecodeError):
        json.loads(arguments)


def test_a_limit_below_the_stated_usage_cuts_in_proportion(play: Play) -> None:
    play.put({"content": "x" * 100, "usage": {"completion_tokens": 1000, "reasoning": 600}})
    answer = play.ask(max_completion_tokens=500)
    assert answer.choices[0].message.content == "x" * 50
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 500
    assert answer.usage.completion_tokens_details is not None
    assert answer.usage.completion_tokens_details.reasoning_tokens == 500


def test_a_limit_that_suffices_changes_nothing(play: Play) -> None:
    play.put({"content": "x" * 40})
    answer = play.ask(max_completion_tokens=10)
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("x" * 40, "stop")


def test_without_tools_a_turn_is_text(play: Play) -> None:
    play.put(
        {"tool_calls": [{"name": "t", "arguments": {}}]},
        {"content": "so far", "tool_calls": [{"name": "t", "arguments": {}}]},
    )
    assert play.ask(tool_choice="none").choices[0].message.tool_calls is None
    choice = play.ask({"role": "assistant", "content": "x"}, tool_choice="none").choices[0]
    assert (choice.message.content, choice.message.tool_calls, choice.finish_reason) == (
        "so far",
        None,
        "stop",
    )


# Faults


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
        (401, openai.AuthenticationError),
    ],
)
def test_a_status_comes_as_the_api_words_it(
    play: Play, status: int, error: type[openai.APIStatusError]
) -> None:
    play.put({"status": status, "retry_after": 1.5})
    with pytest.raises(error) as raised:
        play.ask()
    assert raised.value.status_code == status
    assert raised.value.response.headers["retry-after"] == "1.5"
    assert raised.value.code == "scripted_fault"


def test_a_fault_with_times_gives_way_to_the_turn(play: Play) -> None:
    play.put({"status": 429, "times": 2, "content": "at last"})
    for _ in range(2):
        with pytest.raises(openai.RateLimitError):
            play.ask()
    assert play.ask().choices[0].message.content == "at last"
    assert play.ask().choices[0].message.content == "at last"


def test_faults_are_counted_per_conversation_and_trace(play: Play) -> None:
    play.put({"status": 500, "times": 1, "content": "fine"})
    for trace in (1, 2):
        headers = {"traceparent": TRACE.format(trace)}
        with pytest.raises(openai.InternalServerError):
            play.ask(extra_headers=headers)
        assert play.ask(extra_headers=headers).choices[0].message.content == "fine"
    with pytest.raises(openai.InternalServerError):
        play.ask({"role": "user", "content": "another conversation"})


def test_a_fault_without_times_stays(play: Play) -> None:
    play.put({"status": 503, "content": "never"})
    for _ in range(3):
        with pytest.raises(openai.InternalServerError):
            play.ask()


def test_a_dropped_connection_loses_the_reply(play: Play) -> None:
    play.put({"drop": True, "times": 1, "content": "here"})
    with pytest.raises(openai.APIConnectionError):
        play.ask()
    assert play.ask().choices[0].message.content == "here"


def test_a_hang_lasts_until_the_client_gives_up(play: Play) -> None:
    play.put({"hang": True, "times": 1, "content": "awake"})
    with pytest.raises(openai.APITimeoutError):
        play.ask(timeout=0.3)
    assert play.ask().choices[0].message.content == "awake"


@pytest.mark.parametrize(("kind", "media_type"), [("json", "application/json"), ("html", "text/html")])
def test_garbage_is_no_json_whatever_it_is_said_to_be(
    play: Play, http: httpx2.Client, kind: str, media_type: str
) -> None:
    play.put({"garbage": kind})
    body = {"model": "m", "messages": [{"role": "user", "content": play.marker}]}
    answer = http.post("/v1/chat/completions", json=body)
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, media_type)
    with pytest.raises(ValueError, match="Expecting value"):
        answer.json()


def test_an_empty_answer_has_neither_text_nor_calls(play: Play) -> None:
    play.put({"empty": True, "times": 1, "tool_calls": [{"name": "t", "arguments": {}}]})
    choice = play.ask().choices[0]
    assert (choice.message.content, choice.message.tool_calls, choice.finish_reason) == ("", None, "stop")
    assert play.ask().choices[0].message.tool_calls is not None


def test_a_delay_holds_the_answer_back(play: Play) -> None:
    play.put({"content": "slow", "delay_s": 30})
    with pytest.raises(openai.APITimeoutError):
        play.ask(timeout=0.3)


# Bad requests


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": True}, "stream"),
        ({"messages": [{"role": "user", "content": "x"}]}, "model"),
        ({"model": "m"}, "messages"),
        ({"model": "m", "messages": []}, "messages"),
        ({"model": "m", "messages": ["x"]}, "messages"),
        ({"model": "m", "messages": [{"content": "x"}]}, "messages"),
        ({"model": "m", "messages": [{"role": "user"}], "max_tokens": 0}, "max_tokens"),
        (
            {"model": "m", "messages": [{"role": "user"}], "max_completion_tokens": "9"},
            "max_completion_tokens",
        ),
        (["not an object"], "body"),
    ],
)
def test_a_request_that_the_api_would_refuse_is_400(http: httpx2.Client, body: object, param: str) -> None:
    answer = http.post("/v1/chat/completions", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.json()["error"]["param"] == param


def test_a_streaming_client_is_told_why(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="does not stream"):
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}], stream=True)


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 60_000, b"\xff"])
def test_a_request_that_is_no_json_is_400(http: httpx2.Client, body: bytes) -> None:
    answer = http.post("/v1/chat/completions", content=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_json")


# Scripts


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ({}, "required"),
        ({"match": {"contains": "x"}, "turns": []}, "turns"),
        ({"match": {}, "turns": [{"content": "x"}]}, "match"),
        ({"match": {"contains": "x", "model": "m"}, "turns": [{"content": "x"}]}, "match"),
        ({"match": {"regex": "("}, "turns": [{"content": "x"}]}, "regex"),
        ({"match": {"contains": "x"}, "turns": [{}]}, "turns.0"),
        ({"match": {"contains": "x"}, "turns": [{"contents": "x"}]}, "contents"),
        ({"match": {"contains": "x"}, "turns": [{"status": 200}]}, "status"),
        ({"match": {"contains": "x"}, "turns": [{"status": 500, "drop": True}]}, "one fault"),
        ({"match": {"contains": "x"}, "turns": [{"content": "x", "times": 1}]}, "times"),
        ({"match": {"contains": "x"}, "turns": [{"content": "x", "retry_after": 1}]}, "status"),
        ({"match": {"contains": "x"}, "turns": [{"content": "{{ order.id }}"}]}, "order.id"),
        ({"match": {"contains": "x"}, "turns": [{"tool_calls": [{"name": "t"}]}]}, "arguments"),
        (
            {"match": {"contains": "x"}, "turns": [{"when": {"last_tool_error": True}, "content": "x"}]},
            "when",
        ),
        ({"match": {"contains": "x"}, "turns": [[{"content": "x"}, {"content": "y"}]]}, "when"),
        ([], "object"),
    ],
)
def test_a_script_that_cannot_be_played_is_refused(
    http: httpx2.Client, document: object, complaint: str
) -> None:
    answer = http.put("/scripts/bad", json=document)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_script")
    assert complaint in answer.json()["detail"]


@pytest.mark.parametrize("name", ["-x", "a b", "x" * 101])
def test_a_script_needs_a_plain_name(http: httpx2.Client, name: str) -> None:
    document = {"match": {"contains": "x"}, "turns": [{"content": "x"}]}
    answer = http.put(f"/scripts/{name}", json=document)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_script")


def test_a_script_body_must_be_json(http: httpx2.Client) -> None:
    assert http.put("/scripts/bad", content=b"match: {}").status_code == 400


def test_a_script_put_again_is_replaced(play: Play) -> None:
    play.put({"content": "old"})
    play.put({"content": "new"})
    assert play.ask().choices[0].message.content == "new"


def test_requests_are_listed_with_their_trace(play: Play, http: httpx2.Client) -> None:
    play.put({"content": "1"}, {"status": 500})
    trace = TRACE.format(7)
    play.ask(extra_headers={"traceparent": trace}, max_completion_tokens=99)
    with pytest.raises(openai.InternalServerError):
        play.ask({"role": "assistant", "content": "1"})
    first, second = http.get("/requests").json()["requests"][-2:]
    assert (first["turn"], first["traceparent"], first["limit"], first["fault"]) == (0, trace, 99, None)
    assert (second["turn"], second["traceparent"], second["fault"]) == (1, None, "status")
    assert first["script"] == second["script"]


def run_planner(folder: Path) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "agentops.demo.planner", "--scripts", str(folder)]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("match: {contains: x}", "turns"), ("match: [", "story.yaml"), ("- 1\n", "object")],
)
def test_a_bad_script_file_stops_the_start(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "story.yaml").write_text(text)
    ended = run_planner(tmp_path)
    assert ended.returncode == 1
    assert "story" in ended.stderr
    assert complaint in ended.stderr


def test_two_files_of_one_name_and_a_missing_folder_stop_the_start(tmp_path: Path) -> None:
    for suffix in ("yaml", "json"):
        (tmp_path / f"story.{suffix}").write_text('{"match": {"contains": "x"}, "turns": [{"content": "x"}]}')
    assert "another script named story" in run_planner(tmp_path).stderr
    assert "is not a folder" in run_planner(tmp_path / "none").stderr


def test_the_planner_serves_a_folder_as_a_process(tmp_path: Path) -> None:
    (tmp_path / "story.json").write_text('{"match": {"contains": "tale"}, "turns": [{"content": "Once."}]}')
    (tmp_path / "notes.txt").write_text("not a script")
    argv = [sys.executable, "-m", "agentops.demo.planner", "--scripts", str(tmp_path)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().split()[-1]
        assert httpx2.get(f"{address}/healthz").json() == {"status": "ok"}
        with openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0) as client:
            answer = client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "a tale"}]
            )
        assert answer.choices[0].message.content == "Once."
    finally:
        process.kill()
        process.communicate()
