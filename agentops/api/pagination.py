"""Pages by cursor: a place in a fixed order, so that rows which come in meanwhile move nothing.

A cursor is opaque but needs no signature: it names a place, and a forged one leads to another place among
the rows that the caller may see anyway.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agentops.api.problem_document import Reason
from agentops.api.refusals import ApiError

DEFAULT_LIMIT = 25
MAX_LIMIT = 100

Place = TypeVar("Place")
Schema = dict[str, Any]  # Any: a JSON Schema


def encode_cursor(place: object) -> str:
    """Return a place as a cursor."""
    return urlsafe_b64encode(str(place).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, parse: Callable[[str], Place]) -> Place:
    """Return the place that a cursor names; raises ApiError 400 when it is not one of ours."""
    try:
        place = parse(urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode())
    except (ValueError, binascii.Error):
        raise _invalid("cursor", "This cursor was not given out by this operation.") from None
    if encode_cursor(place) != cursor:
        raise _invalid("cursor", "This cursor was not given out by this operation.")
    return place


def read_limit(request: Request) -> int:
    """Return the page size that was asked for; raises ApiError 400 outside 1 to 100."""
    given = request.query_params.get("limit", str(DEFAULT_LIMIT))
    if not (given.isascii() and given.isdigit() and len(given) <= 3 and 1 <= int(given) <= MAX_LIMIT):
        raise _invalid("limit", f"limit is a whole number from 1 to {MAX_LIMIT}.")
    return int(given)


def read_place(request: Request, parse: Callable[[str], Place]) -> Place | None:
    """Return where the page starts, None for the beginning; raises ApiError 400 for a foreign cursor."""
    cursor = request.query_params.get("cursor")
    return None if cursor is None else decode_cursor(cursor, parse)


def parse_number(text: str) -> int:
    """Return a place that is a number; raises ValueError."""
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) < 2**31):
        raise ValueError("not a place")
    return int(text)


def page(data: Sequence[Any], next_place: object | None) -> dict[str, Any]:  # Any: rendered rows
    """Return the members of a page; `next_place` is None on the last one."""
    return {
        "data": data,
        "has_more": next_place is not None,
        "next_cursor": None if next_place is None else encode_cursor(next_place),
    }


class CursorPage(BasePagination):
    """Newest first: descending by ``id``, which is a UUIDv7 and therefore in order of time."""

    field = "id"
    descending = True
    next_place: object | None = None

    # Any: the stubs of DRF admit any sequence here, this takes querysets.
    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> list[Any]:
        """Return one page of a queryset; one row more is read, to know whether it is the last."""
        limit, place = read_limit(request), read_place(request, self.parse)
        ordered = queryset.order_by(f"-{self.field}" if self.descending else self.field)
        if place is not None:
            ordered = ordered.filter(**{f"{self.field}__{'lt' if self.descending else 'gt'}": place})
        rows: list[Model] = list(ordered[: limit + 1])
        self.next_place = getattr(rows[limit - 1], self.field) if len(rows) > limit else None
        return rows[:limit]

    def parse(self, text: str) -> Any:  # Any: the type of `field`
        return UUID(text)

    def get_paginated_response(self, data: Any) -> Response:
        """Return the page as an answer."""
        return Response(page(data, self.next_place))

    def get_paginated_response_schema(self, schema: Schema) -> Schema:
        """Describe the page for the OpenAPI document."""
        return {
            "type": "object",
            "required": ["data", "has_more", "next_cursor"],
            "properties": {
                "data": schema,
                "has_more": {"type": "boolean"},
                "next_cursor": {
                    "type": ["string", "null"],
                    "description": "Pass as `cursor` for the next page; null on the last one.",
                },
            },
        }

    def get_schema_operation_parameters(self, view: APIView) -> list[Schema]:
        """Describe the parameters for the OpenAPI document."""
        return [
            {
                "name": "limit",
                "in": "query",
                "description": "How many rows at most.",
                "schema": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
            },
            {
                "name": "cursor",
                "in": "query",
                "description": "`next_cursor` of the page before.",
                "schema": {"type": "string", "minLength": 1},
            },
        ]


class NumberedPage(CursorPage):
    """Oldest first: ascending by ``number``."""

    field = "number"
    descending = False

    def parse(self, text: str) -> int:
        return parse_number(text)


def _invalid(name: str, detail: str) -> ApiError:
    return ApiError(400, "invalid_parameter", detail, reasons=[Reason(f"invalid_{name}", detail)])
