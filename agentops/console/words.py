"""Numbers, times and states as people read them."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from agentops.amounts import plain_decimal

# A word names a state, a tone says what a person should make of it: the one meaning that colour has here.
_TONES = {
    "waiting": "waiting requires_action asked paused draft deferred quarantined parked unknown half_open"
    " pending retrying",
    "running": "queued in_progress cancelling allowed started asking proposed under_way",
    "done": "completed succeeded approved granted active decided closed published verified answered consumed activated",
    "halted": "halted cancelled expired superseded retired suspended skipped voided lifted unused withdrawn outdated"
    " edited",
    "broken": "failed revoked refused denied open forced_open broken thrown rejected",
}
TONES = {word: tone for tone, words in _TONES.items() for word in words.split()}

MINUTE, HOUR, DAY = 60, 3_600, 86_400


def tone_of(word: str) -> str:
    """Return waiting, running, done, halted or broken; "plain" for a word that is no state."""
    return TONES.get(word, "plain")


# Names of fields that say nothing to who has not read the source.
NAMED = {
    "approval_ttl_s": "seconds people have to answer",
    "over_caps": "beyond its caps",
    "policy_table_id": "table asked about every call",
    "run_expires_after_s": "seconds after which a run expires",
    "veto_s": "seconds held for a veto",
}


def plain_word(code: str) -> str:
    """Return a code as a person would write it: ``requires_action`` becomes "requires action"."""
    return NAMED.get(code) or code.replace("_", " ").replace(".", " ").strip()


def span(seconds: float) -> str:
    """Return a span in its two largest useful units, such as "45 s", "3 min", "2 h 5 min", "4 d"."""
    whole = int(abs(seconds))
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min"
    if whole < DAY:
        minutes = whole % HOUR // MINUTE
        return f"{whole // HOUR} h {minutes} min" if minutes else f"{whole // HOUR} h"
    return f"{whole // DAY} d"


def ago(at: datetime, now: datetime) -> str:
    """Return a moment relative to now; beyond 30 days its date."""
    seconds = (now - at).total_seconds()
    if abs(seconds) > 30 * DAY:
        return f"{at:%Y-%m-%d}"
    if abs(seconds) < 5:
        return "just now"
    return f"{span(seconds)} ago" if seconds > 0 else f"in {span(seconds)}"


def this_window(window: str) -> str:
    """Return the present hour, day or month of a budget: "this hour", "today", "this month"."""
    return "today" if window == "day" else f"this {window}"


def clock(left: timedelta) -> str:
    """Return what is left of a deadline as on a stopwatch: "9:58", "1:02:03", "0:00" when it has passed."""
    whole = max(0, int(left.total_seconds()))
    hours, rest = divmod(whole, HOUR)
    minutes, seconds = divmod(rest, MINUTE)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def latency(milliseconds: int) -> str:
    """Return how long something took: "850 ms", "1.2 s", "3 min"."""
    if milliseconds < 1_000:
        return f"{milliseconds} ms"
    return f"{milliseconds / 1_000:.1f} s" if milliseconds < MINUTE * 1_000 else span(milliseconds / 1_000)


def money(amount: Decimal, currency: str = "USD") -> str:
    """Return an amount with its currency; small costs keep the digits that tell them apart."""
    if amount == 0 or abs(amount) >= 1:
        number = f"{amount:,.2f}"
    else:
        number = f"{amount:.4f}" if abs(amount) >= Decimal("0.0001") else plain_decimal(amount)
    return f"{number} {currency}".strip()


def compact(number: Decimal | int) -> str:
    """Return a large number to three digits: "1.2 M", "35 k"; small ones as they are."""
    for unit, size in (("M", 1_000_000), ("k", 1_000)):
        if number >= size:
            return f"{float(number) / size:.3g} {unit}"
    return f"{number:.0f}"


def count(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun: "1 run", "2 runs"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
