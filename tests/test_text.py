"""What of a text can be seen."""

from __future__ import annotations

import re
import sys
import unicodedata

import pytest

from agentops.text import HIDDEN, is_blank, spell_out, spell_out_all


@pytest.mark.parametrize("text", ["", " \n", "\u200b", "\u2060\ufeff", "\u202e\u00ad", "\u3164", "\u2800"])
def test_what_nobody_can_see_is_blank(text: str) -> None:
    assert is_blank(text)
    assert not is_blank(f"{text}.")


@pytest.mark.parametrize("text", ["Straße 5", "日本 (5)", "שלום", "a-1_b"])
def test_words_of_any_script_stay(text: str) -> None:
    assert not is_blank(text)
    assert spell_out(text) == text


def test_what_hides_or_turns_a_text_round_is_spelled_out() -> None:
    assert spell_out("25\u202e00\n\u200b") == "25[U+202E]00[U+000A][U+200B]"
    assert spell_out_all({"a\u200b": ["b\nc", 5, None]}) == {"a[U+200B]": ["b\nc", 5, None]}


# Signs that Unicode calls formats and fonts draw: of numbers and verses, and how hieroglyphs stand together.
DRAWN = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD, *range(0x13430, 0x13440)}


def test_no_control_of_unicode_is_missing_among_the_hidden() -> None:
    hidden = re.compile(f"[{HIDDEN}]")
    for code in set(range(sys.maxunicode + 1)) - DRAWN:
        category = unicodedata.category(chr(code))
        if category in ("Cc", "Cf", "Zl", "Zp") and chr(code) not in "\t\n\r":
            assert hidden.match(chr(code)), hex(code)
        elif category[0] in "LNPSM" and not is_blank(chr(code)):
            assert not hidden.match(chr(code)), hex(code)


@pytest.mark.parametrize("char", "\t\n\r \xa0\u202f\ufe0f")
def test_spaces_and_line_ends_are_not_hidden(char: str) -> None:
    assert not re.match(f"[{HIDDEN}]", char)
