"""The one media type that the API reads: strict JSON, up to a limit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.parsers import BaseParser
from rest_framework.utils.mediatypes import _MediaType

from agentops.api.refusals import ApiError
from agentops.strict_json import MalformedJSON, parse_json


class StrictJSONParser(BaseParser):
    """Reads a body as I-JSON in UTF-8 (RFC 8259, RFC 7493)."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,  # Any: DRF's context
    ) -> Any:  # Any: an arbitrary JSON value
        """Return the body's value.

        Raises ApiError 413 for a body over DATA_UPLOAD_MAX_MEMORY_SIZE bytes and 400 for what is no strict
        JSON, UnsupportedMediaType for another charset than UTF-8.
        """
        charset = _MediaType(media_type or "").params.get("charset", "utf-8")
        if charset.lower() != "utf-8":
            raise UnsupportedMediaType(media_type or "", "JSON is read as UTF-8 only (RFC 8259).")
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise body_too_large(limit)
        try:
            return parse_json(raw)
        except MalformedJSON as error:
            raise ApiError(400, "malformed_json", f"The body is not usable JSON: {error}.") from None


def body_too_large(limit: int) -> ApiError:
    """Return the refusal of a body over `limit` bytes."""
    return ApiError(413, "body_too_large", f"A request body has at most {limit} bytes.")
