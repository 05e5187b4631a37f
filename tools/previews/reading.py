"""From the answer of the tool that shows, to what people sign: the pin of the target's state, and the typed changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentops.canonical import keyed_digest
from agentops.errors import ValidationFailed
from tools.previews.declaration import ANSWER, ETAG, SHOWN, Change, Preview, is_pointer
from tools.previews.values import NotGiven, Unreadable, check, find, point, take

Json = Any  # a value of a definition, a call or an answer
Row = dict[str, Json]  # label, type, before, after, and of money its currency
LONGEST_PIN = 500


@dataclass(frozen=True, slots=True)
class Seen:
    """A target as it was read: ``rows`` is for people, ``state`` what is bound (keyed digests, nothing personal)."""

    rows: tuple[Row, ...]
    state: Mapping[str, str]


def read_answer(preview: Preview, arguments: Mapping[str, Json], answer: Json, etag: str) -> Seen:
    """Return what a call with these arguments changes, by an answer; raises Unreadable for one that does not say."""
    try:
        rows = tuple(_read_rows(preview, arguments, answer))
        pin = _pin(preview.pin, answer, etag)
        return Seen(rows, {"pin": keyed_digest(["pin", preview.pin, pin]), "shown": keyed_digest(list(rows))})
    except ValidationFailed as error:  # a number that cannot be written in one way only
        raise Unreadable(f"its answer is no exact JSON: {error.code}") from error


def _read_rows(preview: Preview, arguments: Mapping[str, Json], answer: Json) -> Iterator[Row]:
    for change in preview.changes:
        try:
            after = take(change.after, arguments, answer, change.type)
            before = take(change.before, arguments, answer, change.type)
        except NotGiven:
            continue
        yield {
            "label": change.label,
            "type": change.type,
            "before": before,
            "after": after,
            **_of(change, answer),
        }


def _of(change: Change, answer: Json) -> Row:
    if change.type != "money":
        return {}
    currency = check(find(change.currency, {}, answer), "status", "the currency")
    if not currency or len(currency) > 8:
        raise Unreadable("its answer names no currency")
    return {"currency": currency}


def _pin(pin: str, answer: Json, etag: str) -> Json:
    """Return what names the state; what is shown is bound beside it in any case."""
    if pin == ANSWER:
        return answer
    if pin == SHOWN:
        return None
    found = etag if pin == ETAG else point(answer, pin)
    if (
        isinstance(found, bool)
        or not isinstance(found, str | int | float)
        or not 0 < len(str(found)) <= LONGEST_PIN
    ):
        raise Unreadable("its answer has no ETag" if pin == ETAG else f"{pin} of its answer is no version")
    return found


def compare(then: Sequence[Row], now: Sequence[Row]) -> list[Row]:
    """Return which of the changes are others than they were shown, each with both; what is gone or new included."""
    before, after = ({row["label"]: row for row in rows} for rows in (then, now))
    names = list(dict.fromkeys([*before, *after]))
    return [
        {"label": name, "then": before.get(name), "now": after.get(name)}
        for name in names
        if before.get(name) != after.get(name)
    ]


def fill_in(preview: Preview, arguments: Mapping[str, Json]) -> dict[str, Json]:
    """Return what the tool that shows is asked with for a call; what the call leaves out is left out."""
    filled: dict[str, Json] = {}
    for name, template in preview.arguments.items():
        try:
            filled[name] = template if is_pointer(template) else find(template, arguments, None)
        except NotGiven:
            continue
    return filled
