"""The `http` adapter: one request per attempt, to an address that the catalogue fixes.

Configuration::

    {"method": "POST", "url": "https://shop.example/orders/{order_id}/cancel",
     "body": "json" | "none", "query": ["argument", …], "headers": {"X-Region": "eu"},
     "response_limit_bytes": 1048576, "credential": "slug of a secret",
     "read_back": {"method": "GET", "url": "https://shop.example/effects/{idempotency_key}"}}

Every request carries Idempotency-Key, traceparent, the caller's tracestate, X-Principal (issuer|subject, each
percent-encoded) and X-Agent; and, where the configuration names a credential, the header that its secret says.
Where an argument goes says the module `request`.

What becomes of an attempt ("sent": at least one byte of the request may have reached the server):

==============================================  =====================  =============================  =======
seen                                            read                   effect                         breaker
==============================================  =====================  =============================  =======
not sent: DNS, refused, TLS, connect timeout    failed, retryable      failed, retryable              fails
not sent: no free connection here               failed, retryable      failed, retryable              nothing
not sent, and called back                       failed                 failed                         nothing
sent, and called back                           failed                 unknown                        nothing
sent, then timeout or connection lost           failed, retryable      unknown, retryable             fails
2xx with JSON that fits the output schema       succeeded              succeeded                      works
204, 205 without a body                         succeeded with null    succeeded with null            works
2xx, not JSON: HTML, empty, compressed          failed, retryable      unknown, retryable             fails
2xx, too large or against the output schema     failed                 unknown                        fails
2xx with a key that occurs twice                failed                 unknown                        fails
307, 308                                        failed                 failed: "ask there instead"    works
1xx, other 3xx                                  failed                 unknown: 303 ends many forms   fails
408                                             failed, retryable      unknown, retryable             fails
425, 429                                        failed, retryable      failed, retryable              nothing
409 to a repeated key that the tool honours     failed, retryable      failed, retryable: the first   works
                                                                       may still be at work
other 4xx                                       failed                 failed                         works
5xx, a 503 included                             failed, retryable      unknown, retryable: it may     fails
                                                                       have committed and then broken
==============================================  =====================  =============================  =======

"retryable" of an unknown outcome matters only for a tool that honours keys. A garbage answer to an effect is
unknown and not failed: the server got the request and called it done. A refusal keeps its meaning even if its
body is lost. A read-back by key is `succeeded` on 200 with a fitting value, `failed` with code `not_executed` on 404
(unless in HTML); otherwise it proves nothing, and the path calls it `unknown`.
One that asks about the thing is judged by the module `queries`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tools.adapters.base import AdapterOptions, measure
from tools.adapters.http.answers import judge, judge_read_back
from tools.adapters.http.config import HAPPENED, Endpoint, find_faults, parse_endpoint, parse_read_back
from tools.adapters.http.queries import judge_query
from tools.adapters.http.request import build_request
from tools.adapters.http.wire import Wire
from tools.cache import BoundedCache
from tools.calls import Call
from tools.outcomes import Outcome, fail


class HttpAdapter:
    """Call tools over HTTP/1.1."""

    def __init__(self, options: AdapterOptions) -> None:
        self._wire = Wire()
        self._endpoints: BoundedCache[str, tuple[Endpoint, Endpoint | None]] = BoundedCache(limit=512)

    def invoke(self, call: Call, *, timeout_s: float, not_after: float = math.inf) -> Outcome:
        return measure(lambda: self._invoke(call, timeout_s, not_after))

    def read_back(self, call: Call, *, timeout_s: float) -> Outcome | None:
        if "read_back" not in call.spec.config:
            return None
        return measure(lambda: self._read_back(call, timeout_s))

    def check_config(self, config: Mapping[str, Any]) -> list[str]:
        return find_faults(config)

    def close(self) -> None:
        """Close the idle connections. The adapter can be used again."""
        self._wire.close()

    def _invoke(self, call: Call, timeout_s: float, not_after: float) -> Outcome:
        try:
            endpoint, _ = self._parse(call)
        except ValueError as error:
            return fail("bad_config", str(error))
        try:
            request = build_request(endpoint, call)
        except ValueError as error:
            return fail("bad_argument", str(error))
        exchange = self._wire.send(request, timeout_s=timeout_s, not_after=not_after, recall=call.recall)
        return judge(call, exchange, endpoint.limit_bytes)

    def _read_back(self, call: Call, timeout_s: float) -> Outcome:
        try:
            _, endpoint = self._parse(call)
            if endpoint is None:
                raise ValueError("there is no read_back in the configuration")
            request = build_request(endpoint, call, reading_back=True)
        except ValueError as error:
            return fail("bad_config", str(error))
        exchange = self._wire.send(request, timeout_s=timeout_s)
        happened = call.spec.config["read_back"].get(HAPPENED)
        if happened is None:
            return judge_read_back(call, exchange, endpoint.limit_bytes)
        return judge_query(call, exchange, happened, endpoint.limit_bytes)

    def _parse(self, call: Call) -> tuple[Endpoint, Endpoint | None]:
        config = call.spec.config
        return self._endpoints.get_or_build(
            call.spec.digest, lambda: (parse_endpoint(config), parse_read_back(config))
        )
