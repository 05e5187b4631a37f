"""Values found in texts: as whole words, however they are written."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tools.provenance.texts import amounts_in, is_in, plain


@pytest.mark.parametrize(
    ("value", "text", "found"),
    [
        ("bob@x.org", "Write to bob@x.org.", True),
        ("bob@x.org", "Write to <Bob@X.org>, please", True),
        ("bob@x.org", "notbob@x.org", False),
        ("bob@x.org", "j.bob@x.org", False),
        ("bob@x.org", "bob@x.org.evil.net", False),
        ("bob@x.org", "bob@x.organic", False),
        ("x.org", "bob@x.org", False),
        ("Ann Lee", "tell ann  lee today", True),
        ("Ann Lee", "tell Joann Lee", False),
        ("Ann Lee (new account)", "tell Ann Lee", False),
        ("DE89370400440532013000", "to DE89 3704 0044 0532 0130 00 now", True),
        ("DE89370400440532013000", "to DE89 3704 0044 0532 0130 01 now", False),
        ("report.txt", "open secret/report.txt", False),
        ("https://www.shop.example", "see www.shop.example, please", True),
        ("https://www.shop.example/", "see https://www.shop.example", True),
        ("https://www.shop.example/?q=pin", "see www.shop.example", False),
        ("https://shop.example", "see https://shop.example.evil.net", False),
        ("ｂｏｂ@x.org", "bob@x.org", True),
        ("", "anything", False),
    ],
)
def test_a_value_is_found_only_as_whole_words(value: str, text: str, found: bool) -> None:
    assert is_in(plain(value), plain(text)) is found


@pytest.mark.parametrize(
    ("text", "amounts"),
    [
        ("pay 50", ["50"]),
        ("$1,200.50 and 3", ["1200.50", "3"]),
        ("1 200 euros", ["1200"]),
        ("12,5 kg", ["12.5"]),
        ("none", []),
    ],
)
def test_amounts_are_read_as_people_write_them(text: str, amounts: list[str]) -> None:
    assert list(amounts_in(text)) == [Decimal(amount) for amount in amounts]
