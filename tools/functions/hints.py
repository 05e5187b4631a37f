"""Which type hints are understood: a closed list. What is not on it is refused in words, never guessed at.

Each hint is told apart by what its values are in JSON. A union is one whose members are told apart by that alone.
"""

from __future__ import annotations

import dataclasses
import sys
import types
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum, Flag
from typing import Annotated, Any, Literal, NotRequired, Required, Union, get_args, get_origin
from uuid import UUID

import annotated_types
import typing_extensions
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

Kinds = frozenset[str]

NOTHING: Kinds = frozenset()
SCALARS: Mapping[object, str] = {
    str: "text", int: "number", float: "number", bool: "boolean", Decimal: "text", date: "text", datetime: "text",
    UUID: "text", type(None): "null", None: "null",
}  # fmt: skip
NUMBERS, LENGTHS = (int, float, Decimal), (str, list, dict)
# Each rule, and the types whose schema says it: of others pydantic would check it behind the model's back.
MEANT_FOR: Mapping[object, tuple[object, ...]] = {
    annotated_types.Ge: NUMBERS, annotated_types.Gt: NUMBERS, annotated_types.Le: NUMBERS,
    annotated_types.Lt: NUMBERS, annotated_types.MultipleOf: NUMBERS,
    annotated_types.MinLen: LENGTHS, annotated_types.MaxLen: LENGTHS,
    "pattern": (str,), "max_digits": (Decimal,), "decimal_places": (Decimal,),
}  # fmt: skip
BLANK = FieldInfo().asdict()["attributes"]
DIGITS = type(
    FieldInfo(pattern="").metadata[0]
)  # pydantic keeps what no bound says in a class without a public name
SAID_OF_A_FIELD = frozenset({"annotation", "description", "title", "examples"})
WANTED = (
    "write str, int, float, bool, Decimal, date, datetime, UUID, a Literal, an Enum, a list, tuple or dict of these, a "
    "TypedDict, a dataclass or a NamedTuple"
)


