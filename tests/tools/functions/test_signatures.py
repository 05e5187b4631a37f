"""Schemas from type hints: what is derived, what is refused, and that values come back as what they were."""

from __future__ import annotations

import operator
import re
import string
import sys
import types
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, TypedDict
from uuid import UUID

import pytest
import typing_extensions
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, Field

from tests.tools.execution import make_spec
from tests.tools.functions import shop
from tests.tools.functions.shop import Address, Extras, Line, Method
from tools.formats.hidden import find_hidden
from tools.functions import UnusableSignature, hints, read_signature
from tools.functions.hints import HintReader
from tools.schemas import check_schema, validate_arguments, validate_output


def function_of(hint: Any, **default: Any) -> Callable[..., Any]:  # Any: whatever hint is tried
    """Return a function that takes and returns one value of a hint."""

    def echo(value: Any) -> Any:
        return value

    echo.__annotations__ = {"value": hint, "return": hint}
    echo.__defaults__ = tuple(default.values())
    return echo


def refusal_of(hint: Any, **default: Any) -> str:
    with pytest.raises(UnusableSignature) as refused:
        read_signature(function_of(hint, **default))
    return str(refused.value)


def test_what_is_derived_is_closed_and_in_one_piece() -> None:
    read = read_signature(shop.refund)
    assert read.description == "Pay an order back."
    assert read.input_schema["additionalProperties"] is False
    assert read.input_schema["required"] == ["order_id", "amount", "due", "lines"]
    told = read.input_schema["properties"]
    assert "call" not in told
    assert told["order_id"] == {"type": "string", "description": "Which order."}
    assert told["amount"] == {
        "type": "string",
        "pattern": r"^(0|[1-9][0-9]{0,14})(\.[0-9]{1,2})?$",
        "description": "A decimal, at least 0.01 and at most 500.",
    }
    assert told["due"] == {"type": "string", "format": "date"}
    assert told["method"] == {"type": "string", "enum": ["card", "bank"], "default": "card"}
    assert told["speed"] == {"type": "string", "enum": ["slow", "fast"], "default": "slow"}
    assert told["address"]["anyOf"][0] == {
        "type": "object",
        "description": "Where it goes.",
        "properties": {
            "street": {"type": "string", "minLength": 1},
            "city": {"type": "string", "default": "Bern"},
        },
        "required": ["street"],
        "additionalProperties": False,
    }
    assert told["extras"]["anyOf"][0]["additionalProperties"] is False
    assert read.output_schema["required"] == ["id", "paid", "at", "lines"]
    assert check_schema(read.input_schema) == check_schema(read.output_schema) == []


@typing_extensions.final
class _Recursive(typing_extensions.TypedDict):
    inner: list[_Recursive]


class _Old(TypedDict):
    name: str


class _Model(BaseModel):
    name: str


REFUSED: list[tuple[Any, str]] = [
    (Any, "Any is not understood"),
    (object, "object is not understood"),
    (bytes, "bytes is not understood"),
    (set[str], "set is not understood"),
    (Callable[[], int], "not understood"),
    (_Model, "_Model is not understood"),
    (list, "list of what?"),
    (dict, "dict of what?"),
    (dict[int, str], "keys of a dict are str"),
    (tuple[()], "empty tuple"),
    (list[dict[str, Any]], r"value\[\*\]\.\*: Any"),
    (int | float, "two members of its union are a number"),
    (date | str, "two members of its union are a text"),
    (Address | Extras, "two members of its union are a object"),
    (list[int] | Line, "two members of its union are a list"),
    (Literal["a"] | Method, "two members of its union are a text"),
    (Literal[True], "choices are texts or whole numbers"),
    (_Recursive, "holds itself"),
    (Annotated[int, AfterValidator(abs)], "AfterValidator is a rule that no schema says"),
    (Annotated[int, Field(alias="x")], "leave alias out"),
    (Annotated[int, Field(strict=True)], "is a rule that no schema says"),
    (Annotated[int, Field(json_schema_extra={"type": "string"})], "leave json_schema_extra out"),
    (Annotated[list[int], Field(multiple_of=2)], "MultipleOf says nothing about its type"),
    (Annotated[date, Field(ge=date(2027, 1, 1))], "Ge says nothing about its type"),
    (Annotated[str, Field(max_digits=2)], "max_digits says nothing about its type"),
    (Annotated[int | None, Field(ge=1)], "Ge says nothing about its type"),
    (Annotated[str, Field(pattern="(")], "says nothing that could be kept"),
]


@pytest.mark.parametrize(("hint", "words"), REFUSED, ids=lambda value: str(value)[:40])
def test_what_is_not_understood_is_refused_in_words(hint: Any, words: str) -> None:
    assert re.search(words, refusal_of(hint))


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="which keeps what is required")
def test_an_old_typed_dict_is_refused_with_a_remedy() -> None:
    assert "typing_extensions" in refusal_of(_Old)


@pytest.mark.parametrize(
    ("hint", "default"), [(int, None), (Decimal, "1"), (Method, "card"), (list[int], ["a"])]
)
def test_a_default_of_another_kind_is_refused(hint: Any, default: object) -> None:
    assert "default is none of the values" in refusal_of(hint, value=default)


def test_every_fault_is_named_at_once() -> None:
    def bad(a, *b: int, c: Any) -> None:  # type: ignore[no-untyped-def]  # which is the point
        pass

    with pytest.raises(UnusableSignature) as refused:
        read_signature(bad)
    assert [fault.partition(":")[0] for fault in refused.value.faults] == ["a", "b", "c"]
    with pytest.raises(UnusableSignature, match="say what it returns"):
        read_signature(lambda: 1)


