"""Every line that allows, asks or denies, loosened one at a time: the tables have to show each.

A guard is taken out, a denial or a question becomes an allowance, "not allowed" becomes "allowed".
"""

from __future__ import annotations

import ast
import copy
import inspect
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest

from tests.tools import test_policy as by_hand
from tests.tools.provenance import test_judging as judged
from tests.tools.provenance import test_shapes as shaped
from tests.tools.test_policy import ASK, GOOD, GRANT, IRREVERSIBLE, PARENT, TAKEN_AWAY, granted
from tools import policy, weighing
from tools.authority import Ask, Bound, Standing, TableAnswer
from tools.caps import Cap
from tools.provenance import judging
from tools.provenance.declaration import read_declaration
from tools.provenance.judging import Meant, Resolved
from tools.provenance.labels import Label, label_leaves
from tools.provenance.plans import Planned
from tools.provenance.sources import NOWHERE, USER, Sources

pytestmark = [pytest.mark.slow, pytest.mark.attacks]

Names = dict[str, Any]  # what a module holds
Answers = list[object]
LOOSER = {"DENY": "ALLOW", "REQUIRE_APPROVAL": "ALLOW"}


def rows_of(test: Any) -> list[Any]:  # Any: pytest keeps its marks on the function
    """Return the rows of a parametrised test."""
    (mark,) = test.pytestmark
    return list(mark.args[1])


def mutants_of(module: ModuleType) -> Iterator[tuple[str, ast.Module]]:
    """Yield a module's source with one line of it loosened, named by that line."""
    source = inspect.getsource(module)
    count = sum(1 for _ in _places(ast.parse(source)))
    for number in range(count):
        tree = ast.parse(source)
        node, loosen = list(_places(tree))[number]
        line = source.splitlines()[node.lineno - 1].strip()
        loosen()
        yield f"{module.__name__}:{node.lineno}: {line}", ast.fix_missing_locations(tree)


def _places(tree: ast.Module) -> Iterator[tuple[ast.expr | ast.stmt, Callable[[], None]]]:
    for function in (node for node in tree.body if isinstance(node, ast.FunctionDef)):
        for node in ast.walk(function):
            if isinstance(node, ast.If):
                yield node, lambda it=node: setattr(it, "test", ast.Constant(False))  # type: ignore[misc]  # bound now
            elif isinstance(node, ast.Constant) and node.value in LOOSER:
                yield node, lambda it=node: setattr(it, "value", LOOSER[it.value])  # type: ignore[misc]  # bound now
            elif isinstance(node, ast.Tuple) and len(node.elts) == 2 and _is_no(node.elts[1]):
                yield node, lambda it=node: setattr(it.elts[1], "value", True)  # type: ignore[misc]  # bound now


