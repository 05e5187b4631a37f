"""The registry of adapters: a name leads to a class by dotted path, so an unused one is never imported."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import cast

from tools.adapters.base import Adapter, AdapterOptions

BUILT_IN = {
    "http": "tools.adapters.http.HttpAdapter",
    "python": "tools.adapters.python.PythonAdapter",
}


@lru_cache(maxsize=128)
def get_adapter(name: str, options: AdapterOptions = AdapterOptions()) -> Adapter:  # noqa: B008 (immutable)
    """Return the adapter registered as `name`, built once per process and options.

    Raises LookupError for an unknown name, ImportError or AttributeError for a path that leads nowhere.
    """
    paths = dict(options.added) | BUILT_IN  # an installation adds adapters, it does not replace the built-in
    if name not in paths:
        raise LookupError(f"no adapter is named {name!r}; known are {', '.join(sorted(paths))}")
    module_name, _, class_name = paths[name].rpartition(".")
    adapter_class = cast("type[Adapter]", getattr(import_module(module_name), class_name))
    return adapter_class(options)
