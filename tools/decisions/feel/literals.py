"""Literals of S-FEEL: strings with their escapes, numbers within decimal128, and values written out again."""

from __future__ import annotations

import re
from decimal import Decimal

from tools.decisions.feel.temporal import write_temporal
from tools.decisions.feel.values import DECIMAL128, FeelType, Value, type_of

_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{6})|(.))", re.DOTALL)
_PLAIN = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "'": "'", "\\": "\\"}
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_CALLS = {
    FeelType.DATE: "date",
    FeelType.TIME: "time",
    FeelType.DATE_TIME: "date and time",
    FeelType.DAYS_TIME: "duration",
    FeelType.YEARS_MONTHS: "duration",
}


def read_string(quoted: str) -> str:
    """Return the text of a string literal; raises ValueError for an escape that is none (DMN 1.5, 10.3.1.2)."""
    text = _ESCAPE.sub(_unescape, quoted[1:-1])
    try:
        # An astral character may be written as two escapes; half of a pair stands for nothing.
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise ValueError("half of a surrogate pair stands for no character") from None
    if "\x00" in text:
        raise ValueError("a string may not hold NUL")
    return text


def read_number(digits: str) -> Decimal:
    """Return a number exactly as it is written; raises ValueError for one that decimal128 would round."""
    exact = Decimal(digits)
    if not exact.is_finite():
        raise ValueError("a number must be finite")
    if DECIMAL128.plus(exact) != exact:
        raise ValueError("a number has at most 34 digits, and an exponent within ±6143")
    return exact


def write_value(value: Value) -> str:
    """Return the S-FEEL text that means exactly this value."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Decimal):
        return _write_number(value)
    if isinstance(value, str):
        return f'"{_escape(value)}"'
    return f'{_CALLS[type_of(value)]}("{write_temporal(value)}")'


def _unescape(match: re.Match[str]) -> str:
    short, long, plain = match.groups()
    if plain is not None:
        if plain not in _PLAIN:
            raise ValueError(f"\\{plain} is not an escape; write \\\\ for a backslash")
        return _PLAIN[plain]
    code = int(short or long, 16)
    if code > 0x10FFFF:
        raise ValueError("a character beyond U+10FFFF")
    return chr(code)


def _escape(text: str) -> str:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04X}", quoted)


def _write_number(value: Decimal) -> str:
    # Plain digits for people, unless there would be more than they can count.
    return format(value, "f") if -20 < value.adjusted() < 20 else format(value, "e").lower()
