"""factory_boy's declarations. The package calls itself typed, but its functions have no annotations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from factory import declarations, helpers

LazyAttribute: Any = declarations.LazyAttribute
LazyFunction: Any = declarations.LazyFunction
SelfAttribute: Any = declarations.SelfAttribute
Sequence: Any = declarations.Sequence
SubFactory: Any = declarations.SubFactory
Trait: Any = declarations.Trait


def after_creation(function: Callable[..., None]) -> Any:  # Any: a declaration, not a method
    """Run a function on every created instance; its keyword's value comes in as ``extracted``."""
    declared: Any = helpers.post_generation
    return declared(function)
