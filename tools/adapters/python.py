"""The `python` adapter: a function of this installation, called with the arguments as keywords.

Configuration: ``{"function": "package.module:function", "read_back": "package.module:function"}``, the
second if there is one. Only functions that are defined in the modules that the installation allows are
called.

A function that takes a parameter named `call` receives a `tools.calls.CallContext`; one that takes a
parameter named `credential`, and only such a one, the credential that the configuration names. It returns a JSON
value, or raises `agentops.errors.Transient` or `Permanent` when it surely had no effect and
`OutcomeUnknown` when it may have had one, which is also what any other exception of an effect means. A
`read_back` function takes `call` alone; it returns the recorded result, or raises
`Permanent("not_executed")` when the key had no effect and none is on its way. It runs in a thread of its
own: it sees what is committed, not the caller's open transaction.

With a `signature`, which an import writes, arguments are turned into what the function's hints name, and results back:
`tools.adapters.signed`.
"""

from __future__ import annotations

import inspect
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any

from django.conf import settings
from django.db import connections

from agentops.clock import lease_clock_s
from agentops.engine.retry import Effect
from agentops.errors import AdapterError, OutcomeUnknown, Transient
from agentops.threads import BoundedThreads, Overrun, Raised, Saturated
from tools.adapters.base import AdapterOptions, accept_value, measure
from tools.adapters.signed import (
    CHANGED,
    KEYS,
    SignatureChanged,
    ask_anew,
    convert,
    express,
    find_signature_faults,
)
from tools.calls import CREDENTIAL, Call, CallContext
from tools.outcomes import Outcome, doubt, fail, too_late

_PATH = re.compile(r"[A-Za-z]\w*(?:\.\w+)*:[A-Za-z]\w*")  # a leading underscore is nobody's tool

_STRICT = json.JSONEncoder(allow_nan=False)


@dataclass(frozen=True, slots=True)
class Target:
    """A function that may be called, with its signature taken apart once."""

    function: Callable[..., Any]  # Any: the tool's author decides
    signature: inspect.Signature

    @property
    def wants_call(self) -> bool:
        return "call" in self.signature.parameters


class PythonAdapter:
    """Call functions of allowed modules in bounded threads."""

    def __init__(self, options: AdapterOptions) -> None:
        self._modules = options.python_modules
        self.threads = BoundedThreads(options.python_threads, "python-tool")

    def invoke(self, call: Call, *, timeout_s: float, not_after: float = math.inf) -> Outcome:
        path = call.spec.config.get("function")
        return measure(lambda: self._run(call, path, call.arguments, timeout_s, not_after))

    def read_back(self, call: Call, *, timeout_s: float) -> Outcome | None:
        path = call.spec.config.get("read_back")
        if path is None:
            return None
        return measure(lambda: self._run(call, path, None, timeout_s))

    def check_config(self, config: Mapping[str, Any]) -> list[str]:
        known = {"function", "read_back", CREDENTIAL, *KEYS}
        remedies = [f"remove {name!r}: unknown" for name in sorted(config.keys() - known)]
        if "function" not in config:
            remedies.append('add "function": "package.module:function"')
        for name in sorted(config.keys() & {"function", "read_back"}):
            try:
                resolve_function(config[name], self._modules)
            except ValueError as error:
                remedies.append(f"{name}: {error}")
        return remedies + find_signature_faults(config, self._find_function(config))

    def _find_function(self, config: Mapping[str, Any]) -> Callable[..., Any] | None:
        try:
            return resolve_function(config.get("function"), self._modules).function
        except ValueError:
            return None

    def _run(
        self,
        call: Call,
        path: object,
        arguments: dict[str, Any] | None,
        timeout_s: float,
        not_after: float = math.inf,
    ) -> Outcome:
        """Call the function, or with None as arguments the read-back, which takes none."""
        prepared = self._prepare(call, path, arguments)
        if isinstance(prepared, Outcome):
            return prepared
        function, keywords = prepared
        try:
            result = self.threads.run(lambda: _call_and_clean_up(function, keywords, not_after), timeout_s)
        except Saturated:
            return fail("saturated", "Too many calls are stuck or at work in this process.", retryable=True)
        except Overrun:
            return doubt(call.spec.effect, "timeout", f"No result within {timeout_s:g} s.")
        except Raised as raised:
            if isinstance(raised.error, _TooLate):
                return too_late()
            return _judge_error(call.spec.effect, raised.error)
        return _accept_result(call, self._find_function(call.spec.config), result)

    def _prepare(
        self, call: Call, path: object, arguments: dict[str, Any] | None
    ) -> tuple[Callable[..., Any], dict[str, Any]] | Outcome:
        """Return the function with the keywords of its call, or why nothing can be called."""
        try:
            target = resolve_function(path, self._modules)
        except ValueError as error:
            return fail("bad_config", str(error))
        try:
            turned = {} if arguments is None else convert(call.spec.config, target.function, arguments)
            return target.function, _bind(target, call, turned)
        except SignatureChanged:
            ask_anew(call.spec.config, call.spec.tool_id)
            return fail(CHANGED, "The function is not what was accepted any more; nothing was called.")
        except (TypeError, ValueError) as error:
            return fail("bad_argument", f"The function does not take these arguments: {error}")