def _is_no(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


# --- policy: who may ---


def policy_cases() -> Iterator[tuple[Ask, Standing]]:
    yield ASK, GOOD
    for taken, _ in TAKEN_AWAY:
        yield ASK, replace(GOOD, **taken)
        yield ASK, replace(granted(decision="REQUIRE_APPROVAL"), **taken)
    terms = rows_of(by_hand.test_terms)
    for own, used, amount, _ in terms:
        standing = replace(
            granted(**{"decision": "ALLOW_WITH_CAPS", **own}), used={by_hand.DAY: used} if used else {}
        )
        yield replace(ASK, amount=None if amount is None else Decimal(amount)), standing
    waived = rows_of(by_hand.test_an_irreversible_call_needs_a_person_or_a_standing_waiver)
    for own, _ in waived:
        yield IRREVERSIBLE, granted(**own)
    for bound in (
        Bound("DENY"),
        Bound("REQUIRE_APPROVAL"),
        Bound("ALLOW_WITH_CAPS", (Cap("call", None, Decimal(1)),)),
    ):
        yield ASK, replace(GOOD, for_user=(bound,))
        yield replace(ASK, limits={"refund": bound}), GOOD
        yield ASK, replace(GOOD, parents=(replace(PARENT, limits={"refund": bound}),))
    for effect in ("read", "reversible"):
        yield replace(ASK, effect=effect), granted(veto_s=60)
        yield replace(ASK, effect=effect), granted(confirmation=True)
    yield replace(ASK, limits={}), GOOD
    yield ASK, replace(GOOD, parents=(PARENT,))
    yield ASK, replace(GOOD, parents=(replace(PARENT, grant=replace(GRANT, decision="REQUIRE_APPROVAL")),))
    table = UUID(int=9)
    for told in (None, *(TableAnswer(word, "", (), ceiling) for word, ceiling in TABLES)):
        answers = {} if told is None else {GRANT.id: told}
        yield replace(ASK, by_table=answers), granted(policy_table=table)
        yield replace(ASK, amount=None, by_table=answers), granted(policy_table=table)


TABLES: list[tuple[str, Decimal | None]] = [
    ("ALLOW", None), ("DENY", None), ("REQUIRE_APPROVAL", None), ("MAYBE", None),
    ("ALLOW_WITH_CAPS", None), ("ALLOW_WITH_CAPS", Decimal(4)), ("ALLOW_WITH_CAPS", Decimal(5)),
]  # fmt: skip


def ask_policy(names: Names) -> Answers:
    told: Answers = []
    for ask, standing in policy_cases():
        decision, bar = names["decide"](ask, standing), names["find_bar"](ask, standing)
        codes = [reason.code for reason in decision.reasons]
        told.append((decision.verdict, decision.code, codes, bar and bar.code))
        told.append(names["find_lost_authority"](standing, ask.now))
    return told


# --- provenance: was it meant ---


LIST = [{"id": "A-51", "name": "Petra Holm"}, {"id": "A-52", "name": "Yusuf Kaya"}]
DEEP = read_declaration(
    "pay", {"arguments": {"lines.*.sku": "identifier", "amount": "amount", "to": "destination"}}
)


def judging_cases() -> Iterator[tuple[str, Any, dict[str, Any], Meant]]:
    table = rows_of(judged.test_where_a_value_comes_from_decides)
    for arguments, said, _ in table:
        yield "reversible", judged.DECLARED, arguments, Meant(judged.sources(said))
    plans = rows_of(judged.test_the_plan_denies_before_anybody_is_asked)
    for plan, used, _ in plans:
        for off_plan in ("DENY", "REQUIRE_APPROVAL"):
            meant = Meant(judged.sources(), plan, used, off_plan)
            yield "reversible", judged.DECLARED, {"to": "DE00EVIL99998888"}, meant
    asking = read_declaration("look_up", {"arguments": {"q": "url", "id": "identifier"}})
    for text in ("what is new", "secret-4711", "see secret-4711 at home"):
        yield "read", asking, {"q": text, "id": "A-9"}, Meant(judged.sources())
    link = Sources((), label_leaves({"link": "https://x.example/9?a=8177", "key": "8177"}, _LINKS, "step 1"))
    for text in ("https://x.example/9?a=8177", "https://x.example/9?b=8177"):
        yield "read", asking, {"q": text}, Meant(link)
    yield "reversible", judged.DECLARED, {"to": "DE00EVIL99998888"}, Meant(judged.sources(), {}, undoes="key")
    yield (
        "reversible",
        judged.DECLARED,
        {"to": "DE00EVIL99998888"},
        Meant(judged.sources(), {}, accepted="run"),
    )
    said = {"to": "Ann"}
    planned = {"send_money": Planned(2, {"to": "Ann"})}
    for before in (None, said, {"to": "Bob"}):
        found = (Resolved(("to",), "GB11AAAA22223333", USER),)
        meant = Meant(judged.sources(), planned, 0, "DENY", found, before)
        yield "reversible", judged.DECLARED, {"to": "GB11AAAA22223333"}, meant
    for origin in (USER, NOWHERE):
        for path in (("lines", "*", "sku"), ("to",)):
            meant = Meant(Sources(), resolved=(Resolved(path, "A-1", origin),))
            yield "reversible", DEEP, {"lines": [{"sku": "A-1"}, {"sku": ""}, {"sku": True}]}, meant
    yield "reversible", DEEP, {"amount": "fifty", "to": "x"}, Meant(Sources(["fifty 50"]))
    naming = Sources(["Shortlist Yusuf Kaya"], label_leaves(LIST, (((), Label("trusted")),), "step 1"))
    naming.read_lists(LIST)
    for sku in ("A-51", "A-52"):
        yield "reversible", DEEP, {"lines": [{"sku": sku}]}, Meant(naming)
    for given, said_, _ in rows_of(
        shaped.test_a_value_of_the_form_that_the_user_gave_is_theirs_or_a_person_is_asked
    ):
        for effect in ("reversible", "read"):
            yield effect, shaped.MOVING, given, Meant(Sources([said_]))
    looked_up = (Resolved(("day",), "2027-01-05", USER),)
    dated = Meant(Sources(["after 2027-01-04"]), resolved=looked_up)
    yield "reversible", shaped.MOVING, {"day": "2027-01-05", "other": "2027-01-05"}, dated


_LINKS = ((("key",), Label("trusted", sensitive=True)),)


def ask_judging(names: Names) -> Answers:
    return [
        [
            (found.word, found.code)
            for found in names["judge"]("send_money", effect, declared, arguments, meant)
        ]
        for effect, declared, arguments, meant in judging_cases()
    ]


# --- all of them ---


def load(tree: ast.Module, module: ModuleType) -> Names:
    """Return what a changed module holds."""
    names: Names = {"__name__": module.__name__}
    exec(compile(tree, module.__name__, "exec"), names)  # noqa: S102  our own source
    return names


def policy_with(changed: Names) -> Names:
    """Return the policy, over a changed way of weighing."""
    names = load(ast.parse(inspect.getsource(policy)), policy)
    names.update({name: changed[name] for name in ("apply_grant", "apply_bound")})
    return names


def answers_of(module: ModuleType, tree: ast.Module) -> Answers:
    names = load(copy.deepcopy(tree), module)
    try:
        if module is judging:
            return ask_judging(names)
        return ask_policy(names if module is policy else policy_with(names))
    except Exception as error:  # a mutant that falls over is noticed too
        return [repr(error)]


@pytest.mark.parametrize("module", [policy, weighing, judging], ids=lambda module: module.__name__)
def test_whatever_is_loosened_is_seen(module: ModuleType) -> None:
    right = answers_of(module, ast.parse(inspect.getsource(module)))
    assert len(right) > 20
    mutants = list(mutants_of(module))
    assert len(mutants) > 15
    assert [name for name, tree in mutants if answers_of(module, tree) == right] == []
