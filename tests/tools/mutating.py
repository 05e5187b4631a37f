"""Mutants of a module's source, one place changed at a time, in more ways than to loosen a line.

A condition is always or never met, `and` is `or`, a comparison is turned round or off by one, a negation is left out, a
set is joined instead of cut, the least is the most, all is any, a default is left out.
"""

from __future__ import annotations

import ast
import copy
import inspect
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType

from tests.tools.test_policy_mutants import Answers, Names, load

Asks = Callable[[Names], Answers]
Change = Callable[[], None]
Place = tuple[ast.expr | ast.stmt | ast.comprehension, str, Change]

COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,), ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}  # fmt: skip
SWAPPED = {"any": "all", "all": "any", "min": "max", "max": "min"}
JOINED: dict[type[ast.operator], type[ast.operator]] = {
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.Add: ast.Sub, ast.Sub: ast.Add
}  # fmt: skip


def mutants_of(module: ModuleType) -> Iterator[tuple[str, ast.Module]]:
    """Yield a module's source with one place of it changed, named by its line and by what was done to it."""
    source = inspect.getsource(module)
    lines = source.splitlines()
    for number in range(len(list(_places(ast.parse(source))))):
        tree = ast.parse(source)
        node, what, change = list(_places(tree))[number]
        at = node.target if isinstance(node, ast.comprehension) else node
        change()
        yield f"{lines[at.lineno - 1].strip()} [{what}]", ast.fix_missing_locations(tree)


def check_that_each_is_seen(module: ModuleType, ask: Asks, equal: Mapping[str, str]) -> None:
    """Fail for a mutant of which the answers are the right one's; but for those that nobody could see, all of them."""
    right = _answers_of(module, ast.parse(inspect.getsource(module)), ask)
    assert len(right) > 20, right
    mutants = list(mutants_of(module))
    assert len(mutants) > 10
    unseen = [name for name, tree in mutants if _answers_of(module, tree, ask) == right]
    assert [name for name in unseen if name not in equal] == []
    assert [name for name, _ in mutants if name in equal and name not in unseen] == []


def _answers_of(module: ModuleType, tree: ast.Module, ask: Asks) -> Answers:
    try:
        return ask(load(copy.deepcopy(tree), module))
    except Exception as error:  # a mutant that falls over is noticed too
        return [repr(error)]


def _places(tree: ast.Module) -> Iterator[Place]:
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        for node in _own(function):
            yield from _changes(node)


def _own(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """Yield what a function does, without its annotations and defaults, and those of what it holds."""
    for statement in function.body:
        noted = {id(each) for node in ast.walk(statement) for note in _notes(node) for each in ast.walk(note)}
        yield from (node for node in ast.walk(statement) if id(node) not in noted)


def _notes(node: ast.AST) -> list[ast.expr]:
    """Return what a node says for type checkers alone."""
    match node:
        case ast.AnnAssign(annotation=note) | ast.arg(annotation=ast.expr() as note):
            return [note]
        case ast.FunctionDef(returns=ast.expr() as note):
            return [note]
    return []


def _changes(node: ast.AST) -> Iterator[Place]:
    match node:
        case ast.If() | ast.IfExp():
            yield node, "always", lambda: setattr(node, "test", ast.Constant(True))
            yield node, "never", lambda: setattr(node, "test", ast.Constant(False))
        case ast.BoolOp():
            swapped = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield node, type(swapped).__name__, lambda: setattr(node, "op", swapped)
        case ast.Compare(ops=[op]):
            for other in COMPARED[type(op)]:
                yield node, other.__name__, lambda other=other: setattr(node, "ops", [other()])  # type: ignore[misc]  # bound now
        case ast.UnaryOp(op=ast.Not()):
            yield node, "not left out", lambda: _bare(node)
        case ast.BinOp() if type(node.op) in JOINED:
            other_op = JOINED[type(node.op)]
            yield node, other_op.__name__, lambda: setattr(node, "op", other_op())
        case ast.Call(func=ast.Name(id=name)) if name in SWAPPED:
            yield node, SWAPPED[name], lambda: setattr(node, "func", ast.Name(SWAPPED[name], ast.Load()))
        case ast.comprehension(ifs=[_, *_]):
            yield node, "no condition", lambda: setattr(node, "ifs", [])


def _bare(node: ast.UnaryOp) -> None:
    """Let `not x` be whether x holds."""
    node.op, node.operand = ast.Not(), ast.UnaryOp(ast.Not(), node.operand)
