"""What is written from the document is what the document says, and needs nothing of the platform."""

from __future__ import annotations

import ast
import re
import subprocess
import sys

import pytest

from agentops.api.document import read_document
from agentops.api.generation import write_client
from agentops.api.generation.types import type_of, write_types
from agentops.client import AsyncClient, Client
from agentops.runtime.supervision import ROOT


def test_the_client_is_what_the_document_says() -> None:
    for path, text in write_client(read_document()).items():
        assert path.read_text() == text, "the API has changed: python manage.py write_openapi"


def test_every_operation_is_a_method_of_both_halves() -> None:
    operations = [o["operationId"] for item in read_document()["paths"].values() for o in item.values()]
    methods = {re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower() for name in operations}
    assert len(methods) == len(operations)
    assert all(methods <= set(dir(half)) for half in (Client, AsyncClient))


def test_a_product_that_uses_it_loads_no_framework() -> None:
    script = (
        "import sys, agentops.client; print([m for m in ('django', 'psycopg', 'celery') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("schema", "annotation"),
    [
        ({"type": "string", "format": "uuid"}, "str"),
        ({"type": ["integer", "null"]}, "int | None"),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Run"}}, "list[Run]"),
        ({"type": "array"}, "list[Any]"),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "dict[str, float]"),
        ({"type": "object", "additionalProperties": {}}, "dict[str, Any]"),
        ({"type": "object"}, "dict[str, Any]"),
        ({"enum": ["a", 'b"', None]}, 'Literal["a", "b\\"", None]'),
        ({"const": "grant.set"}, 'Literal["grant.set"]'),
        ({"oneOf": [{"$ref": "#/components/schemas/A"}, {"type": "null"}]}, "A | None"),
        ({"allOf": [{"$ref": "#/components/schemas/A"}], "readOnly": True}, "A"),
        ({}, "Any"),
    ],
)
def test_a_schema_as_an_annotation(schema: dict[str, object], annotation: str) -> None:
    assert type_of(schema) == annotation


def test_words_of_the_document_stay_words() -> None:
    hostile = 'ends """ here\nimport os\\'
    schema = {"type": "object", "description": hostile, "properties": {"a": {"type": "string"}}}
    source = write_types({"components": {"schemas": {"A": schema}}})
    (written,) = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    assert "import os" in str(ast.get_docstring(written))
    assert not any(isinstance(node, ast.Import) for node in ast.walk(written))
