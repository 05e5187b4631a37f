"""The document that an interface is described by: fetched or brought, and read into operations."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from agentops.errors import ValidationFailed
from tools.adapters.http.config import find_base_faults, parse_endpoint
from tools.adapters.http.request import PLAIN_HEADERS, Request
from tools.adapters.http.wire import Exchange, Wire
from tools.adapters.mcp.definitions import Described, find_faults
from tools.models import ToolServer
from tools.openapi import Operation, Unusable, list_operations, read_document, server_of
from tools.openapi.document import SIZE_LIMIT_BYTES

WELL_KNOWN_FAULTS = {
    "address_refused": "the document's address is in a network that is not connected to",
    "too_large": f"the document is larger than {SIZE_LIMIT_BYTES >> 20} MiB",
    "timeout": "the document did not come in time",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """A document as it was read: its text, what it describes, and where it says that the interface is."""

    text: str
    operations: list[Operation]
    base_url: str

    @property
    def digest(self) -> str:
        """Name the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def read_operations(server: ToolServer, document: str, within_s: float) -> Reading:
    """Read the document that was brought, or the one at the server's address for it. Raises ValidationFailed."""
    if not document and not server.document_url:
        raise ValidationFailed("no_document", "bring its document: nothing says where it could be fetched")
    text = document or _fetch(server, within_s)
    parsed = read_document(text)
    found_at = "" if document else server.document_url
    base_url = server.url or next(iter(server_of(parsed, found_at)), "")
    if not base_url:
        detail = "the document does not say where the interface is: name it with its address"
        raise ValidationFailed("no_address", detail)
    if faults := find_base_faults(base_url):
        raise ValidationFailed(
            "no_address", f"where the document says that the interface is: {'; '.join(faults)}"
        )
    try:
        operations = [_check(each) for each in list_operations(parsed, found_at)]
    except Unusable as problem:
        raise ValidationFailed("invalid_document", str(problem)) from problem
    return Reading(text, operations, base_url)


def _check(operation: Operation) -> Operation:
    """Return an operation with the faults that any tool of a stranger may have."""
    if operation.faults:
        return operation
    told = {name: operation.values[name] for name in Described.__dataclass_fields__}
    faults = find_faults(Described(**told))
    return Operation(operation.name, operation.values, faults)


def _fetch(server: ToolServer, within_s: float) -> str:
    """Return what is at the document's address. Nobody is let in by anything: no token, no credential is sent."""
    told = {"method": "GET", "url": server.document_url, "allow_private": server.allow_private}
    endpoint = parse_endpoint({**told, "response_limit_bytes": SIZE_LIMIT_BYTES})
    path = "".join(endpoint.path)
    request = Request(
        method="GET",
        scheme=endpoint.scheme,
        host=endpoint.host,
        port=endpoint.port,
        target=f"{path}?{endpoint.static_query}" if endpoint.static_query else path,
        headers=[(b"Host", endpoint.netloc.encode()), (b"Accept", b"application/json, */*"), *PLAIN_HEADERS],
        body=None,
        limit_bytes=endpoint.limit_bytes,
        allow_private=endpoint.allow_private,
    )
    wire = Wire()
    try:
        return _text_of(wire.send(request, timeout_s=within_s))
    finally:
        wire.close()


def _text_of(exchange: Exchange) -> str:
    if exchange.fault:
        why = WELL_KNOWN_FAULTS.get(exchange.fault, "the document's address does not answer")
        raise ValidationFailed("no_document", why)
    if exchange.status != 200:
        raise ValidationFailed("no_document", f"the document's address answers {exchange.status}")
    try:
        return exchange.body.decode()
    except UnicodeDecodeError as error:
        raise ValidationFailed("no_document", "the document is no text in UTF-8") from error
