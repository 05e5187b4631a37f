"""The cells of a decision table: unary tests (DMN 1.5, 9.2, rules 11 to 17)."""

from __future__ import annotations

from collections.abc import Iterable

from tools.decisions.errors import FeelError
from tools.decisions.feel.parser import ENDPOINT, Parser
from tools.decisions.feel.syntax import Comparison, Interval, UnaryTest, UnaryTests

MAX_TESTS = 500
_OPENINGS = {"[": True, "(": False, "]": False}
_CLOSINGS = {"]": True, ")": False, "[": False}


def parse_unary_tests(text: str, names: Iterable[str] = ()) -> UnaryTests:
    """Return what a cell says; raises FeelError with the position and plain words."""
    if text.strip() == "-":
        return UnaryTests()
    parser = Parser(text, names)
    if parser.next.kind == "end":
        raise FeelError("nothing is written; `-` means that everything fits")
    tests = _negated(parser) if _is_negation(parser) else UnaryTests(_list(parser))
    parser.expect_end()
    return tests


def _is_negation(parser: Parser) -> bool:
    return parser.next.kind == "keyword" and parser.next.text == "not"


def _negated(parser: Parser) -> UnaryTests:
    parser.take()
    parser.expect("(")
    tests = _list(parser)
    parser.expect(")")
    return UnaryTests(tests, negated=True)


def _list(parser: Parser) -> tuple[UnaryTest, ...]:
    tests = [_test(parser)]
    while (comma := parser.accept(",")) is not None:
        if len(tests) == MAX_TESTS:
            raise FeelError(f"more than {MAX_TESTS} tests in one cell", comma.position)
        tests.append(_test(parser))
    return tuple(tests)


def _test(parser: Parser) -> UnaryTest:
    if _is_negation(parser):
        raise FeelError("`not(…)` stands around all tests of a cell", parser.next.position)
    if _is_interval(parser):
        return _interval(parser)
    sign = parser.accept("<", "<=", ">", ">=", "=", "!=")
    return Comparison(sign.text if sign else "=", parser.whole(ENDPOINT))


def _is_interval(parser: Parser) -> bool:
    """Whether brackets enclose an interval; a round one may also enclose an endpoint."""
    if parser.next.kind != "sign" or parser.next.text not in _OPENINGS:
        return False
    return parser.next.text != "(" or _holds_dots(parser)


def _holds_dots(parser: Parser) -> bool:
    level = 0
    for token in parser.tokens[parser.at :]:
        sign = token.text if token.kind == "sign" else ""
        level += (sign == "(") - (sign == ")")
        if level == 0 or (level == 1 and sign == ".."):
            return sign == ".."
    return False


def _interval(parser: Parser) -> Interval:
    opening = parser.expect(*_OPENINGS)
    low = parser.whole(ENDPOINT)
    parser.expect("..")
    high = parser.whole(ENDPOINT)
    closing = parser.expect(*_CLOSINGS)
    return Interval(low, _OPENINGS[opening.text], high, _CLOSINGS[closing.text], opening.position)
