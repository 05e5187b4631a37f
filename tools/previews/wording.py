"""A preview in words for people: the same in the console and in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tools.amounts import number_of
from tools.previews.declaration import COUNTED

Json = Any  # what stands in a ledger entry

NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Told:
    """One change: what it is about, before → after. ``stands_out``: money that moves."""

    label: str
    before: str
    after: str
    stands_out: bool = False
    stays: bool = False


@dataclass(frozen=True, slots=True)
class ToldSince:
    """What people were shown of one change then, and what is now; empty where it was not shown."""

    label: str
    then: str
    now: str


@dataclass(frozen=True, slots=True)
class ToldPreview:
    """All that is shown of a call's changes. ``since`` is None where nothing had been shown before that differs.

    ``is_erased``: what had been shown is gone. ``times``: so often people were asked anew.
    """

    tool: str
    at: str
    rows: tuple[Told, ...]
    since: tuple[ToldSince, ...] | None = None
    is_erased: bool = False
    times: int = 0


def tell(preview: Mapping[str, Json] | None) -> ToldPreview | None:
    """Return a preview, as an entry's content holds it, in words; None where there is none."""
    if not isinstance(preview, Mapping) or not preview:
        return None
    since = preview.get("since")
    return ToldPreview(
        str(preview.get("tool", "")),
        str(preview.get("at", "")),
        tuple(_tell_row(row) for row in preview.get("changes") or ()),
        None if since is None else tuple(_tell_since(since)),
        since is not None and since.get("changes") is None,
        0 if since is None else since.get("times", 0),
    )


def _tell_row(row: Mapping[str, Json]) -> Told:
    before, after = say(row, "before"), say(row, "after")
    moves = row.get("type") == "money" and before != after
    return Told(str(row.get("label", "")), before, after, moves, before == after)


def _tell_since(since: Mapping[str, Json]) -> Iterator[ToldSince]:
    for row in since.get("changes") or ():
        then, now = ("" if row[name] is None else _tell_both(row[name]) for name in ("then", "now"))
        yield ToldSince(str(row.get("label", "")), then, now)


def _tell_both(row: Mapping[str, Json]) -> str:
    return f"{say(row, 'before')} → {say(row, 'after')}"


def say(row: Mapping[str, Json], name: str) -> str:
    """Return one value of a change as people read it; amounts with all their places and their currency."""
    value = row.get(name)
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    number = number_of(value) if row.get("type") in COUNTED else None
    if number is None:
        return str(value)
    return f"{number:,f} {row.get('currency', '')}".strip()
