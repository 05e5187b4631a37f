"""How arguments are written in an address, a header and a form (OpenAPI's styles, RFC 6570).

All raise ValueError for a value that the notation cannot carry: what a person approved has to be what is sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from tools.adapters.http.places import Place

HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,510}[\x21-\x7e])?")
_BETWEEN = {"form": ",", "spaceDelimited": "%20", "pipeDelimited": "%7C"}

Value = Any  # Any: JSON, valid by the tool's schema


def scalar_text(name: str, value: Value) -> str:
    """Return a text, number or boolean as it is written."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise ValueError(f"{name} must be text, a number or a boolean to be part of an address")


def write_query(argument: str, place: Place, value: Value, taken: set[str]) -> list[str]:
    """Return the pairs that an argument comes to, percent-encoded; ``taken`` are the names of others."""
    if value is None:
        return []
    if place.style == "json":
        return [_pair(place.name, json.dumps(value, ensure_ascii=False, separators=(",", ":")))]
    if isinstance(value, dict):
        return _write_object(argument, place, value, taken)
    if not isinstance(value, list):
        return [_pair(place.name, scalar_text(argument, value))]
    if place.style == "deepObject":
        raise ValueError(f"{argument} must be an object of texts, numbers and booleans")
    texts = [quote(scalar_text(argument, item), safe="") for item in value]
    name = quote(place.name, safe="")
    if place.explode:
        return [f"{name}={text}" for text in texts]
    return [f"{name}={_BETWEEN[place.style].join(texts)}"] if texts else []


def _write_object(argument: str, place: Place, value: Mapping[str, Value], taken: set[str]) -> list[str]:
    texts = {key: scalar_text(f"{argument}.{key}", item) for key, item in value.items() if item is not None}
    if place.style == "deepObject":
        return [_pair(f"{place.name}[{key}]", text) for key, text in texts.items()]
    if place.style != "form":
        raise ValueError(f"{argument} cannot be an object in this notation")
    if not place.explode:
        parts = [quote(part, safe="") for pair in texts.items() for part in pair]
        return [f"{quote(place.name, safe='')}={','.join(parts)}"] if parts else []
    if clash := texts.keys() & taken:
        raise ValueError(f"{argument} has {min(clash)!r} in it, which is another parameter of the address")
    return [_pair(key, text) for key, text in texts.items()]


def write_header(argument: str, value: Value) -> str:
    """Return an argument as a header's value: printable ASCII, lists by commas."""
    items = [scalar_text(argument, item) for item in (value if isinstance(value, list) else [value])]
    if isinstance(value, list) and any("," in item for item in items):
        raise ValueError(f"{argument} cannot be a list in a header with a comma in one of its items")
    text = ",".join(items)
    if not HEADER_VALUE.fullmatch(text):
        raise ValueError(f"{argument} must be 1 to 512 printable ASCII characters to be a header")
    return text


def write_path(argument: str, value: Value, as_segment: Callable[[str, Value], str]) -> str:
    """Return an argument as part of one segment, percent-encoded; ``as_segment`` refuses what would be more."""
    if isinstance(value, list):
        items = [as_segment(argument, item) for item in value]
        if any("," in item for item in items):
            raise ValueError(f"{argument} cannot be a list in an address with a comma in one of its items")
        as_segment(argument, ",".join(items))
        return ",".join(quote(item, safe="") for item in items)
    return quote(as_segment(argument, value), safe="")


def write_form(values: Mapping[str, Value]) -> bytes:
    """Return a body of type application/x-www-form-urlencoded; lists repeat their name."""
    return "&".join(_form_pairs(values)).encode()


def _form_pairs(values: Mapping[str, Value]) -> Iterator[str]:
    for name, value in values.items():
        for item in value if isinstance(value, list) else [] if value is None else [value]:
            yield _pair(name, scalar_text(name, item))


def _pair(name: str, text: str) -> str:
    return f"{quote(name, safe='')}={quote(text, safe='')}"
