"""Modules of this installation as sources of tools: which may be one, and which functions it has."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

from django.conf import settings

from agentops.errors import ValidationFailed
from tools.adapters.python import is_allowed, resolve_function
from tools.adapters.signed import SIGNATURE
from tools.models import ToolServer


def find_module_faults(server: ToolServer) -> list[str]:
    """Return what has to be put right before a module may be named."""
    if server.url or server.document_url or server.audience or server.allow_private:
        return ["leave addresses and audience empty: functions are called in this installation"]
    try:
        load_module(server.module)
    except ValidationFailed as error:
        return [error.detail]
    return []


def load_module(name: str) -> ModuleType:
    """Return a module that the operator allows. Raises ValidationFailed for any other."""
    if not is_allowed(name, tuple(settings.TOOLS_PYTHON_MODULES)):
        detail = "name as module one that the operator allows in TOOLS_PYTHON_MODULES"
        raise ValidationFailed("module_not_allowed", detail)
    try:
        return import_module(name)
    except Exception as error:  # importing runs the module: anything may come out of it
        detail = f"the module cannot be imported ({type(error).__name__})"
        raise ValidationFailed("module_not_importable", detail) from error


def derive_definition(config: Mapping[str, Any]) -> dict[str, Any]:  # Any: JSON
    """Return the schemas of the function that a configuration names, and the configuration that pins its signature.

    Raises ValidationFailed for a function that cannot be called or whose hints are not understood.
    """
    from tools.functions import (
        UnusableSignature,
        describe_function,
        read_signature,
    )  # which takes pydantic along

    try:
        function = resolve_function(config.get("function"), tuple(settings.TOOLS_PYTHON_MODULES)).function
        described = describe_function(function, read_signature(function))
    except UnusableSignature as error:
        raise ValidationFailed("invalid_tool", str(error), problems=error.faults) from error
    except ValueError as error:
        raise ValidationFailed("invalid_tool", f"config: function: {error}") from error
    schemas = {"input_schema": described.input_schema, "output_schema": described.output_schema}
    return {**schemas, "config": {**config, SIGNATURE: described.digest}}
