"""Configurations: what cannot be called is refused with a remedy."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tools.adapters.http.calls import GOOD, anything, verdict
from tests.tools.execution import make_call, make_spec
from tests.tools.rude_server import RudeServer
from tools.adapters.http import HttpAdapter
from tools.adapters.http.config import KNOWN, find_faults, parse_endpoint, parse_read_back


@pytest.mark.parametrize(
    "config",
    [
        GOOD,
        {**GOOD, "method": "DELETE"},
        {**GOOD, "body": "none", "query": ["a"], "headers": {"X-Region": "eu", "X-Author": "us"}},
        {**GOOD, "url": "http://[::1]:8080/"},
        {**GOOD, "url": "http://127.0.0.1:8080"},
        {**GOOD, "response_limit_bytes": 5_000_000},
        {**GOOD, "read_back": {"method": "GET", "url": "https://shop.example/effects/{idempotency_key}"}},
        {**GOOD, "read_back": {"url": "https://shop.example/o/{order_id}", "happened": {"/status": "done"}}},
    ],
)
def test_good_configurations(adapter: HttpAdapter, config: dict[str, Any]) -> None:
    assert adapter.check_config(config) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"method": "TRACE"}, "set method"),
        ({"method": None}, "set method"),
        ({"method": []}, "set method"),
        ({"url": None}, "set url"),
        ({"allow_private": "yes"}, "set allow_private"),
        ({"url": "shop.example/orders"}, "set url"),
        ({"url": "file:///etc/passwd"}, "set url"),
        ({"url": "gopher://shop.example/"}, "set url"),
        ({"url": "https://{tenant}.example/"}, "only into the url's path"),
        ({"url": "https://shop.example/?id={id}"}, "only into the url's path"),
        ({"url": "https://shop.example/{}"}, "only into the url's path"),
        ({"url": "https://shop.example/{a b}"}, "only into the url's path"),
        ({"url": "https://shop.example/{a"}, "only into the url's path"),
        ({"url": "https://shop.example:99999/"}, "correct the url"),
        ({"url": "https://[shop/"}, "correct the url"),
        ({"url": "https://ann:pw@shop.example/"}, "remove user"),
        ({"url": "https://shop.example/#top"}, "fragment"),
        ({"url": "https://shop.example/a b"}, "printable ASCII"),
        ({"url": "https://shöp.example/"}, "printable ASCII"),
        ({"url": "https://shop.example/\r\nX: y"}, "printable ASCII"),
        ({"url": "https://shop.example/a/%2e%2e/b"}, ". and .. segments"),
        ({"url": "https://shop.example/a/..{order_id}"}, ". and .. segments"),
        ({"body": "xml"}, "set body"),
        ({"method": "GET", "body": "json"}, "set body"),
        ({"query": "a"}, "set query"),
        ({"query": [1]}, "set query"),
        ({"headers": []}, "set headers"),
        ({"headers": {"Authorization": "Bearer x"}}, "credentials"),
        ({"headers": {"X-Api-Key": "x"}}, "credentials"),
        ({"headers": {"X-Auth": "x"}}, "credentials"),
        ({"headers": {"Cookie": "x"}}, "credentials"),
        ({"headers": {"Host": "other.example"}}, "set for every call"),
        ({"headers": {"idempotency-key": "x"}}, "set for every call"),
        ({"headers": {"X-Principal": "root"}}, "set for every call"),
        ({"headers": {"X Y": "x"}}, "no name of a header"),
        ({"headers": {"X-Y": "x\r\nZ: 1"}}, "printable ASCII"),
        ({"headers": {"X-Y": 5}}, "printable ASCII"),
        ({"response_limit_bytes": 0}, "response_limit_bytes"),
        ({"response_limit_bytes": True}, "response_limit_bytes"),
        ({"response_limit_bytes": 10**9}, "response_limit_bytes"),
        ({"read_back": {"method": "POST", "url": "https://shop.example/{idempotency_key}"}}, "set read_back"),
        ({"read_back": {"url": "https://shop.example/effects"}}, "name {idempotency_key}"),
        ({"read_back": {"url": "ftp://shop.example/{idempotency_key}"}}, "read_back: set url"),
        ({"read_back": {"url": "https://shop.example/x", "happened": {}}}, "set happened"),
        ({"read_back": {"url": "https://shop.example/x", "happened": {"status": 1}}}, "as a JSON pointer"),
        ({"read_back": []}, "set read_back"),
        ({"timeout": 5}, "remove 'timeout'"),
    ],
)
def test_bad_configurations_are_refused_with_a_remedy(
    server: RudeServer, adapter: HttpAdapter, changes: dict[str, Any], words: str
) -> None:
    remedies = adapter.check_config({**GOOD, **changes})
    assert any(words in remedy for remedy in remedies), remedies
    outcome = adapter.invoke(
        make_call(make_spec(effect="irreversible", config={**GOOD, **changes})), timeout_s=5
    )
    assert verdict(outcome) == ("failed", "bad_config", False, False)


@given(st.dictionaries(st.sampled_from([*KNOWN, "other"]), anything | st.sampled_from(list(GOOD.values()))))
def test_whatever_is_typed_in_is_either_refused_or_can_be_called(config: dict[str, Any]) -> None:
    faults = find_faults(config)
    assert all(isinstance(fault, str) for fault in faults)
    if not faults:
        parse_endpoint(config)
        parse_read_back(config)
