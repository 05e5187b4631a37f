"""The parameters of a request: one form in the body, each name once, nothing in the address (RFC 6749, 3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from django.http import HttpRequest

from identities.oauth.errors import OAuthError, invalid_request

BODY_LIMIT = 64 * 1024
MOST_FIELDS = 32
FORM = "application/x-www-form-urlencoded"

Parameters = Mapping[str, str]


def read_parameters(request: HttpRequest) -> Parameters:
    """Return the form's fields, without empty ones; raises OAuthError `invalid_request`."""
    if request.META.get("QUERY_STRING"):
        # Addresses end up in logs, and in front of whoever reads those.
        raise invalid_request("query_string", "Parameters belong in the body.")
    charset = (request.content_params or {}).get("charset", "utf-8")
    if request.content_type != FORM or charset.lower() != "utf-8":
        raise invalid_request("content_type", f"The body has to be {FORM}.")
    body = _read_body(request)
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS
        )
    except ValueError:
        raise invalid_request("malformed_form", "The body is not a form in UTF-8.") from None
    return _once_each(pairs)


def _read_body(request: HttpRequest) -> bytes:
    # One byte more than is taken, whatever length was announced.
    body = request.read(BODY_LIMIT + 1)
    if len(body) > BODY_LIMIT:
        raise OAuthError("invalid_request", "body_too_large", f"At most {BODY_LIMIT} bytes.", status=413)
    return body


def _once_each(pairs: list[tuple[str, str]]) -> Parameters:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise invalid_request("repeated_parameter", "A parameter was given twice.")
    if any("\0" in text for pair in pairs for text in pair):
        raise invalid_request("malformed_form", "A parameter contains NUL.")
    return {name: value for name, value in fields.items() if value}


def need(parameters: Parameters, name: str) -> str:
    """Return a parameter; raises OAuthError when it is missing."""
    if name not in parameters:
        raise invalid_request("missing_parameter", f"{name} is missing.")
    return parameters[name]
