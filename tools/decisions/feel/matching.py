"""Cells as functions: does this value fit? (DMN 1.5, 7.3.3, 8.3.3 and table 54)"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, time

from tools.decisions.errors import FeelError
from tools.decisions.feel.comparison import Truth, all_of, any_of, compare, equal, find_order, none_of, order
from tools.decisions.feel.evaluation import (
    Scope,
    Types,
    check_type,
    compile_expression,
    constant,
    is_constant,
)
from tools.decisions.feel.syntax import Comparison, Expression, Interval, UnaryTest, UnaryTests
from tools.decisions.feel.values import FeelType, Value

Matcher = Callable[[Value, Scope], Truth]
# Of these one value is not simply less or more than another: half of them are not comparable, or have no order.
_PARTLY_ORDERED = (bool, time, datetime, type(None))


@dataclass(frozen=True, slots=True)
class Cell:
    """A compiled cell; `matches` is None for ``-``."""

    tests: UnaryTests
    matches: Matcher | None


def compile_tests(tests: UnaryTests, wanted: FeelType, types: Types) -> Cell:
    """Return the cell that tests stand for; raises FeelError for one that can never fit `wanted`."""
    for test in tests.tests:
        _check_test(test, wanted, types)
    return Cell(tests, _join(tests) if tests.tests else None)


def endpoints_of(tests: UnaryTests) -> Iterator[Expression]:
    """Yield every endpoint in a cell."""
    for test in tests.tests:
        yield from (test.low, test.high) if isinstance(test, Interval) else (test.endpoint,)


def _check_test(test: UnaryTest, wanted: FeelType, types: Types) -> None:
    for endpoint in endpoints_of(UnaryTests((test,))):
        check_type(endpoint, wanted, types)
    if isinstance(test, Interval):
        _check_ends(test)
    elif test.sign not in ("=", "!="):
        _check_ordered(test.endpoint, wanted)


def _check_ends(test: Interval) -> None:
    if not (is_constant(test.low) and is_constant(test.high)):
        return
    low, high = constant(test.low), constant(test.high)
    fits = compare("<=" if test.low_closed and test.high_closed else "<", low, high)
    if fits is None:
        raise FeelError("the ends of this interval cannot be compared", test.position)
    if not fits:
        raise FeelError("nothing lies in this interval", test.position)


def _check_ordered(endpoint: Expression, wanted: FeelType) -> None:
    value = constant(endpoint) if is_constant(endpoint) else ""
    if wanted is FeelType.BOOLEAN or isinstance(value, bool) or value is None:
        raise FeelError("true, false and null are not less or more than anything", endpoint.position)


def _join(tests: UnaryTests) -> Matcher:
    one = _texts(tests) or _any([_matcher(test) for test in tests.tests])
    return (lambda value, scope: none_of(one(value, scope))) if tests.negated else one


def _texts(tests: UnaryTests) -> Matcher | None:
    """Return one look into a set, if a cell is a list of texts: the most common of all cells."""
    equals = [test.endpoint for test in tests.tests if isinstance(test, Comparison) and test.sign == "="]
    texts = {constant(endpoint) for endpoint in equals if is_constant(endpoint)}
    if len(equals) != len(tests.tests) or not all(map(is_constant, equals)):
        return None
    if not all(isinstance(text, str) for text in texts):
        return None
    return lambda value, scope: value in texts if type(value) is str else (False if value is None else None)


def _any(matchers: list[Matcher]) -> Matcher:
    if len(matchers) == 1:
        return matchers[0]

    def matches(value: Value, scope: Scope) -> Truth:
        found: Truth = False
        for each in matchers:
            found = any_of(found, each(value, scope))
            if found is True:
                return True
        return found

    return matches


def _matcher(test: UnaryTest) -> Matcher:
    if isinstance(test, Comparison):
        return _comparison(test.sign, test.endpoint)
    low = _comparison(">=" if test.low_closed else ">", test.low)
    high = _comparison("<=" if test.high_closed else "<", test.high)

    def matches(value: Value, scope: Scope) -> Truth:
        above = low(value, scope)
        return False if above is False else all_of(above, high(value, scope))

    return matches


def _comparison(sign: str, endpoint: Expression) -> Matcher:
    evaluate = compile_expression(endpoint)
    if sign == "=":
        return lambda value, scope: equal(value, evaluate(scope))
    if sign == "!=":
        return lambda value, scope: none_of(equal(value, evaluate(scope)))
    if is_constant(endpoint) and not isinstance(constant(endpoint), _PARTLY_ORDERED):
        return _fixed_order(sign, constant(endpoint))
    holds = find_order(sign)
    return lambda value, scope: order(holds, value, evaluate(scope))


def _fixed_order(sign: str, limit: Value) -> Matcher:
    holds, kind = find_order(sign), type(limit)
    return lambda value, scope: holds(value, limit) if type(value) is kind else None
