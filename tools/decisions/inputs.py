"""JSON read as the inputs of a decision: strictly, for a value that is nearly right decides wrongly."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal

from tools.decisions.errors import InvalidInputs, Problem
from tools.decisions.feel.literals import read_number
from tools.decisions.feel.temporal import read_temporal
from tools.decisions.feel.values import FeelType, Value, describe
from tools.decisions.tables import Variable

MAX_STRING = 10_000
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_LARGEST_BITS = 128  # 34 digits are 113 bits: converting a longer integer would only cost time


def read_inputs(variables: Sequence[Variable], document: Mapping[str, object]) -> dict[str, Value]:
    """Return the values by qualified name; raises InvalidInputs with a problem for each input that is wrong.

    A number is an int or a Decimal; a float is taken by its shortest text, so parse JSON with
    ``parse_float=Decimal`` where more than 15 digits count. Every variable must be there; null has to be said.
    """
    problems: list[Problem] = []
    values: dict[str, Value] = {}
    for name, kind, found in _pair(variables, document, "", problems):
        try:
            values[name] = read_value(kind, found)
        except ValueError as error:
            problems.append(Problem(name, str(error)))
    if problems:
        raise InvalidInputs(problems)
    return values


def read_value(kind: FeelType, found: object) -> Value:
    """Return one JSON value as a value of the type; raises ValueError with plain words."""
    if found is None:
        return None
    wanted = _guess(found) if kind is FeelType.ANY else kind
    if wanted in _READERS:
        return _READERS[wanted](found)
    if not isinstance(found, str):
        raise ValueError(f"{describe(wanted)} is a text, not {_name(found)}")
    return read_temporal(wanted, found)


def flatten(variables: Sequence[Variable], prefix: str = "") -> Iterator[Variable]:
    """Yield every variable that has a value, structures taken apart, with its qualified name."""
    for each in variables:
        name = prefix + each.name
        if each.fields:
            yield from flatten(each.fields, f"{name}.")
        else:
            yield Variable(name, each.type, each.allowed)


def _pair(
    variables: Sequence[Variable], document: Mapping[str, object], prefix: str, problems: list[Problem]
) -> Iterator[tuple[str, FeelType, object]]:
    known = {each.name for each in variables}
    problems += [Problem(prefix + str(name), "is no input") for name in document if name not in known]
    for each in variables:
        name = prefix + each.name
        if each.name not in document:
            problems.append(Problem(name, "is missing"))
        elif each.fields:
            yield from _pair_fields(each, document[each.name], name, problems)
        else:
            yield name, each.type, document[each.name]


def _pair_fields(
    variable: Variable, found: object, name: str, problems: list[Problem]
) -> Iterator[tuple[str, FeelType, object]]:
    if isinstance(found, Mapping):
        yield from _pair(variable.fields, found, f"{name}.", problems)
    else:
        problems.append(Problem(name, f"is a structure, not {_name(found)}"))


def _guess(found: object) -> FeelType:
    if isinstance(found, bool):
        return FeelType.BOOLEAN
    return FeelType.STRING if isinstance(found, str) else FeelType.NUMBER


def _number(found: object) -> Value:
    if isinstance(found, bool) or not isinstance(found, int | float | Decimal):
        raise ValueError(f"a number is expected, not {_name(found)}")
    if isinstance(found, int) and found.bit_length() > _LARGEST_BITS:
        raise ValueError("a number has at most 34 digits")
    return read_number(repr(found) if isinstance(found, float) else str(found))


def _string(found: object) -> Value:
    if not isinstance(found, str):
        raise ValueError(f"a string is expected, not {_name(found)}")
    if len(found) > MAX_STRING or _UNSTORABLE.search(found):
        raise ValueError(f"a string has at most {MAX_STRING} characters, none of them NUL or half of a pair")
    return found


def _boolean(found: object) -> Value:
    if not isinstance(found, bool):
        raise ValueError(f"true or false is expected, not {_name(found)}")
    return found


_READERS: dict[FeelType, Callable[[object], Value]] = {
    FeelType.NUMBER: _number,
    FeelType.STRING: _string,
    FeelType.BOOLEAN: _boolean,
}


def _name(found: object) -> str:
    kinds = {bool: "true or false", str: "a string", dict: "an object", list: "a list", type(None): "null"}
    return kinds.get(
        type(found), "a number" if isinstance(found, int | float | Decimal) else "something else"
    )
