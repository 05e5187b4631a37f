"""A function's signature, read once: what a tool of it takes and answers, and its arguments and results turned."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, get_args, get_origin
from uuid import UUID

import typing_extensions
from pydantic import Field, TypeAdapter, ValidationError

from tools.functions.hints import HintReader
from tools.functions.schemas import schema_of

OURS = ("call", "credential")  # what the platform gives, not the model
NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class UnusableSignature(ValueError):
    """A signature that no tool can be made of; ``faults`` say why, worded as "where: what"."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Signature:
    """What a function says of itself. Any: JSON Schemas, and values of whatever the hints name."""

    description: str
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]
    takes: Mapping[str, TypeAdapter[Any]]
    returns: TypeAdapter[Any]

    def convert(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return JSON arguments as what the hints say. Raises ValueError without repeating a value."""
        return {name: self._convert(name, value) for name, value in arguments.items()}

    def express(self, result: object) -> Any:
        """Return a result as JSON. Raises TypeError for what is not what the function says that it returns."""
        try:
            return _as_json(self.returns.dump_python(result, mode="python", warnings="error"))
        except Exception as error:  # which repeats the value, or is of a class's own making
            raise TypeError("it is not of the type that the function's hint names") from error

    def _convert(self, name: str, value: Any) -> Any:
        if name not in self.takes:
            return value  # which binding refuses, as any unknown name
        try:
            return self.takes[name].validate_python(value)
        except ValidationError as error:
            raise ValueError(f"{name}: {_words(error)}") from error
        except Exception as error:  # a class's own check may raise anything
            raise ValueError(f"{name}: its class refuses it ({type(error).__name__})") from error


def read_signature(function: Callable[..., Any]) -> Signature:
    """Read what a function takes and returns. Raises UnusableSignature with every fault."""
    hints = _hints_of(function)
    parameters = {
        name: each for name, each in inspect.signature(function).parameters.items() if name not in OURS
    }
    faults = _find_faults(parameters, hints)
    if faults:
        raise UnusableSignature(faults)
    takes = {name: _adapt(hints[name], name) for name in parameters}
    returns = _adapt(hints["return"], "the result")
    return Signature(
        description=inspect.getdoc(function) or "",
        input_schema=_describe(takes, parameters),
        output_schema=schema_of(returns, "serialization"),
        takes=takes,
        returns=returns,
    )


def _hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing_extensions.get_type_hints(function, include_extras=True)
    except Exception as error:  # to look a hint up evaluates it: anything may come out of it
        why = f"its hints cannot be looked up ({type(error).__name__}): import what they name where it runs"
        raise UnusableSignature([why]) from error


def _find_faults(parameters: Mapping[str, inspect.Parameter], hints: Mapping[str, Any]) -> list[str]:
    reader = HintReader()
    for name, parameter in parameters.items():
        if parameter.kind not in NAMED:
            reader.faults.append(
                f"{name}: arguments are given by name, each declared: no *, ** or / parameters"
            )
        elif name not in hints:
            reader.faults.append(f"{name}: it has no type hint")
        else:
            _read_parameter(reader, parameter, hints[name])
    if "return" not in hints:
        reader.faults.append("the result: say what it returns")
    else:
        reader.read(hints["return"], "the result")
    return reader.faults


def _read_parameter(reader: HintReader, parameter: inspect.Parameter, hint: Any) -> None:
    before = len(reader.faults)
    reader.read(hint, parameter.name)
    if parameter.default is not inspect.Parameter.empty and len(reader.faults) == before:
        reader.read_default(hint, parameter.default, parameter.name)


def _adapt(hint: Any, where: str) -> TypeAdapter[Any]:
    try:
        adapter = TypeAdapter(_with_description(hint))
        schema_of(adapter, "validation")
    except Exception as error:  # of pydantic: a bound that does not fit its type, and the like
        raise UnusableSignature(
            [f"{where}: its hint says nothing that could be kept ({type(error).__name__})"]
        ) from error
    return adapter


def _with_description(hint: Any) -> Any:
    """Return a hint with the words beside it as its description, as `Annotated[int, "how many"]` means them."""
    if get_origin(hint) is not Annotated:
        return hint
    words = [
        each.documentation if isinstance(each, typing_extensions.Doc) else each for each in get_args(hint)[1:]
    ]
    told = " ".join(each for each in words if isinstance(each, str))
    return Annotated[hint, Field(description=told)] if told else hint


def _describe(
    takes: Mapping[str, TypeAdapter[Any]], parameters: Mapping[str, inspect.Parameter]
) -> dict[str, Any]:
    properties, required = {}, []
    for name, adapter in takes.items():
        properties[name] = schema_of(adapter, "validation")
        if parameters[name].default is inspect.Parameter.empty:
            required.append(name)
        else:
            properties[name]["default"] = _as_json(adapter.dump_python(parameters[name].default))
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _as_json(value: Any) -> Any:
    """Return a value of a hint as JSON; a Decimal in full, never as an exponent."""
    match value:
        case Enum():
            return value.value
        case Decimal():
            return format(value, "f")
        case date():
            return value.isoformat()
        case UUID():
            return str(value)
        case dict():
            return {name: _as_json(each) for name, each in value.items()}
        case list() | tuple():
            return [_as_json(each) for each in value]
    return value


def _words(error: ValidationError) -> str:
    """Return what is wrong in pydantic's words, which hold no value; a class's own check may put one into its own."""
    told = []
    for each in error.errors(include_url=False, include_input=False, include_context=False)[:3]:
        place = ".".join(str(part) for part in each["loc"])
        is_own = each["type"] in ("value_error", "assertion_error")
        told.append(f"{place} {'its class refuses it' if is_own else each['msg']}".strip())
    return "; ".join(told)
