"""The registry of adapters: a name leads to a class by dotted path, so an unused one is never imported."""

from __future__ import annotations

import inspect
from functools import lru_cache
from importlib import import_module
from typing import cast

from tools.adapters.base import Adapter, AdapterOptions

BUILT_IN = {
    "a2a": "tools.adapters.a2a.A2aAdapter",
    "agent": "tools.adapters.agent.AgentAdapter",
    "decision": "tools.adapters.decision.DecisionAdapter",
    "http": "tools.adapters.http.HttpAdapter",
    "mcp": "tools.adapters.mcp.McpAdapter",
    "python": "tools.adapters.python.PythonAdapter",
}

# How the path calls an adapter, `self` first.
CALLED = {
    "invoke": inspect.signature(Adapter.invoke),
    "read_back": inspect.signature(Adapter.read_back),
    "check_config": inspect.signature(Adapter.check_config),
}


@lru_cache(maxsize=128)
def get_adapter(name: str, options: AdapterOptions = AdapterOptions()) -> Adapter:  # noqa: B008 (immutable)
    """Return the adapter registered as `name`, built once per process and options.

    Raises LookupError for an unknown name and for a class that cannot be called as an adapter is, ImportError or
    AttributeError for a path that leads nowhere; a class that is added may raise anything else.
    """
    paths = dict(options.added) | BUILT_IN  # an installation adds adapters, it does not replace the built-in
    if name not in paths:
        raise LookupError(f"no adapter is named {name!r}; known are {', '.join(sorted(paths))}")
    module_name, _, class_name = paths[name].rpartition(".")
    adapter_class = cast("type[Adapter]", getattr(import_module(module_name), class_name))
    for method in CALLED:
        _check_method(adapter_class, method, paths[name])
    return adapter_class(options)


def _check_method(adapter_class: type[Adapter], method: str, path: str) -> None:
    """Raise LookupError unless a method takes what it will be given: in the middle of a call it would be too late."""
    wanted = list(CALLED[method].parameters.values())
    named = {one.name: None for one in wanted if one.kind is inspect.Parameter.KEYWORD_ONLY}
    positional = [None] * (len(wanted) - len(named))
    try:
        inspect.signature(getattr(adapter_class, method)).bind(*positional, **named)
    except (AttributeError, TypeError, ValueError) as error:
        raise LookupError(f"{path} is no adapter: it needs {method}{CALLED[method]}") from error
