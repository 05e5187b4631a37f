"""Spans over the wire: OpenTelemetry's own exporter, on connections that `agentops.outgoing` allows.

The SDK is an optional extra and takes a while to load, so that it is imported only where something is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import httpcore2
from django.conf import settings

import agentops
from agentops.outgoing import AddressRefused, is_public_literal
from identities.oauth.fetching import Guarded
from runs.telemetry.spans import Span

if TYPE_CHECKING:
    import requests
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import ReadableSpan

TIMEOUT_S = 5.0  # of one request, and of the exporter's own attempts at it
ANSWER_LIMIT = 65_536
PATH = "/v1/traces"


class NotExported(Exception):
    """The collector did not take it."""


def export(spans: Sequence[Span], *, trace_id: str, flags: str, state: str) -> None:
    """Send the spans of one trace; raises NotExported."""
    from opentelemetry.sdk.trace.export import SpanExportResult

    exporter = _exporter(settings.OTEL_EXPORTER_OTLP_ENDPOINT, settings.OTEL_EXPORTER_OTLP_HEADERS)
    made = [_convert(span, trace_id, flags, state) for span in spans]
    if exporter.export(made) is not SpanExportResult.SUCCESS:
        raise NotExported


@cache
def _exporter(endpoint: str, headers: str) -> OTLPSpanExporter:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(
        endpoint=endpoint + PATH, headers=_read_headers(headers), timeout=TIMEOUT_S,
        compression=Compression.Gzip, session=_make_session(),
    )  # fmt: skip


def _read_headers(text: str) -> dict[str, str]:
    """Return headers written like ``name=value,name=value``, values percent-encoded, as OpenTelemetry has them."""
    pairs = (each.partition("=") for each in text.split(",") if "=" in each)
    return {name.strip().lower(): unquote(value.strip()) for name, _, value in pairs}


def _convert(span: Span, trace_id: str, flags: str, state: str) -> ReadableSpan:
    from opentelemetry import trace as api
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    def context(span_id: str, *, is_remote: bool) -> api.SpanContext:
        state_of = api.TraceState.from_header([state] if state else [])
        number = int(trace_id, 16), int(span_id, 16)
        return api.SpanContext(*number, is_remote, api.TraceFlags(int(flags, 16)), state_of)

    status = api.Status(api.StatusCode.ERROR, span.error) if span.error else api.Status()
    return ReadableSpan(
        span.name,
        context=context(span.span_id, is_remote=False),
        parent=context(span.parent_id, is_remote=True) if span.parent_id else None,
        resource=_resource(settings.OTEL_SERVICE_NAME),
        attributes=dict(span.attributes),
        kind=api.SpanKind.CLIENT if span.kind == "client" else api.SpanKind.INTERNAL,
        status=status,
        start_time=_nanoseconds(span.began_at),
        end_time=_nanoseconds(span.ended_at),
        instrumentation_scope=InstrumentationScope("agentops", agentops.__version__),
    )


@cache
def _resource(service: str) -> Any:  # Any: the SDK's, which is not loaded with this module
    from opentelemetry.sdk.resources import Resource

    return Resource({"service.name": service, "service.version": agentops.__version__})


def _nanoseconds(at: datetime) -> int:
    whole = int(at.timestamp())
    return whole * 1_000_000_000 + at.microsecond * 1_000


class _Guarded(Guarded):
    """Connects to the operator's collector; openly only to networks inside that the operator named."""

    def __init__(self, *, is_open: bool) -> None:
        super().__init__(allow_private=True, loopback_only=False)
        self._is_open = is_open

    def refuses(self, addresses: Sequence[str]) -> bool:
        """Refuse what is public where nothing is encrypted: address and networks are both the operator's word."""
        return self._is_open and any(map(is_public_literal, addresses))


def _make_session() -> requests.Session:
    """Return a session whose every request goes out by our own connections: no proxy, no redirect, no netrc."""
    import requests
    from requests.adapters import BaseAdapter

    class Wire(BaseAdapter):
        def send(
            self, request: requests.PreparedRequest, *_: Any, **__: Any
        ) -> requests.Response:  # Any: options of requests, none of which is ours
            answer = requests.Response()
            try:
                answer.status_code, body = _post(str(request.url), _texts(request.headers), request.body)
            except AddressRefused as refused:
                raise requests.exceptions.InvalidURL(f"{refused} is not allowed") from None
            except (httpcore2.TimeoutException, TimeoutError) as error:
                raise requests.exceptions.Timeout(str(error)) from error
            except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError) as error:
                raise requests.exceptions.ConnectionError(str(error)) from error
            answer.raw, answer.request, answer.url = BytesIO(body), request, str(request.url)
            return answer

        def close(self) -> None:
            """Nothing is kept open."""

    session = requests.Session()
    session.trust_env = False
    session.mount("http://", Wire())
    session.mount("https://", Wire())
    return session


def _texts(headers: Mapping[str, str | bytes]) -> dict[str, str]:
    return {
        name: value.decode("latin-1") if isinstance(value, bytes) else value
        for name, value in headers.items()
    }


def _post(
    url: str, headers: Mapping[str, str], body: Any
) -> tuple[int, bytes]:  # Any: bytes, as requests has them
    """Return status and the beginning of the body."""
    limits = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), TIMEOUT_S)}
    with (
        httpcore2.ConnectionPool(network_backend=_Guarded(is_open=urlsplit(url).scheme == "http")) as pool,
        pool.stream("POST", url, headers=[*headers.items()], content=body, extensions=limits) as response,
    ):
        read = bytearray()
        for chunk in response.iter_stream():
            read += chunk
            if len(read) >= ANSWER_LIMIT:
                break
        return int(response.status), bytes(read[:ANSWER_LIMIT])
