"""Definitions read from JSON: what is not known is refused, and every problem is told with its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeVar

from tools.decisions.errors import Problem
from tools.decisions.feel.values import FeelType, find_type
from tools.decisions.formulas import Formula
from tools.decisions.graphs import DecisionModel, DecisionNode
from tools.decisions.tables import Aggregation, HitPolicy, Input, Output, Rule, Table, Variable

_T = TypeVar("_T")
_E = TypeVar("_E", bound=Enum)
Row = Mapping[str, Any]  # Any: JSON, checked here
NOTHING: Row = {}
DEEPEST = 8


@dataclass
class Reading:
    """Reads the parts of a definition and notes what is wrong with each."""

    problems: list[Problem] = field(default_factory=list)

    def only(self, place: str, row: object, names: Iterable[str]) -> Row:
        """Return an object that has no other names."""
        if not isinstance(row, Mapping):
            return self._refuse(place, "is an object", NOTHING)
        for name in sorted(str(name) for name in set(row) - set(names)):
            self._refuse(place, f"has {name[:60]!r}, which is not known", None)
        return row

    def text(self, place: str, row: Row, name: str) -> str:
        """Return a text, which is empty where there is none."""
        found = row.get(name, "")
        return found if isinstance(found, str) else self._refuse(place, f"{name} is a text", "")

    def texts(self, place: str, row: Row, name: str) -> tuple[str, ...]:
        """Return a list of texts."""
        found = row.get(name, [])
        if isinstance(found, list | tuple) and all(isinstance(each, str) for each in found):
            return tuple(found)
        return self._refuse(place, f"{name} is a list of texts", ())

    def many(self, place: str, row: Row, name: str, read: Callable[[str, object], _T]) -> tuple[_T, ...]:
        """Return a list of parts, each numbered in its place."""
        found = row.get(name, [])
        if not isinstance(found, list | tuple):
            return self._refuse(place, f"{name} is a list", ())
        return tuple(read(f"{name[:-1]} {number}", each) for number, each in enumerate(found, 1))

    def table(self, place: str, document: object) -> Table:
        """Return a table."""
        row = self.only(place, document, Table.__dataclass_fields__)
        named = self.text(place, row, "aggregation")
        return Table(
            inputs=self.many(place, row, "inputs", self.input),
            outputs=self.many(place, row, "outputs", self.output),
            rules=self.many(place, row, "rules", self.rule),
            hit_policy=self._choice(place, self.text(place, row, "hit_policy") or "UNIQUE", HitPolicy.UNIQUE),
            aggregation=self._choice(place, named, Aggregation.SUM) if named else None,
            annotations=self.texts(place, row, "annotations"),
        )

    def input(self, place: str, document: object) -> Input:
        """Return an input clause."""
        row = self.only(place, document, Input.__dataclass_fields__)
        expression, allowed = self.text(place, row, "expression"), self.text(place, row, "allowed")
        return Input(expression, self._type(place, row), allowed, self.text(place, row, "label"))

    def output(self, place: str, document: object) -> Output:
        """Return an output clause."""
        row = self.only(place, document, Output.__dataclass_fields__)
        values, default = self.text(place, row, "values"), self.text(place, row, "default")
        return Output(self.text(place, row, "name"), self._type(place, row), values, default)

    def rule(self, place: str, document: object) -> Rule:
        """Return a rule; one without an id has its number for it."""
        row = self.only(place, document, Rule.__dataclass_fields__)
        return Rule(
            self.text(place, row, "id") or place.rpartition(" ")[2],
            self.texts(place, row, "tests"),
            self.texts(place, row, "outputs"),
            self.texts(place, row, "annotations"),
        )

    def model(self, place: str, document: object) -> DecisionModel:
        """Return a model."""
        row = self.only(place, document, DecisionModel.__dataclass_fields__)
        inputs = self.many(place, row, "inputs", self.variable)
        return DecisionModel(
            self.text(place, row, "name"), inputs, self.many(place, row, "decisions", self.node)
        )

    def variable(self, place: str, document: object, depth: int = 0) -> Variable:
        """Return an input of a model."""
        row = self.only(place, document, Variable.__dataclass_fields__)
        if depth > DEEPEST:
            return self._refuse(place, "is nested too deep", Variable(""))
        fields = self.many(place, row, "fields", lambda at, each: self.variable(at, each, depth + 1))
        name, allowed = self.text(place, row, "name"), self.text(place, row, "allowed")
        return Variable(name, self._type(place, row), allowed, fields)

    def node(self, place: str, document: object) -> DecisionNode:
        """Return a decision of a model, which is a table or a formula."""
        row = self.only(place, document, ("name", "requires", "table", "formula"))
        if ("table" in row) == ("formula" in row):
            self._refuse(place, "has a table or a formula", None)
        logic = (
            self.formula(place, row["formula"]) if "formula" in row else self.table(place, row.get("table"))
        )
        return DecisionNode(self.text(place, row, "name"), logic, self.texts(place, row, "requires"))

    def formula(self, place: str, document: object) -> Formula:
        """Return a formula."""
        row = self.only(place, document, Formula.__dataclass_fields__)
        return Formula(self.text(place, row, "text"), self._type(place, row))

    def _type(self, place: str, row: Row) -> FeelType:
        name = self.text(place, row, "type")
        found = find_type(name) if name else FeelType.ANY
        return found or self._refuse(place, f"{name[:60]!r} is no type", FeelType.ANY)

    def _choice(self, place: str, name: str, otherwise: _E) -> _E:
        known = {each.value: each for each in type(otherwise)}
        return known.get(name) or self._refuse(place, f"choose one of {', '.join(known)}", otherwise)

    def _refuse(self, place: str, words: str, otherwise: _T) -> _T:
        self.problems.append(Problem(place, words))
        return otherwise