class HintReader:
    """Read hints, and gather what is wrong with them as "where: what"."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def read(self, hint: object, where: str, inside: tuple[object, ...] = ()) -> Kinds:
        """Return what values of a hint are in JSON; nothing for one that is refused. ``inside``: classes around it."""
        if isinstance(hint, type(None) | type) and hint in SCALARS:
            return frozenset({SCALARS[hint]})
        origin = get_origin(hint)
        if origin is Annotated:
            return self._read_annotated(hint, where, inside)
        if origin in (Required, NotRequired, typing_extensions.ReadOnly):
            return self.read(get_args(hint)[0], where, inside)
        if origin in (Union, types.UnionType):
            return self._read_union(get_args(hint), where, inside)
        if origin is Literal:
            return self._read_choices(get_args(hint), where)
        if origin in (list, tuple, dict):
            return self._read_container(origin, get_args(hint), where, inside)
        return self._read_class(hint, where, inside)

    def read_default(self, hint: Any, default: object, where: str) -> None:
        """Refuse a default that is none of the hint's values."""
        try:
            TypeAdapter(hint).validate_python(default, strict=True)
        except Exception:  # of pydantic, or of a class's own check
            self._refuse(where, "its default is none of the values that its hint names")

    def _refuse(self, where: str, what: str) -> Kinds:
        self.faults.append(f"{where}: {what}")
        return NOTHING

    def _read_annotated(self, hint: object, where: str, inside: tuple[object, ...]) -> Kinds:
        inner, *marks = get_args(hint)
        for mark in marks:
            self._read_mark(mark, inner, where)
        return self.read(inner, where, inside)

    def _read_mark(self, mark: object, inner: object, where: str) -> None:
        if isinstance(mark, FieldInfo):
            self._read_field(mark, inner, where)
            return
        if isinstance(mark, str | typing_extensions.Doc):
            return
        rules = vars(mark).keys() if isinstance(mark, DIGITS) else {type(mark)}
        for rule in rules:
            if rule not in MEANT_FOR:
                self._refuse(where, f"{type(mark).__name__} is a rule that no schema says: leave it out")
            elif (get_origin(inner) or inner) not in MEANT_FOR[rule]:
                self._refuse(
                    where, f"{rule if isinstance(rule, str) else rule.__name__} says nothing about its type"
                )

    def _read_field(self, mark: FieldInfo, inner: object, where: str) -> None:
        told = mark.asdict()["attributes"]
        for name in sorted(name for name, value in told.items() if value != BLANK[name]):
            if name not in SAID_OF_A_FIELD:
                self._refuse(
                    where, f"leave {name} out of Field: it takes a description, bounds, a pattern and digits"
                )
        for each in mark.metadata:
            self._read_mark(each, inner, where)

    def _read_union(self, members: Iterable[object], where: str, inside: tuple[object, ...]) -> Kinds:
        seen = NOTHING
        for member in members:
            kinds = self.read(member, where, inside)
            for kind in sorted(seen & kinds):
                self._refuse(
                    where, f"two members of its union are a {kind} in JSON, and which is meant nobody knows"
                )
            seen |= kinds
        return seen

    def _read_choices(self, values: Iterable[object], where: str) -> Kinds:
        kinds = set()
        for value in values:
            kind = {str: "text", int: "number", type(None): "null"}.get(type(value))
            if kind is None:
                return self._refuse(where, "choices are texts or whole numbers")
            kinds.add(kind)
        return frozenset(kinds)

    def _read_container(
        self, origin: object, members: tuple[object, ...], where: str, inside: tuple[object, ...]
    ) -> Kinds:
        if origin is dict:
            if members[0] is not str:
                self._refuse(where, "the keys of a dict are str: in JSON they are texts")
            self.read(members[1], f"{where}.*", inside)
            return frozenset({"object"})
        if not members:
            return self._refuse(where, "an empty tuple says nothing")
        for number, member in enumerate(members):
            if member is not Ellipsis:
                self.read(member, f"{where}[{number if origin is tuple else '*'}]", inside)
        return frozenset({"list"})

    def _read_class(self, hint: object, where: str, inside: tuple[object, ...]) -> Kinds:
        if hint in inside:
            return self._refuse(
                where, f"{_name(hint)} holds itself: say how deep it goes with classes of their own"
            )
        if typing_extensions.is_typeddict(hint):
            if sys.version_info < (3, 12) and type(hint).__module__ == "typing":
                return self._refuse(
                    where, "take TypedDict from typing_extensions: before 3.12 typing's forgets too much"
                )
            return self._read_fields(hint, {}, where, inside, "object")
        if not isinstance(hint, type):
            return self._refuse(where, f"{_name(hint)} is not understood: {WANTED}")
        if issubclass(hint, Enum) and not issubclass(hint, Flag) and len(hint):
            return self._read_choices((_bare(member) for member in hint), where)
        if dataclasses.is_dataclass(hint) and not hasattr(hint, "__pydantic_validator__"):
            return self._read_dataclass(hint, where, inside)
        if issubclass(hint, tuple) and hasattr(hint, "_fields"):
            return self._read_named_tuple(hint, where, inside)
        bare = hint in (list, tuple, dict)
        return self._refuse(where, f"{_name(hint)} {'of what?' if bare else f'is not understood: {WANTED}'}")

    def _read_dataclass(
        self, hint: Any, where: str, inside: tuple[object, ...]
    ) -> Kinds:  # Any: some dataclass
        fields = dataclasses.fields(hint)
        if not all(field.init for field in fields) or dataclasses.InitVar in map(
            type, _hints_of(hint).values()
        ):
            return self._refuse(
                where, f"{_name(hint)} is not made of its fields alone: each has to be given to it"
            )
        defaults = {each.name: each.default for each in fields if each.default is not dataclasses.MISSING}
        return self._read_fields(hint, defaults, where, inside, "object")

    def _read_named_tuple(self, hint: Any, where: str, inside: tuple[object, ...]) -> Kinds:  # Any: as above
        if set(hint._fields) - set(_hints_of(hint)):
            return self._refuse(where, f"{_name(hint)} has fields without a hint")
        return self._read_fields(hint, hint._field_defaults, where, inside, "list")

    def _read_fields(
        self, hint: object, defaults: Mapping[str, object], where: str, inside: tuple[object, ...], kind: str
    ) -> Kinds:
        try:
            hints = _hints_of(hint)
        except Exception as error:  # to look a hint up evaluates it: anything may come out of it
            return self._refuse(
                where, f"the hints of {_name(hint)} cannot be looked up ({type(error).__name__})"
            )
        before = len(self.faults)
        for name, each in hints.items():
            self.read(each, f"{where}.{name}", (*inside, hint))
            if name in defaults and len(self.faults) == before:
                self.read_default(each, defaults[name], f"{where}.{name}")
        return frozenset({kind})


def _bare(member: Enum) -> object:
    """Return a member's value, as what it is in JSON: that of an IntEnum is an int."""
    return member.value


def _hints_of(hint: Any) -> dict[str, Any]:  # Any: a class, and its hints
    return typing_extensions.get_type_hints(hint, include_extras=True)


def _name(hint: object) -> str:
    return str(getattr(hint, "__qualname__", None) or hint)[:80]