def test_a_reader_that_lets_everything_through_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutant: without the closed list pydantic takes Any, and the schema says nothing at all."""
    monkeypatch.setattr(HintReader, "read", lambda self, hint, where, inside=(): frozenset({"text"}))
    assert read_signature(function_of(Any)).input_schema["properties"]["value"] == {}


def test_bounds_that_no_schema_says_are_kept_when_values_are_turned() -> None:
    read = read_signature(shop.refund)
    for amount, words in (("0.00", "greater than or equal"), ("500.01", "less than or equal")):
        assert validate_arguments(make_spec(input_schema=read.input_schema), {"amount": amount, **REST}) == []
        with pytest.raises(ValueError, match=words):
            read.convert({"amount": amount})
    with pytest.raises(ValueError, match="amount") as refused:
        read.convert({"amount": "secret-words"})
    assert "secret-words" not in str(refused.value)


REST = {"order_id": "A-1", "due": "2027-01-02", "lines": [["tea"]]}

# Texts that may go out: what nobody sees (variation selectors are no controls) is refused, whatever a schema says.
TEXTS = st.text(st.characters(exclude_categories=["C"]), max_size=20).filter(
    lambda text: not list(find_hidden(text))
)
WHOLE = st.integers(-(2**53) + 1, 2**53 - 1)
LEAVES: list[st.SearchStrategy[tuple[Any, Any]]] = [
    st.tuples(st.just(str), TEXTS),
    st.tuples(st.just(int), WHOLE),
    st.tuples(st.just(float), st.floats(-1e15, 1e15)),
    st.tuples(st.just(bool), st.booleans()),
    st.tuples(st.just(None), st.none()),
    st.tuples(st.just(Decimal), st.decimals(-(10**14), 10**14, places=4)),
    st.tuples(st.just(date), st.dates()),
    st.tuples(st.just(datetime), st.datetimes(timezones=st.just(UTC))),
    st.tuples(st.just(UUID), st.uuids()),
    st.tuples(st.just(Literal["a", 3]), st.sampled_from(["a", 3])),
    st.tuples(st.just(Method), st.sampled_from(Method)),
    st.tuples(st.just(Annotated[int, Field(ge=0, le=9)]), st.integers(0, 9)),
    st.tuples(st.just(Address), st.builds(Address, TEXTS.filter(bool), TEXTS)),
    st.tuples(st.just(Line), st.builds(Line, TEXTS, WHOLE)),
    st.tuples(st.just(Extras), st.fixed_dictionaries({"note": TEXTS}, optional={"gift": st.booleans()})),
]
NAMES = st.text(string.ascii_lowercase, min_size=1, max_size=5)


def around(inner: st.SearchStrategy[tuple[Any, Any]]) -> st.SearchStrategy[tuple[Any, Any]]:
    """Draw a hint around another one, with a value of it."""
    return st.one_of(
        inner.map(_in_a_list),
        st.tuples(inner, inner).map(_side_by_side),
        st.tuples(NAMES, inner).map(_by_name),
        inner.map(lambda pair: pair if pair[0] is None else (operator.or_(pair[0], None), pair[1])),
    )


def _in_a_list(pair: tuple[Any, Any]) -> tuple[Any, Any]:
    return types.GenericAlias(list, (pair[0],)), [pair[1], pair[1]]


def _side_by_side(two: tuple[tuple[Any, Any], tuple[Any, Any]]) -> tuple[Any, Any]:
    (left, first), (right, second) = two
    return types.GenericAlias(tuple, (left, right)), (first, second)


def _by_name(named: tuple[str, tuple[Any, Any]]) -> tuple[Any, Any]:
    name, (hint, value) = named
    return types.GenericAlias(dict, (str, hint)), {name: value}


PAIRS = st.recursive(st.one_of(LEAVES), around, max_leaves=4)


@settings(max_examples=80, deadline=None)
@given(PAIRS)
def test_a_value_fits_its_schema_and_comes_back_as_it_was(pair: tuple[Any, Any]) -> None:
    hint, value = pair
    read = read_signature(function_of(hint))
    told = read.express(value)
    spec = make_spec(input_schema=read.input_schema, output_schema=read.output_schema)
    assert validate_output(spec, told) == validate_arguments(spec, {"value": told}) == []
    back = read.convert({"value": told})["value"]
    assert (type(back), back) == (type(value), value)


ANYTHING = st.recursive(
    st.one_of(
        st.none(), st.booleans(), WHOLE, st.floats(-1e9, 1e9), TEXTS, st.just("2027-01-02"), st.just("1.5")
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=6,
)


@settings(max_examples=80, deadline=None)
@given(PAIRS, ANYTHING)
def test_what_a_schema_lets_in_the_hint_takes_as_it_is(pair: tuple[Any, Any], anything: object) -> None:
    read = read_signature(function_of(pair[0]))
    spec = make_spec(input_schema=read.input_schema)
    if validate_arguments(spec, {"value": anything}):
        return
    try:
        turned = read.convert({"value": anything})["value"]
    except ValueError:  # stricter than the schema, such as a day that no calendar has
        return
    assert validate_output(make_spec(output_schema=read.output_schema), read.express(turned)) == []


def test_a_union_read_leniently_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutant: if members may look alike in JSON, a text comes back as a date."""
    monkeypatch.setattr(hints.HintReader, "_refuse", lambda self, where, what: hints.NOTHING)
    read = read_signature(function_of(date | str))
    assert read.convert({"value": read.express(date(2027, 1, 2))})["value"] != date(2027, 1, 2)


def test_a_result_is_what_the_hint_names_or_refused() -> None:
    promised = read_signature(shop.promise)
    assert promised.express(shop.promise(3)) == {"sum": "300"}
    with pytest.raises(TypeError, match="not of the type"):
        read_signature(shop.lie).express(shop.lie(3))
