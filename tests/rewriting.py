"""Mutants: a guard taken out of our own source, so that a test can show what it holds off."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from agentops.database import Prepared
from runs.append_statements import APPENDS


def rewrite(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, old: str, new: str
) -> Callable[..., Any]:
    """Replace a function of a module by itself with one passage changed."""
    source = textwrap.dedent(inspect.getsource(getattr(module, name)))
    assert source.count(old) == 1, f"{name} does not say {old!r} once"
    made: dict[str, Any] = {}
    code = compile(source.replace(old, new), f"<{name}>", "exec")
    exec(code, module.__dict__, made)  # noqa: S102  our own source
    changed: Callable[..., Any] = made[name]
    monkeypatch.setattr(module, name, changed)
    return changed


def rewrite_text(monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, old: str, new: str) -> None:
    """Replace a passage of a module's SQL, prepared or not."""
    statement: str | Prepared = getattr(module, name)
    text = statement.sql if isinstance(statement, Prepared) else statement
    assert text.count(old) == 1, f"{name} does not say {old!r} once"
    changed = text.replace(old, new)
    monkeypatch.setattr(module, name, Prepared(changed) if isinstance(statement, Prepared) else changed)


def rewrite_appends(monkeypatch: pytest.MonkeyPatch, old: str, new: str) -> None:
    """Replace a passage of the statements by which drivers append: of all, or of those that draw on budgets."""
    found = [key for key, statement in APPENDS.items() if old in statement.sql]
    assert found, f"they do not say {old!r}"
    for key in found:
        changed = APPENDS[key].sql.replace(old, new)
        monkeypatch.setitem(APPENDS, key, Prepared(changed))
