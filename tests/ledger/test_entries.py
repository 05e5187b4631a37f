from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentops.ledger import standalone
from agentops.ledger.entries import (
    GENESIS,
    Draft,
    Head,
    SealedEntry,
    chain_hash,
    digest_content,
    dump_content,
    dump_facts,
    seal,
)

STREAM, ACTOR = UUID(int=1), UUID(int=2)
AT = datetime(2026, 11, 22, 12, 30, 0, 500, tzinfo=UTC)
BOUND: dict[str, Any] = {
    "stream": STREAM,
    "seq": 7,
    "kind": "order.noted",
    "at": AT,
    "actor": ACTOR,
    "facts": '{"a":1}',
    "content_digest": bytes(32),
    "prev_hash": GENESIS,
}


class Color(Enum):
    RED = "red"


def sealed(*drafts: Draft, salt: bytes = b"s" * 16) -> list[SealedEntry]:
    return seal(STREAM, Head(), drafts, lambda: salt)[0]


def test_the_hash_is_what_it_has_always_been() -> None:
    """Ledgers out there were sealed by this: a change makes every one of them look broken."""
    assert chain_hash(**BOUND).hex() == "f803aebcd1f01a733fd8d0acb3b88e87c06c77dbcf9984edb79ac10f369c24e9"


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("stream", UUID(int=3)),
        ("seq", 8),
        ("kind", "order.note"),
        ("at", AT + timedelta(microseconds=1)),
        ("actor", None),
        ("actor", UUID(int=3)),
        ("facts", '{"a":2}'),
        ("content_digest", None),
        ("content_digest", b"\x01" * 32),
        ("prev_hash", b"\x01" * 32),
    ],
)
def test_every_part_is_bound(name: str, other: object) -> None:
    assert chain_hash(**{**BOUND, name: other}) != chain_hash(**BOUND)


def test_a_time_is_bound_whatever_its_zone() -> None:
    elsewhere = AT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert chain_hash(**{**BOUND, "at": elsewhere}) == chain_hash(**BOUND)


@given(
    st.datetimes(timezones=st.timezones())
    | st.datetimes().map(lambda at: at.replace(microsecond=0, tzinfo=UTC))
)
def test_a_time_is_bound_as_the_standard_library_writes_it(at: datetime) -> None:
    utc = at.astimezone(UTC).isoformat(timespec="microseconds")
    parts = [str(STREAM), "7", "order.noted", utc, str(ACTOR), '{"a":1}', bytes(32).hex(), GENESIS.hex()]
    assert chain_hash(**{**BOUND, "at": at}) == sha256("\n".join(parts).encode()).digest()


def test_entries_are_chained_behind_a_head() -> None:
    drafts = [Draft("a", AT), Draft("b", AT, {"n": 1}, {"t": "x"}, ACTOR)]
    entries, head = seal(STREAM, Head(4, b"h" * 32), drafts, lambda: b"s" * 16)
    assert [(entry.seq, entry.kind) for entry in entries] == [(5, "a"), (6, "b")]
    assert entries[0].prev_hash == b"h" * 32
    assert entries[1].prev_hash == entries[0].hash
    assert head == Head(6, entries[1].hash)


def test_content_is_bound_through_a_salt() -> None:
    first, second = (
        sealed(Draft("a", AT, {}, {"name": "Ann"}), salt=salt)[0] for salt in (b"1" * 16, b"2" * 16)
    )
    assert first.content == second.content == '{"name":"Ann"}'
    assert first.content_digest != second.content_digest, "or the name could be guessed from a list"
    assert first.content_digest == digest_content(b"1" * 16, '{"name":"Ann"}')


def test_an_entry_without_content_has_no_salt() -> None:
    (entry,) = sealed(Draft("a", AT))
    assert (entry.content, entry.salt, entry.content_digest) == (None, None, None)


def test_the_hash_does_not_depend_on_the_content_itself() -> None:
    (entry,) = sealed(Draft("a", AT, {}, {"name": "Ann"}))
    erased = entry._replace(content=None, salt=None)
    parts = {name: getattr(erased, name) for name in BOUND}
    assert chain_hash(**parts) == entry.hash


