"""What every HTTP tool server does alike: bounded JSON in, RFC 9457 problems out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn, cast

import jsonschema_rs
import rfc8785
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

JsonObject = dict[str, Any]  # Any: a JSON value has no closed type

MAX_BODY_BYTES = 64 * 1024
MAX_KEY_LENGTH = 255


class Problem(Exception):
    """An answer that is not a success: HTTP status, machine-readable code, one sentence for people."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail


def problem_response(status: int, code: str, detail: str) -> JSONResponse:
    """Return an RFC 9457 problem whose title is the code in words."""
    title = code.replace("_", " ").capitalize()
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "code": code}
    return JSONResponse(body, status, media_type="application/problem+json")


async def show_problem(request: Request, error: Exception) -> Response:
    """Answer a raised Problem (a Starlette exception handler)."""
    problem = cast("Problem", error)  # Starlette hands over only what it was registered for
    return problem_response(problem.status, problem.code, problem.detail)


async def show_http_error(request: Request, error: Exception) -> Response:
    """Answer the router's own errors (no such path, wrong method) as problems too."""
    refusal = cast("HTTPException", error)
    code = {404: "not_found", 405: "method_not_allowed"}.get(refusal.status_code, "http_error")
    detail = f"{request.method} {request.url.path}: {refusal.detail}"
    response = problem_response(refusal.status_code, code, detail)
    response.headers.update(refusal.headers or {})
    return response


EXCEPTION_HANDLERS = {Problem: show_problem, HTTPException: show_http_error}


async def read_body(request: Request, limit: int = MAX_BODY_BYTES) -> bytes:
    """Return the request's body; raises Problem 413 as soon as it exceeds `limit` bytes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise Problem(413, "body_too_large", f"the body exceeds {limit} bytes")
    return bytes(body)


async def read_arguments(request: Request) -> JsonObject:
    """Return the JSON object in the body; raises Problem 413 or 400."""
    body = await read_body(request)
    try:
        value = json.loads(body, parse_constant=refuse_constant)
        # Lone surrogates and integers beyond 2^53 can be parsed, but neither stored nor compared.
        rfc8785.dumps(value)
    except (ValueError, RecursionError) as error:
        raise Problem(400, "invalid_json", f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise Problem(400, "invalid_json", "the body is not a JSON object")
    return value


def refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and Infinity, which Python's parser takes although JSON has none."""
    raise ValueError(f"{name} is not JSON")


def refuse_reference(uri: str) -> NoReturn:
    """Refuse to follow a `$ref` out of a schema: the validator would fetch addresses and read files."""
    raise ValueError(f"a schema may not refer to {uri}")


def compile_schema(schema: JsonObject) -> jsonschema_rs.Validator:
    """Return a compiled validator that checks formats and never leaves the schema."""
    return jsonschema_rs.validator_for(schema, validate_formats=True, retriever=refuse_reference)


def check_arguments(validator: jsonschema_rs.Validator, arguments: JsonObject) -> None:
    """Raise Problem 422 naming up to three violations, each with the place it is at."""
    errors = [violation(error) for error, _ in zip(validator.iter_errors(arguments), range(3), strict=False)]
    if errors:
        raise Problem(422, "invalid_arguments", "; ".join(errors))


def violation(error: jsonschema_rs.ValidationError) -> str:
    """Return one schema violation as ``place: what is wrong``."""
    place = ".".join(str(part) for part in error.instance_path)
    return f"{place or 'arguments'}: {error.message}"