def resolve_function(path: object, modules: tuple[str, ...]) -> Target:
    """Return the function at `package.module:function`. Raises ValueError, worded as a remedy."""
    if not isinstance(path, str) or not _PATH.fullmatch(path):
        raise ValueError('name a public function as "package.module:function"')
    return _load_function(path, modules)


@lru_cache(maxsize=512)
def _load_function(path: str, modules: tuple[str, ...]) -> Target:
    module_name, _, name = path.partition(":")
    if not is_allowed(module_name, modules):
        raise ValueError(f"allow the module {module_name} in TOOLS_PYTHON_MODULES, or use an allowed one")
    try:
        function = getattr(import_module(module_name), name)
    except Exception as error:  # importing runs the module: anything may come out of it
        raise ValueError(f"{path} cannot be imported ({type(error).__name__})") from error
    if not inspect.isfunction(function) or inspect.iscoroutinefunction(function):
        raise ValueError(f"{path} must be a plain, synchronous function")
    if not is_allowed(function.__module__, modules):
        raise ValueError(f"{path} is defined in {function.__module__}, which is not an allowed module")
    return Target(function, inspect.signature(function))


def is_allowed(module_name: str, modules: tuple[str, ...]) -> bool:
    """Return whether a module is one of those that the installation allows, or below one."""
    return any(module_name == allowed or module_name.startswith(f"{allowed}.") for allowed in modules)


def _bind(target: Target, call: Call, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the keywords of the call. Raises TypeError, before anything has run, if they do not fit."""
    keywords = dict(arguments)
    if target.wants_call:
        if "call" in keywords:
            raise TypeError("an argument must not be named 'call'")
        keywords["call"] = CallContext(
            key=call.key,
            attempt=call.attempt,
            run_id=call.run_id,
            identity_name=call.identity_name,
            principal_issuer=call.principal_issuer,
            principal_subject=call.principal_subject,
            traceparent=call.traceparent,
            tracestate=call.tracestate,
        )
    if CREDENTIAL in target.signature.parameters and call.credential is not None:
        if CREDENTIAL in keywords:
            raise TypeError("an argument must not be named 'credential'")
        keywords[CREDENTIAL] = call.credential
    target.signature.bind(**keywords)
    return keywords


class _TooLate(Exception):
    """The function was not started: its place came, or its thread awoke, after the time for that."""


def _call_and_clean_up(function: Callable[..., Any], keywords: dict[str, Any], not_after: float) -> Any:
    """Call the function, and close the database connections that it opened: its thread may idle for hours."""
    if lease_clock_s() >= not_after:
        raise _TooLate
    try:
        return function(**keywords)
    finally:
        if settings.configured:
            connections.close_all()


def _judge_error(effect: Effect, error: BaseException) -> Outcome:
    if isinstance(error, OutcomeUnknown):
        return doubt(effect, error.code, error.detail, retryable=error.retryable)
    if isinstance(error, Transient):
        return fail(
            error.code,
            error.detail,
            retryable=error.retryable,
            retry_after_s=error.retry_after_s,
            counts_against_breaker=True,
        )
    if isinstance(error, AdapterError):
        return fail(error.code, error.detail, retryable=error.retryable)
    # Only the type: the message of an error that nobody foresaw may hold anything.
    passing = effect != "read" or isinstance(error, ConnectionError | TimeoutError)
    return doubt(effect, "tool_error", f"The tool failed with {type(error).__name__}.", retryable=passing)


def _accept_result(call: Call, function: Callable[..., Any] | None, result: object) -> Outcome:
    """Take in a result by way of JSON text: later changes by the tool cannot reach the recorded value.

    ``function``: that of the tool, whose hint says what a read-back returns as well.
    """
    try:
        told = result if function is None else express(call.spec.config, function, result)
        value = json.loads(_STRICT.encode(told))
    except (TypeError, ValueError, RecursionError) as error:
        detail = f"The result is not a JSON value: {error}"
        return doubt(call.spec.effect, "bad_output", detail, retryable=False)
    return accept_value(call, value)