@pytest.mark.parametrize("text", ["\x00", "\ud800", "\u2028", "ä", '"', "\\", "\x7f"])
def test_content_is_kept_to_the_byte(text: str) -> None:
    stored = dump_content({"text": text})
    assert stored.isascii()
    assert json.loads(stored) == {"text": text}


def test_what_json_cannot_say_is_refused() -> None:
    for dump in (dump_facts, dump_content):
        with pytest.raises(ValueError, match="not JSON compliant"):
            dump({"n": float("nan")})


@pytest.mark.parametrize("number", [0.5, 1.0, 1e16, float("nan"), float("inf")])
@pytest.mark.parametrize(
    "place",
    [
        lambda n: {"n": n},
        lambda n: {"text": "x", "more": {"a": 1, "n": n}},
        lambda n: {"list": [1, "1.5", n]},
        lambda n: {"list": [{"pairs": [["a", "1.5"], ["b", n]]}]},
        lambda n: {"pair": ("a", n)},
    ],
)
def test_a_float_among_facts_is_refused(number: float, place: Callable[[float], dict[str, Any]]) -> None:
    """The database writes 1e+16 as 10000000000000000: the entry would pass for an edited one."""
    with pytest.raises(TypeError, match="hold a float"):
        sealed(Draft("a", AT, place(number)))
    sealed(Draft("a", AT, {}, place(0.5)))  # content is kept as its text


facts = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text("abcä", max_size=3), facts, max_size=4), st.none() | facts)
def test_a_verifier_elsewhere_computes_the_same(written: dict[str, Any], content: Any) -> None:
    """The stand-alone script shares no code with what seals."""
    (entry,) = sealed(Draft("order.noted", AT, written, content, ACTOR))
    row = {
        "stream": str(entry.stream),
        "seq": entry.seq,
        "kind": entry.kind,
        "at": entry.at.isoformat(),
        "actor": str(entry.actor),
        "facts": json.loads(entry.facts),
        "content_digest": entry.content_digest.hex() if entry.content_digest else None,
        "prev_hash": entry.prev_hash.hex(),
    }
    assert standalone.chain_hash(row) == entry.hash.hex()


any_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(2**63, 2**65)
    | st.floats()
    | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=3), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(st.characters(), max_size=3), any_json, max_size=4))
def test_facts_are_written_as_the_standard_library_writes_them(written: dict[str, Any]) -> None:
    """The stand-alone script has no other encoder, and every ledger out there was sealed by it."""
    text: str | None
    try:
        text = json.dumps(written, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except ValueError:
        text = None
    if text is None:
        with pytest.raises(ValueError, match="not JSON compliant"):
            dump_facts(written)
    else:
        assert dump_facts(written) == text


@given(any_json)
def test_content_is_written_as_the_standard_library_writes_it(content: Any) -> None:
    """Whatever encoder wrote it, its salted digest is of these very bytes."""
    text: str | None
    try:
        text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    except ValueError:
        text = None
    if text is None:
        with pytest.raises(ValueError, match="not JSON compliant"):
            dump_content(content)
    else:
        assert dump_content(content) == text


@pytest.mark.parametrize("value", [AT, AT.date(), STREAM, Head(), Color.RED])
@pytest.mark.parametrize("place", [lambda v: {"v": v}, lambda v: {"list": [1, {"v": v}]}])
def test_what_is_no_json_is_no_fact(value: object, place: Callable[[object], dict[str, Any]]) -> None:
    """A faster encoder writes times, ids and the like in its own way."""
    with pytest.raises(TypeError, match="not JSON serializable"):
        sealed(Draft("a", AT, place(value)))


def test_nothing_of_an_entry_is_unbound() -> None:
    """Whoever adds a column has to bind it, or say here why not."""
    erasable = {"content", "salt"}
    assert set(SealedEntry._fields) - erasable - {"hash"} == set(BOUND)
