"""How the OpenAPI document is made: from the views, with every refusal that they all share."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import Direction, OpenApiParameter
from rest_framework.permissions import AllowAny

from agentops.api.problem_document import PROBLEM_MEDIA_TYPE
from agentops.api.serializers import BodySerializer, QuerySerializer

Schema = dict[str, Any]  # Any: parts of an OpenAPI document

PROBLEM: Schema = {
    "type": "object",
    "description": "A problem document (RFC 9457).",
    "required": ["type", "title", "status", "detail", "instance", "code", "reasons"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "For people. It may change."},
        "instance": {"type": "string", "format": "uri-reference"},
        "code": {"type": "string", "description": "For programs. It does not change."},
        "reasons": {
            "type": "array",
            "description": "Every rule or field that said no.",
            "items": {
                "type": "object",
                "required": ["code", "detail", "pointer"],
                "properties": {
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                    "pointer": {"type": ["string", "null"], "description": "Where in the body: `#/member`."},
                },
            },
        },
    },
}

SUCCESSES = {
    "200": "What was asked for.",
    "201": "It was created.",
    "202": "It was accepted; the run acts on it in its own time.",
    "204": "There is nothing more.",
}
HEADERS: Schema = {
    "RateLimit": {"description": "What is left of this window.", "schema": {"type": "string"}},
    "RateLimit-Policy": {"description": "How many requests a window admits.", "schema": {"type": "string"}},
    "traceparent": {"description": "The span of this request (W3C).", "schema": {"type": "string"}},
    "Location": {
        "description": "Where it is.",
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "Idempotent-Replayed": {
        "description": "`true` on the answer to a repeated request.",
        "schema": {"const": "true"},
    },
}

# Why each refusal happens; the status tells programs apart, `code` tells the cases of one status apart.
REFUSALS = {
    "400": "Broken JSON, an invalid parameter or header.",
    "401": "No credential, or one that is not valid.",
    "403": "The caller is known and may not do this.",
    "404": "There is no such thing, or it is not for the caller to know.",
    "406": "The answer cannot be given in a media type that the caller accepts.",
    "409": "Not in its present state, or the first request with this Idempotency-Key is still in flight.",
    "413": "The body or a text in it is too large.",
    "415": "The body is not `application/json` in UTF-8.",
    "422": "The body is not what this operation takes, or the Idempotency-Key came with another body.",
    "429": "Too many requests; `Retry-After` says when to go on.",
}

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
    OpenApiParameter.HEADER,
    description="A request repeated with the same key is answered with the first answer, for 24 hours.",
)
REQUIRED_IDEMPOTENCY_KEY = OpenApiParameter(
    IDEMPOTENCY_KEY.name,
    IDEMPOTENCY_KEY.type,
    OpenApiParameter.HEADER,
    required=True,
    description=IDEMPOTENCY_KEY.description,
)
TRACE_CONTEXT = (
    OpenApiParameter(
        "traceparent",
        str,
        OpenApiParameter.HEADER,
        description="The caller's span (W3C Trace Context). Its trace and flags are continued in every model and tool "
        "call; a missing or invalid one begins a new, sampled trace.",
    ),
    OpenApiParameter(
        "tracestate",
        str,
        OpenApiParameter.HEADER,
        description="Goes with `traceparent` into every model and tool call as it is; one that is malformed or longer "
        "than 512 characters is dropped.",
    ),
)


def add_components(result: Schema, **_: object) -> Schema:
    """Add what every operation refers to: the problem, and one response per refusal."""
    components = result.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = PROBLEM
    components["headers"] = HEADERS
    components["responses"] = {_response_name(status): _response(status) for status in REFUSALS}
    return result


class ApiSchema(AutoSchema):
    """Describes an operation with its refusals; bodies admit no unknown members."""

    def _get_response_bodies(self, direction: Direction = "response") -> Schema:
        responses: Schema = super()._get_response_bodies(direction)
        for status, response in responses.items():
            response["description"] = response["description"] or SUCCESSES[status]
            response["headers"] = {name: _header(name) for name in self._headers(status)}
        for status in self._refusals():
            responses.setdefault(status, {"$ref": f"#/components/responses/{_response_name(status)}"})
        return dict(sorted(responses.items()))

    def get_override_parameters(self) -> list[Any]:
        """Return the query of a read: the view admits no parameter that stands in neither it nor the page."""
        query: type[QuerySerializer] | None = getattr(self.view, "query", None)
        return [query] if query and query().fields and self.method == "GET" else []

    def _get_pagination_parameters(self) -> list[Schema]:
        """Return the parameters of a page, also where it holds more than its rows."""
        pages: Any = getattr(self.view, "pagination_class", None)  # Any: CursorPage, which imports this
        return pages().get_schema_operation_parameters(self.view) if pages and self.method == "GET" else []

    def get_paginated_name(self, serializer_name: str) -> str:
        return f"{serializer_name}Page"

    def get_summary(self) -> str:
        """Return the first sentence of the description."""
        return self.get_description().split(". ")[0].split("\n")[0].rstrip(".")

    def _headers(self, status: str) -> list[str]:
        names = ["RateLimit", "RateLimit-Policy", "traceparent"]
        if IDEMPOTENCY_KEY.name in [each["name"] for each in self._get_parameters()]:
            names.append("Idempotent-Replayed")
        return [*names, "Location"] if status == "201" else names

    def _refusals(self) -> list[str]:
        statuses = ["400", "404", "406", "429"]
        if not any(isinstance(each, AllowAny) for each in self.view.get_permissions()):
            statuses += ["401", "403"]
        if self.method == "POST":
            statuses += ["409", "413", "415", "422"]
        return statuses

    def _postprocess_serializer_schema(self, schema: Schema, serializer: Any, direction: str) -> Schema:
        processed: Schema = super()._postprocess_serializer_schema(schema, serializer, direction)  # type: ignore[no-untyped-call]  # untyped
        if isinstance(serializer, BodySerializer):
            processed["additionalProperties"] = False
        return processed


def _header(name: str) -> Schema:
    return {"$ref": f"#/components/headers/{name}"}


def _response_name(status: str) -> str:
    return f"Refused{status}"


def _response(status: str) -> Schema:
    response: Schema = {
        "description": REFUSALS[status],
        "content": {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status == "401":
        response["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    if status == "429":
        response["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    return response


class BearerKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # untyped base
    """The API key, or the token in its place, as a security scheme."""

    target_class = "identities.api.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> Schema:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key of an application or of a person: `Authorization: Bearer aok_…`, "
            "or an access token of an application for this API, with the scope `api`",
        }


class ConsoleSessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # untyped base
    """The console's session as a security scheme."""

    target_class = "identities.api.authentication.ConsoleSessionAuthentication"
    name = "consoleSession"

    def get_security_definition(self, auto_schema: AutoSchema) -> Schema:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "sessionid",
            "description": "A person's session in the console, verified by a second factor; "
            "writes carry X-CSRFToken.",
        }
