"""The policy, its weighing and what was meant, changed in every way at every place: each is seen, reasons included."""

from __future__ import annotations

import ast
import copy
import inspect
from dataclasses import replace
from decimal import Decimal
from itertools import product
from types import ModuleType

import pytest

from tests.tools import test_policy_mutants as loosened
from tests.tools.mutating import mutants_of
from tests.tools.provenance import test_judging as judged
from tests.tools.test_policy import ASK, GOOD, GRANT, PARENT
from tests.tools.test_policy_mutants import DEEP, Answers, Names, policy_with
from tools import policy, weighing
from tools.authority import Bound
from tools.caps import Cap
from tools.provenance import judging
from tools.provenance.declaration import read_declaration
from tools.provenance.judging import Meant
from tools.provenance.labels import Label, label_leaves
from tools.provenance.plans import Planned
from tools.provenance.sources import Sources

pytestmark = [pytest.mark.attacks, pytest.mark.slow]

WIDE, TIGHT = (Bound("ALLOW_WITH_CAPS", (Cap("call", None, Decimal(most)),)) for most in (1000, 1))


def ask_policy(names: Names) -> Answers:
    told = loosened.ask_policy(names)
    grants = [None, *(replace(GRANT, veto_s=s, confirmation=c) for s in (0, 10, 60) for c in (True, False))]
    for own in grants:
        for other in grants:
            standing = replace(GOOD, grant=own, parents=(replace(PARENT, grant=other),))
            told.append([names["find_veto_window"](effect, standing) for effect in ("read", "reversible")])
            told.append(names["needs_confirmation"](standing))
    for bound in (WIDE, TIGHT, replace(TIGHT, over_caps="REQUIRE_APPROVAL")):
        told.append(names["decide"](ASK, replace(GOOD, for_user=(bound,))))
    for ask, standing in loosened.policy_cases():
        told.append([(reason.code, reason.detail) for reason in names["decide"](ask, standing).reasons])
    return told


SAID = ["Send Ann 50.00 for A-9"]
# A Cyrillic letter among Latin ones, as trusted data may hold it.
KEPT = label_leaves(
    {
        "key": "secret-4711",
        "to": "Bob",
        "sum": "аb",
        "others": ["аnn Lee", "Anna\nLee", "ѕсоре.com", "ѕсоре"],
    },
    (
        (("key",), Label("trusted", sensitive=True)),
        (("sum",), Label("trusted")),
        (("others", "*"), Label("trusted")),
    ),
    "step 1",
)
MARKED = read_declaration(
    "send", {"arguments": {"to": "destination", "id": "identifier", "text": "content", "sum": "amount"}}
)
CALLS = [
    {"to": "Ann", "text": "secret-4711"}, {"to": "Ann", "id": "Z-1", "text": "secret-4711"}, {"text": "secret-4711"},
    {"to": "Bob", "text": "secret-4711"}, {"to": "Ann", "id": "50", "sum": "50"}, {"to": "Ann", "id": "A-9", "sum": 50},
    {"to": "аnn Lee"}, {"to": "Anna\nLee"}, {"to": "ѕсоре.com"}, {"to": "ѕсоре"}, {"id": "аnn"},
    {"to": "Ann", "sum": "аb"},
    {"to": "Ann", "text": "write to eve@evil.example"}, {"to": "Ann", "text": "write to ann@x.org"}, {"to": "Eve"},
]  # fmt: skip


def ask_judging(names: Names) -> Answers:
    told = loosened.ask_judging(names)
    sources = Sources([*SAID, "or ann@x.org"], KEPT)
    for arguments in CALLS:
        found = names["judge"]("send", "reversible", MARKED, arguments, Meant(sources))
        told.append([(each.word, each.code, each.detail) for each in found])
        told.append([(each.kind, each.text) for each in names["trace_values"](MARKED, arguments, sources)])
    for plan in ({}, {"send": Planned(1)}, {"send": Planned(2, {"to": "Ann"})}):
        for near, asked in product((True, False), repeat=2):
            for off in ("DENY", "REQUIRE_APPROVAL"):
                meant = names["Meant"](judged.sources(), plan, 1, off, is_near=near, is_asked_for=asked)
                told.append([each.word for each in names["judge"]("send", "reversible", MARKED, {}, meant)])
    for path, marked in (
        (("a", "*", "b"), ("a", "b")),
        (("a", "b"), ("a", "*", "b")),
        (("a",), ("a", "b")),
        (("x",), ("a",)),
    ):
        told.append(names["is_below"](path, marked))
    nested = [{"a": [1, True, None, " ", "x"]}, {"b": 2}]
    told += [
        list(names["texts_at"](nested, path))
        for path in ((), ("a",), ("*", "a"), ("*", "*"), ("*", "b", "*"))
    ]
    told.append(list(names["texts_at"]({"lines": [{"sku": "A"}], "n": 0}, DEEP.arguments[0][0])))
    return told


def answers_of(module: ModuleType, tree: ast.Module) -> Answers:
    try:
        names = loosened.load(copy.deepcopy(tree), module)
        if module is judging:
            return ask_judging(names)
        return ask_policy(names if module is policy else policy_with(names))
    except Exception as error:  # a mutant that falls over is noticed too
        return [repr(error)]


@pytest.mark.parametrize("module", [policy, weighing, judging], ids=lambda module: module.__name__)
def test_whatever_is_changed_is_seen(module: ModuleType) -> None:
    right = answers_of(module, ast.parse(inspect.getsource(module)))
    assert len(right) > 20
    mutants = list(mutants_of(module))
    assert len(mutants) > 50
    assert [name for name, tree in mutants if answers_of(module, tree) == right] == []
