"""From tokens to trees, by precedence climbing. Size and depth are bounded: no text exhausts the stack."""

from __future__ import annotations

from collections.abc import Iterable

from tools.decisions.errors import FeelError
from tools.decisions.feel.lexer import Token, read_tokens
from tools.decisions.feel.syntax import Expression, Literal, Name, Negation, Operation
from tools.decisions.feel.temporal import read_any, read_duration, read_temporal
from tools.decisions.feel.values import FeelType, Value

MAX_OPERATIONS = 64  # of one expression, so also how deep its tree is at most
COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")
# DMN 1.5, 10.3.1.2: from loose to tight. All are left-associative; a negation binds tightest, so -2 ** 2 is 4.
_STRENGTHS = {"or": 1, "and": 2} | dict.fromkeys(COMPARISONS, 3)
_STRENGTHS |= {"+": 4, "-": 4, "*": 5, "/": 5, "**": 6}
ENDPOINT = 4  # what an endpoint of a test may be: no comparison
_CONSTANTS: dict[str, Value] = {"true": True, "false": False, "null": None}


def parse_expression(text: str, names: Iterable[str] = ()) -> Expression:
    """Return the tree of a simple expression; raises FeelError with the position and plain words."""
    parser = Parser(text, names)
    expression = parser.whole()
    parser.expect_end()
    return expression


class Parser:
    """Reads one text from left to right."""

    def __init__(self, text: str, names: Iterable[str]) -> None:
        self.tokens = read_tokens(text, names)
        self.at = 0
        self.operations = 0

    @property
    def next(self) -> Token:
        """The token that comes next, unread."""
        return self.tokens[self.at]

    def take(self) -> Token:
        """Return the next token and go on."""
        token = self.next
        self.at += token.kind != "end"
        return token

    def accept(self, *texts: str) -> Token | None:
        """Take the next token if it is one of these signs or keywords."""
        fits = self.next.kind in ("sign", "keyword") and self.next.text in texts
        return self.take() if fits else None

    def expect(self, *texts: str) -> Token:
        """Take the next token, which must be one of these; raises FeelError."""
        token = self.accept(*texts)
        if token is None:
            raise self.unexpected(" or ".join(f"`{text}`" for text in texts))
        return token

    def expect_end(self) -> None:
        """Raise FeelError unless everything was read."""
        if self.next.kind != "end":
            raise self.unexpected("the end")

    def unexpected(self, wanted: str) -> FeelError:
        """Return the error that names what is there and what should be."""
        token = self.next
        if token.kind == "word":
            return FeelError(
                f"`{token.text}` is not a name that is known here; a text needs quotes", token.position
            )
        found = f"`{token.text}`" if token.text else "nothing"
        return FeelError(f"{wanted} is expected, {found} is there", token.position)

    def whole(self, strength: int = 1) -> Expression:
        """Read an expression that is within no other."""
        self.operations = 0
        return self.expression(strength)

    def expression(self, strength: int = 1) -> Expression:
        """Read operations that bind at least this tightly."""
        left = self._operand()
        while (sign := self._operator(strength)) is not None:
            self._count(sign)
            left = Operation(sign.text, left, self.expression(_STRENGTHS[sign.text] + 1), sign.position)
            self._refuse_chain(sign)
        return left

    def _operator(self, strength: int) -> Token | None:
        signs = [sign for sign, binds in _STRENGTHS.items() if binds >= strength]
        return self.accept(*signs)

    def _refuse_chain(self, sign: Token) -> None:
        if sign.text in COMPARISONS and self.next.text in COMPARISONS and self.next.kind == "sign":
            raise FeelError("comparisons cannot be chained; join them with `and`", self.next.position)

    def _count(self, token: Token) -> None:
        self.operations += 1
        if self.operations > MAX_OPERATIONS:
            raise FeelError(f"more than {MAX_OPERATIONS} operations in one expression", token.position)

    def _operand(self) -> Expression:
        token = self.next
        if self.accept("-"):
            self._count(token)
            return Negation("-", self._operand(), token.position)
        if self.accept("not"):
            return Negation("not", self._parenthesized(), token.position)
        if token.kind == "sign" and token.text == "(":
            return self._parenthesized()
        return self._leaf()

    def _parenthesized(self) -> Expression:
        self._count(self.expect("("))
        inner = self.expression()
        self.expect(")")
        return inner

    def _leaf(self) -> Expression:
        token = self.next
        if token.kind in ("number", "string"):
            return Literal(self.take().value, token.position)
        if token.kind == "name":
            return Name(self.take().text, token.position)
        if token.kind == "keyword" and token.text in _CONSTANTS:
            return Literal(_CONSTANTS[self.take().text], token.position)
        return Literal(self._temporal(), token.position)

    def _temporal(self) -> Value:
        if self.next.kind not in ("call", "at"):
            raise self.unexpected("a value")
        token = self.take()
        if token.kind == "at":
            return _read(token.text, self.take())
        self.expect("(")
        if self.next.kind != "string":
            raise FeelError(f"{token.text}(…) takes one text in quotes here", self.next.position)
        value = _read(token.text, self.take())
        self.expect(")")
        return value


_CALLS = {"date": FeelType.DATE, "time": FeelType.TIME, "date and time": FeelType.DATE_TIME}


def _read(call: str, text: Token) -> Value:
    try:
        if call == "@":
            return read_any(str(text.value))
        return (
            read_temporal(_CALLS[call], str(text.value)) if call in _CALLS else read_duration(str(text.value))
        )
    except ValueError as error:
        raise FeelError(str(error), text.position) from None
