"""Arguments where an interface wants them: asked of a real server, which says what it has got."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.tools.adapters.http.calls import PATIENCE_S, call_to, described, verdict
from tests.tools.rude_server import RudeServer
from tools.adapters.http import HttpAdapter
from tools.adapters.http.config import find_faults

Node = Any  # Any: JSON


def place(where: str = "query", **more: Any) -> Node:
    return {"in": where, **more}


def ask(server: RudeServer, adapter: HttpAdapter, places: Node, arguments: Node, **config: Any) -> Node:
    """Return what the server saw of a call with arguments in these places."""
    method = config.pop("method", "GET")
    call = call_to(
        f"{server.url}/echo{config.pop('path', '')}",
        method=method,
        arguments=arguments,
        config={"arguments": places, **config},
    )
    return described(server, adapter, call)


@pytest.mark.parametrize(
    ("told", "value", "query"),
    [
        (place(), "a b&c=d", "x=a%20b%26c%3Dd"),
        (place(name="filter[state]"), True, "filter%5Bstate%5D=true"),
        (place(), ["a", "b,c"], "x=a&x=b%2Cc"),
        (place(explode=False), ["a", "b,c"], "x=a,b%2Cc"),
        (place(style="spaceDelimited", explode=False), ["a", "b"], "x=a%20b"),
        (place(style="pipeDelimited", explode=False), ["a", "b"], "x=a%7Cb"),
        (place(style="deepObject"), {"min": 1, "of": "b c"}, "x%5Bmin%5D=1&x%5Bof%5D=b%20c"),
        (place(), {"min": 1, "max": 2}, "min=1&max=2"),
        (place(explode=False), {"min": 1, "max": 2}, "x=min,1,max,2"),
        (place(style="json"), {"a": [1, None]}, "x=%7B%22a%22%3A%5B1%2Cnull%5D%7D"),
        (place(), [], ""),
        (place(), None, ""),
    ],
)
def test_the_query(server: RudeServer, adapter: HttpAdapter, told: Node, value: Node, query: str) -> None:
    seen = ask(server, adapter, {"x": told}, {"x": value})
    assert urlsplit(seen["target"]).query == query


def test_every_place_at_once(server: RudeServer, adapter: HttpAdapter) -> None:
    places = {
        "ids": place("path"),
        "version": place("header", name="If-Match"),
        "reason": place("body", name="cancelReason"),
        "dry": place("query", name="dry-run"),
    }
    arguments = {"ids": ["a", "b"], "version": "W/7", "reason": "late", "dry": False}
    seen = ask(
        server, adapter, places, arguments, method="PATCH", path="/{ids}", body="json",
        content_type="application/merge-patch+json",
    )  # fmt: skip
    assert seen["target"] == "/echo/a,b?dry-run=false"
    assert seen["headers"]["if-match"] == "W/7"
    assert seen["headers"]["content-type"] == "application/merge-patch+json"
    assert seen["body"] == '{"cancelReason":"late"}'


def test_a_form_and_a_whole_body(server: RudeServer, adapter: HttpAdapter) -> None:
    form = ask(server, adapter, {"a": place("body"), "b": place("body")}, {"a": ["1", "2"], "b": "x&y"},
               method="POST", body="form")  # fmt: skip
    assert parse_qsl(form["body"]) == [("a", "1"), ("a", "2"), ("b", "x&y")]
    assert form["headers"]["content-type"] == "application/x-www-form-urlencoded"
    whole = {"all": place("body", name="")}
    assert ask(server, adapter, whole, {"all": [1, 2]}, method="POST", body="json")["body"] == "[1,2]"
    assert ask(server, adapter, whole, {}, method="POST", body="json")["body"] == ""


@pytest.mark.parametrize(
    ("told", "value"),
    [
        (place(), [{"a": 1}]),
        (place(), {"other": 1}),
        (place(style="deepObject"), {"a": [1]}),
        (place("header", name="X-A"), "a\r\nX-Agent: root"),
        (place("header", name="X-A"), ["a,b"]),
        (place("header", name="X-A"), "ä"),
        (place("path"), ["a", "../b"]),
        (place("path"), ["a,b"]),
        (place("path"), {"a": 1}),
    ],
)
def test_what_cannot_be_written_there_is_not_sent(
    server: RudeServer, adapter: HttpAdapter, told: Node, value: Node
) -> None:
    places = {"x": told, "other": place()}
    path = "/{x}" if told["in"] == "path" else ""
    call = call_to(
        f"{server.url}/echo{path}", method="GET", arguments={"x": value}, config={"arguments": places}
    )
    assert verdict(adapter.invoke(call, timeout_s=PATIENCE_S))[:2] == ("failed", "bad_argument")
    assert server.seen == []


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"arguments": []}, "set arguments"),
        ({"arguments": {"a": {"in": "cookie"}}}, "set in to one of"),
        ({"arguments": {"a": place("path")}}, "in the url"),
        ({"arguments": {}, "url": "https://shop.example/{a}"}, "its place is the path"),
        ({"arguments": {"a": place(), "b": place(name="a")}}, "sent as 'a' already"),
        ({"arguments": {"a": place("body")}}, "set body"),
        ({"arguments": {"a": place("header", name="X-Agent")}}, "set for every call"),
        ({"arguments": {"a": place("header", name="X-Api-Key")}}, "leased per call"),
        ({"arguments": {"a": place(style="matrix")}}, "set style"),
        ({"arguments": {"a": place(explode="no")}}, "set explode"),
        ({"arguments": {"a": place(name=3)}}, "set name"),
        ({"arguments": {"a": place(more=1)}}, "unknown"),
        ({"arguments": {}, "query": ["a"]}, "remove query"),
        ({"body": "form", "method": "POST"}, "name the arguments"),
        ({"content_type": "text/html"}, "content_type"),
        ({"empty_statuses": [404]}, "empty_statuses"),
        ({"origin": {"server": "x"}}, "origin"),
    ],
)  # fmt: skip
def test_a_configuration_that_would_send_otherwise_is_refused(config: Node, words: str) -> None:
    found = find_faults({"method": "GET", "url": "https://shop.example/x", **config})
    assert any(words in fault for fault in found), found
