"""A function as an import proposes it: described by its own signature and docstring, and pinned by their digest."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

from tools.adapters.mcp.definitions import Described, find_faults
from tools.functions.signatures import Signature, UnusableSignature, read_signature

MOST_FUNCTIONS = 500  # of a module, as of a server


def describe_function(function: Callable[..., Any], signature: Signature) -> Described:
    """Return what a function says of itself. It has no annotations: a person says what it does to the world."""
    return Described(
        name=function.__name__,
        description=signature.description,
        input_schema=signature.input_schema,
        output_schema=signature.output_schema,
        annotations={},
    )


def list_functions(module: ModuleType) -> list[tuple[str, Described | None, list[str]]]:
    """Return a module's public functions by name, each with its description, or with why no tool can be made of it.

    Public is what `__all__` names, or without one what is defined in the module and has no leading underscore.
    """
    named = getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("_")]
    found = [(name, getattr(module, name, None)) for name in sorted(named)]
    own = [(name, each) for name, each in found if inspect.isfunction(each) and _is_own(each, name, module)]
    return [(name, *_read(function)) for name, function in own[:MOST_FUNCTIONS]]


def _is_own(function: Callable[..., Any], name: str, module: ModuleType) -> bool:
    return (function.__module__, function.__name__) == (module.__name__, name)


def _read(function: Callable[..., Any]) -> tuple[Described | None, list[str]]:
    if inspect.iscoroutinefunction(function):
        return None, ["only plain, synchronous functions are called"]
    try:
        described = describe_function(function, read_signature(function))
    except UnusableSignature as error:
        return None, error.faults
    return described, find_faults(described)
