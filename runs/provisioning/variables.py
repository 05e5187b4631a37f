"""``${NAME}`` and ``${NAME:-default}`` in texts of a document, for an allow-list of variables.

The list keeps a document from reading the installation's secrets into a description that everybody sees.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from agentops.errors import ValidationFailed

ALLOWED_NAMES = frozenset({"DEMO_SHOP_URL", "DEMO_MODEL", "OPENAI_MODEL"})
ALLOWED_PREFIX = "APPLY_"

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def is_allowed(name: str) -> bool:
    """Return whether a document may read this variable."""
    return name in ALLOWED_NAMES or name.startswith(ALLOWED_PREFIX)


def fill_in(value: Any, variables: Mapping[str, str], path: str = "") -> Any:  # Any: JSON, nested
    """Return a copy with every reference replaced; names of properties are left alone.

    Raises ValidationFailed for a variable that is not allowed, or neither set nor given a default.
    """
    if isinstance(value, dict):
        return {key: fill_in(item, variables, f"{path}/{key}") for key, item in value.items()}
    if isinstance(value, list):
        return [fill_in(item, variables, f"{path}/{place}") for place, item in enumerate(value)]
    if isinstance(value, str):
        return _REFERENCE.sub(lambda found: read_variable(found[1], variables, path, found[2]), value)
    return value


def read_variable(name: str, variables: Mapping[str, str], path: str, default: str | None = None) -> str:
    """Return a variable's value, its default when it is unset or empty."""
    if not is_allowed(name):
        allowed = ", ".join(sorted(ALLOWED_NAMES))
        problem = f"{path}: ${{{name}}} cannot be read here, only {allowed} and {ALLOWED_PREFIX}…"
        raise ValidationFailed("variable_not_allowed", problem)
    found = variables.get(name) or default
    if found is None:
        raise ValidationFailed(
            "variable_not_set", f"{path}: set {name} in the environment, or give a default"
        )
    return found
