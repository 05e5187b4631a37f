"""What of a text can be seen."""

from __future__ import annotations

import pytest

from agentops.text import is_blank, spell_out, spell_out_all


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
