"""A receiver of OTLP over HTTP: it parses what comes in as the protocol has it, and refuses when a test says so."""

from __future__ import annotations

import gzip
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status


@dataclass(frozen=True, slots=True)
class Received:
    """One span as it came over the wire; ids in hex."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    began: int
    ended: int
    attributes: dict[str, Any]  # Any: what an attribute may be
    is_error: bool
    service: str


class Receiver:
    """A server on loopback; ``answers`` is the status that it gives from now on."""

    def __init__(self, port: int = 0) -> None:
        self.spans: list[Received] = []
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.answers = 200
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                owner._take(self)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _take(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        self.headers.append({name.lower(): value for name, value in handler.headers.items()})
        taken = self.answers == 200 and handler.path == "/v1/traces"
        if taken:
            self._keep(gzip.decompress(body) if handler.headers["Content-Encoding"] == "gzip" else body)
        answer = ExportTraceServiceResponse().SerializeToString()
        handler.send_response(200 if taken else self.answers)
        handler.send_header("Content-Type", "application/x-protobuf")
        handler.send_header("Content-Length", str(len(answer)))
        handler.end_headers()
        handler.wfile.write(answer)

    def _keep(self, body: bytes) -> None:
        self.bodies.append(body)
        request = ExportTraceServiceRequest.FromString(body)
        for group in request.resource_spans:
            service = {pair.key: _value(pair.value) for pair in group.resource.attributes}["service.name"]
            for scope in group.scope_spans:
                self.spans += [_read(span, service) for span in scope.spans]

    # --- what was received ------------------------------------------------------------------------------

    def named(self, beginning: str) -> list[Received]:
        """Return the spans whose names begin like this, in the order in which they came."""
        return [span for span in self.spans if span.name.startswith(beginning)]

    def the(self, beginning: str) -> Received:
        """Return the one span whose name begins like this."""
        (found,) = self.named(beginning)
        return found


def _read(span: Span, service: str) -> Received:
    return Received(
        span.name,
        Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        {pair.key: _value(pair.value) for pair in span.attributes},
        span.status.code == Status.STATUS_CODE_ERROR,
        service,
    )


def _value(value: AnyValue) -> Any:  # Any: what an attribute may be
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    return getattr(value, kind or "string_value")
