"""Looking a value up finds what looking through everything finds, and takes no more at the end of a long run."""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable
from decimal import Decimal
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tools.provenance import plainly
from tools.provenance import egress, index
from tools.provenance.labels import Label, Leaf
from tools.provenance.sources import Sources
from tools.provenance.texts import is_in, plain, read_wanted, words_in

pytestmark = [pytest.mark.slow, pytest.mark.attacks]

# What words, codes, addresses and sums are made of, and what stands between them.
PIECES = st.sampled_from(
    [
        *(
            "a",
            "ann",
            "Lee",
            "b1",
            "DE89",
            "3704",
            "0044",
            "12",
            "50",
            "1,200",
            "50.00",
            "x.org",
            "é",
            "_",
            "ß",
            "½",
        ),
        *(
            " ",
            " ",
            "-",
            ".",
            "@",
            "/",
            "https://",
            "%",
            "+",
            ":",
            "\u00a0",
            "$",
            "(",
            "\n",
            "0",
            "C01X00T47",
        ),
    ]
)
TEXTS = st.lists(PIECES, max_size=9).map("".join)
LEAVES = st.builds(
    Leaf,
    TEXTS,
    st.builds(Label, st.sampled_from(["user", "trusted", "untrusted"]), st.booleans()),
    st.sampled_from(["step 1", "step 2"]),
)
ENCODED = st.sampled_from([
    str,
    lambda text: text[::-1],
    " ".join,
    lambda text: base64.b64encode(text.encode()).decode(),
    lambda text: text.encode().hex(),
])  # fmt: skip


@st.composite
def held(draw: st.DrawFn) -> tuple[list[str], list[Leaf], str]:
    """Return what was said and read, and a value: half of the time a piece of that."""
    words, leaves = draw(st.lists(TEXTS, max_size=2)), draw(st.lists(LEAVES, max_size=6))
    everything = " ".join([*words, *(leaf.text for leaf in leaves)])
    start = draw(st.integers(0, len(everything)))
    part = everything[start : start + draw(st.integers(1, 24))]
    return words, leaves, draw(st.sampled_from([part, draw(TEXTS)]))


@settings(max_examples=300)
@given(TEXTS, TEXTS)
def test_a_value_is_in_a_text_as_one_expression_says(value: str, text: str) -> None:
    value, text = plain(value), plain(text)
    assert is_in(value, text) is plainly.is_in(value, text)


@settings(max_examples=300)
@given(held())
def test_a_value_is_traced_to_where_looking_everywhere_finds_it(
    case: tuple[list[str], list[Leaf], str],
) -> None:
    words, leaves, value = case
    assert Sources(words, leaves).trace(value) == plainly.PlainSources(words, leaves).trace(value)


@given(held(), st.sampled_from(["50", "12", "1200", "0.5", "89", "1", "0"]))
def test_so_is_an_amount(case: tuple[list[str], list[Leaf], str], amount: str) -> None:
    words, leaves, _ = case
    wanted = Decimal(amount)
    assert Sources(words, leaves).trace_amount(wanted) == plainly.PlainSources(words, leaves).trace_amount(
        wanted
    )


@settings(max_examples=300)
@given(held(), ENCODED)
def test_what_may_not_leave_is_found_as_by_looking_for_each(
    case: tuple[list[str], list[Leaf], str], encode: Callable[[str], str]
) -> None:
    words, leaves, value = case
    payload = [f"see {encode(value)}"]
    assert bool(Sources(words, leaves).carried(payload)) is plainly.PlainSources(words, leaves).carried(
        payload
    )


def test_what_is_read_in_parts_is_as_if_it_were_read_at_once() -> None:
    leaves = [Leaf(f"order {n} of ann", Label("trusted"), f"step {n}") for n in range(4)]
    growing = Sources()
    for leaf in leaves:
        growing.read([leaf])
        growing.read([leaf])
    for value in ("order 3", "ann", "order 4"):
        assert growing.trace(value) == Sources((), leaves).trace(value)


# --- what it costs ------------------------------------------------------------------------------------------------


def page(number: int) -> list[Leaf]:
    """Return what one step reads: a list with names, addresses, codes and secrets, and a page of text."""
    label, where = Label("trusted"), f"list_orders in step {number}"
    rows = [
        Leaf(text, label, where)
        for row in range(20)
        for text in (
            "id",
            f"A-{number}{row:02}",
            "mail",
            f"ann{number}.{row}@shop.example",
            f"{number}.{row:02}",
        )
    ]
    secret = Leaf(f"DE{number:04}{number * 7919:016}", Label("trusted", sensitive=True), where)
    filler = " ".join(f"the parcel of row {row} is late, said Ann on day {row % 28}" for row in range(200))
    return [*rows, secret, Leaf(f"{filler} {number}", Label(), where)]


ASKED: tuple[Callable[[Sources], object], ...] = (
    lambda read: read.trace("ann3.7@shop.example"),
    lambda read: read.trace("DE00 0300 0000 0000 0237 57"),
    lambda read: read.trace("eve@shop.example"),
    lambda read: read.trace("XX99123412341234"),
    lambda read: read.trace_amount(Decimal("4711.17")),
    lambda read: read.carried(["Ann, the parcel of row 3 is late. See https://shop.example/late?day=4"]),
)


def read_more(read: Sources) -> None:
    read.read(page(1000 + next(_PAGES)))


_PAGES = count()


def count_work(ask: Callable[[Sources], object], read: Sources) -> int:
    """Return how many functions are called, of Python and of its library."""
    calls = 0

    def note(_frame: object, happening: str, _argument: object) -> None:
        nonlocal calls
        calls += happening in ("call", "c_call")

    ask(read)  # what is compiled once is not counted
    sys.setprofile(note)
    ask(read)
    sys.setprofile(None)
    return calls


def ratios() -> list[float]:
    """Return what the questions take after 500 steps of what they took after 10, and what reading takes."""
    read, taken = Sources(), []
    for step in range(500):
        read.read(page(step))
        if step + 1 in (10, 500):
            taken.append([*(count_work(ask, read) for ask in ASKED), count_work(read_more, read)])
    return [late / early for early, late in zip(*taken, strict=True)]


def test_a_question_after_500_steps_takes_what_it_took_after_10() -> None:
    assert max(ratios()) <= 1.3


def test_without_the_index_it_takes_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutants: everything is looked through for values, and for what is sensitive."""
    monkeypatch.setattr(index.Index, "_candidates", lambda self, _wanted: range(len(self._by_number)))
    monkeypatch.setattr(egress.Secrets, "_possible", lambda self, *_: iter(self._parts))
    taken = ratios()
    assert all(each > 10 for each in (*taken[2:4], taken[5])), taken


@given(TEXTS)
def test_whatever_holds_a_value_holds_what_it_is_looked_up_by(text: str) -> None:
    """The index leans on this alone: it leaves out no text that holds the value."""
    text = plain(text)
    for start in range(len(text)):
        value = plain(text[start : start + 12])
        if is_in(value, text):
            wanted, words = read_wanted(value), words_in(text)
            assert wanted.words <= words
            if wanted.code:
                assert all(words.intersection(groups) for groups in wanted.groups())
