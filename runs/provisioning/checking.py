"""The document against its JSON Schema, which lies beside this module."""

from __future__ import annotations

import json
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import jsonschema_rs

from agentops.errors import ValidationFailed
from tools.schemas import check_limits

SCHEMA_PATH = Path(__file__).with_name("schema.json")
SIZE_LIMIT_BYTES = 1024 * 1024
PROBLEM_LIMIT = 20


def check_document(document: Any) -> None:  # Any: whatever the file held
    """Raise ValidationFailed naming the path of every problem (at most 20)."""
    problems = [f"{p.path or 'the document'}: {p.message}" for p in check_limits(document, SIZE_LIMIT_BYTES)]
    if not problems:
        errors = islice(_validator().iter_errors(document), PROBLEM_LIMIT)
        problems = [f"{_pointer(error.instance_path)}: {error.message}" for error in errors]
    if problems:
        raise ValidationFailed("invalid_document", "\n".join(problems), problems=problems)


@cache
def _validator() -> jsonschema_rs.Validator:
    schema = json.loads(SCHEMA_PATH.read_text())
    return jsonschema_rs.validator_for(schema, validate_formats=True)


def _pointer(path: list[str | int]) -> str:
    return "/".join(str(part) for part in path) or "the document"
