"""The engine reads no clock, throws no dice and touches nothing outside: by its own source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentops import engine

SOURCES = sorted(Path(engine.__file__).parent.rglob("*.py"))
# What may be imported from outside the engine. All of it is pure but for the names below.
PURE = {
    "__future__",
    "collections",
    "dataclasses",
    "datetime",
    "decimal",
    "functools",
    "itertools",
    "math",
    "typing",
}
OURS = {"agentops.engine", "agentops.errors"}
IMPURE = {"now", "utcnow", "today", "open", "input", "print", "eval", "exec", "__import__", "id", "hash"}


def find_impurities(source: str) -> Iterator[str]:
    """Yield what a module imports or names that it must not."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names if not _may_import(each.name))
        elif isinstance(node, ast.ImportFrom) and not _may_import(node.module or ""):
            yield node.module or "."
        elif isinstance(node, ast.Call) and _name_of(node.func) in IMPURE:
            yield f"{_name_of(node.func)}() in line {node.lineno}"


def _may_import(module: str) -> bool:
    ours = any(module == each or module.startswith(f"{each}.") for each in OURS)
    return ours or module == "agentops" or module.split(".")[0] in PURE


def _name_of(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_the_engine_is_pure(path: Path) -> None:
    assert list(find_impurities(path.read_text())) == []


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "import random as dice",
        "from time import monotonic",
        "from os import environ",
        "from django.utils import timezone",
        "from agentops.database import borrowed",
        "def f(): return datetime.now(UTC)",
        "def f(): return datetime.datetime.utcnow()",
        "def f(): return date.today()",
        "def f(): return open('x').read()",
        "def f(): import secrets",
    ],
)
def test_an_impurity_is_found(source: str) -> None:
    assert list(find_impurities(source))
