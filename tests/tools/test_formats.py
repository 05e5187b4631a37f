"""Formats of arguments: what reaches the world is what a person would read it as, or it is refused."""

from __future__ import annotations

import posixpath
from decimal import Decimal
from ipaddress import ip_address
from types import ModuleType
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.rewriting import rewrite
from tests.tools.execution import make_spec
from tools.formats import STRICT, WORDS, addresses, scripts, tokens
from tools.schemas import check_schema, validate_arguments, validate_output

PLAIN = {
    "email": ["ann@example.com", "a.b-c+tag@mail.example.co.uk", "o'neil@example.org"],
    "idn-email": ["jürgen@müller.example", "田中@example.jp", "ann@example.com"],
    "hostname": ["example.com", "a-b.example", "bücher.example", "xn--bcher-kva.example", "яндекс.рф"],
    "uri": [
        "https://example.com/a?b=c#d", "http://example.com:8080", "https://93.184.216.34/x",
        "https://bücher.example/",
    ],
    "name": [
        "Ann Lee", "José Álvarez", "Søren O’Brien", "王小明", "田中 太郎", "Ольга Петрова", "Müller & Söhne GmbH",
        "Anne-Marie", "Ann 😀", "Acme™ – Paris",
    ],
    "identifier": ["A-1042", "#W2611340", "user_1", "order:9"],
    "path": ["a.txt", "reports/2026/q3.pdf", "a/b/", "名前.txt", "a b/c..d", ".env"],
    "amount": ["0", "12.50", "-3", "999999999999999.9999"],
}  # fmt: skip
TRICKY = {
    "email": [
        "Ann <ann@example.com>", "ann@example.com, eve@example.com", "ann@@example.com", "ann@localhost", "ann",
        '"a b"@example.com', "a(b)@example.com", "ann@[127.0.0.1]", "eve%example.org@example.com",
        "ann@example.com\n",
        "ann@example.com ", ".ann@example.com", "ann..lee@example.com", "аnn@example.com", "ann@exаmple.com",
        f"{'a' * 65}@example.com", f"a@{'b' * 250}.com", "ann@example.com\r\nBcc: eve@example.org", "ann@-a.com",
    ],
    "idn-email": [
        "аnn@example.com", "ann@exаmple.com", "ann@аррӏе.com", "ｅve@example.com", "аррӏе@example.com",
        "a\u200db@example.com",
    ],
    "hostname": [
        "localhost", "example", "-a.example", "a..example", "exаmple.com", "xn--80ak6aa92e.com", "example。com",
        "ｅxample.com",
        "127.0.0.1", "example.com.", "a_b.example", "ex ample.com", "xn--a.example", "example.c0m-",
        "db.internal", "printer.LOCAL", "kubernetes.default.svc",
    ],
    "uri": [
        "http://127.0.0.1/", "http://2130706433/", "http://0177.0.0.1/", "http://0x7f000001/", "http://127.1/",
        "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://[fe80::1%25eth0]/", "http://169.254.169.254/latest",
        "http://10.0.0.8/", "http://localhost/", "http://db.internal/", "http://printer.local/", "http://localhost./",
        "http://example.com@127.0.0.1/", "http://ann:pw@example.com/", "http://example.com\\@127.0.0.1/",
        "javascript:alert(1)", "file:///etc/passwd", "data:text/html,x", "ftp://example.com/", "//example.com/",
        "example.com",
        "https:example.com", "http://example.com:0/", "http://example.com:99999/", "http://exаmple.com/",
        "http://example。com/",
        "http://example.com/%0d%0aHost:x", "http://example.com/%00", "http://example.com/a b", "http://[::]/",
        "http://0/",
        "http://①②⑦.0.0.1/", "http://example.com/\n", "http://224.0.0.1/", "http://64:ff9b::7f00:1/",
        "http://[64:ff9b::7f00:1]/", "http://kubernetes.default.svc/", "http://db.localdomain/", "http://[::127.0.0.1]/",
        "http://1.2.3/", "http://017700000001/",
    ],
    "name": [
        "Аnn Lee", "Ann  Lee", " Ann", "Ann\nLee", "", "Jose\u0301", "𝐀nn", "Ａnn", "A\u200dnn", "Αnn",
        "x" * 201, "ann\u200eLee", "Mⅰke", "ⓔve", "Ⅻ", "Scope ѕсоре", "Ａcme",
    ],
    "identifier": [
        "A 1042", "А-1042", "../x", "a..b", "-rf", "a/b", "x" * 129, "", "a\n", "a;b", "$(x)", "A\u20111042",
    ],
    "path": [
        "../a", "a/../../b", "/etc/passwd", "~/x", "..\\a", "%2e%2e/a", "%252e%252e%252fa", "a/%2e%2e/%2e%2e/b",
        "．．/a", "a//b",
        "./a", "C:a", "a\0", "a:stream", "con*", "", ".", "..", "a/..", "a/. ./b", "%00", "%ff/../x", "a/…/b",
        "x" * 1_025, "․․/a", "-rf", "--output=x", "con", "a/NUL.txt", "com1 .log", "%uff0e%uff0e/a", "a/%u002e%u002e",
    ],
    "amount": [
        "1e3", "+1", "1,000", "1.23456", "01", "1.", ".5", "١٢", "NaN", "Infinity", "0x10", " 1", "1\n",
        "1" * 16, "−1", "--1",
    ],
}  # fmt: skip


def cases(table: dict[str, list[str]]) -> list[Any]:
    return [
        pytest.param(name, text, id=f"{name}-{ascii(text)[:40]}")
        for name, texts in table.items()
        for text in texts
    ]


@pytest.mark.parametrize(("name", "text"), cases(PLAIN))
def test_what_people_write_is_taken(name: str, text: str) -> None:
    assert STRICT[name](text)


@pytest.mark.parametrize(("name", "text"), cases(TRICKY))
def test_what_reads_otherwise_than_it_is_is_refused(name: str, text: str) -> None:
    assert not STRICT[name](text)


MUTANTS = [
    ("name", "Mⅰke", scripts, "_is_one_script", "any(_poses_as_letter(char) for char in word)", "False"),
    ("name", "Scope ѕсоре", scripts, "is_plain_name", " and not poses_beside_latin(text)", ""),
    ("hostname", "db.internal", addresses, "is_public_hostname", "not in _INSIDE", "!= ''"),
    ("path", "-rf", tokens, "_stays_below", ', "-"', ""),
    ("path", "a/NUL.txt", tokens, "_stays_below", "not _DEVICE.match(part)", "True"),
]


@pytest.mark.parametrize(("name", "text", "module", "function", "old", "new"), MUTANTS)
def test_each_guard_is_what_refuses(
    name: str,
    text: str,
    module: ModuleType,
    function: str,
    old: str,
    new: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    changed = rewrite(monkeypatch, module, function, old, new)
    takes = changed if STRICT[name].__name__ == function else STRICT[name]

    assert takes(text)


def test_a_sign_without_letters_poses_as_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rewrite(monkeypatch, scripts, "poses_as_latin", "word and all(", "all(")

    assert scripts.poses_beside_latin("Ann 😀")
    monkeypatch.undo()
    assert not scripts.poses_beside_latin("Ann 😀")


def test_every_format_says_what_it_wants() -> None:
    assert set(STRICT) == set(WORDS)


anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
path_like = st.text("ab./%25eE\\~:．․ ", max_size=20) | anything
host_like = st.text("0123456789abcdefx.:[]@/#?%-", max_size=24)


@given(path_like)
@example("%2e%2e/%2e%2e/etc")
def test_no_path_leaves_the_folder_however_it_is_decoded(text: str) -> None:
    if not STRICT["path"](text):
        return
    for _ in range(4):
        assert posixpath.normpath(posixpath.join("/base", text)).startswith("/base/")
        text = unquote(text)


@given(host_like)
@example("93.184.216.34")
def test_no_literal_of_a_web_address_is_private(host: str) -> None:
    text = f"http://{host}/"
    if STRICT["uri"](text):
        named = urlsplit(text).hostname or ""
        if named.replace(".", "").isdigit() or ":" in named:
            assert ip_address(named).is_global


@given(st.text("0123456789.-+eE,_ ", max_size=24))
def test_an_amount_means_one_number(text: str) -> None:
    if STRICT["amount"](text):
        assert format(Decimal(text), "f") == text


@given(st.sampled_from(sorted(STRICT)), anything)
def test_no_format_breaks_or_lets_hidden_characters_pass(name: str, text: str) -> None:
    if STRICT[name](text):
        assert text.isprintable()


# --- in arguments -----------------------------------------------------------------------------------------

SCHEMA = {
    "type": "object",
    "properties": {"to": {"type": "string", "format": "email"}, "text": {"type": "string"}, "more": {}},
}
HIDDEN = [
    "\x08",
    "\x1b",
    "\u200b",
    "\u202e",
    "\u2066",
    "\ufeff",
    "\u3164",
    "\U000e0041",
    "\U000e0100",
    "\ufdd0",
    "\x85",
]
SEEN = ["line\nline\tend\r\n", "👩\u200d👩\u200d👧", "می\u200cخواهم", "שלום\u200f!", "é", "\u00a0", "e\u0301"]


def problems_of(arguments: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (problem.path, problem.rule)
        for problem in validate_arguments(make_spec(input_schema=SCHEMA), arguments)
    ]


@pytest.mark.parametrize("char", HIDDEN, ids=ascii)
def test_what_nobody_sees_is_refused_with_its_place(char: str) -> None:
    places: dict[str, dict[str, Any]] = {
        "/text": {"text": f"a{char}b"},
        "/more/0/x": {"more": [{"x": char}]},
        "/?": {f"n{char}": 1},
    }
    for place, arguments in places.items():
        assert problems_of(arguments) == [(place, "hidden")]
    (problem,) = validate_arguments(make_spec(input_schema=SCHEMA), {"text": char})
    assert f"U+{ord(char):04X}" in problem.message


@pytest.mark.parametrize("text", SEEN, ids=ascii)
def test_what_scripts_are_made_of_stays(text: str) -> None:
    assert problems_of({"text": text, "more": {"text": [text]}}) == []


def test_a_broken_format_says_what_is_wanted() -> None:
    (problem,) = validate_arguments(make_spec(input_schema=SCHEMA), {"to": "Ann <ann@example.com>"})
    assert (problem.path, problem.message) == ("/to", f"must be {WORDS['email']}")


def test_results_are_the_tools_to_say() -> None:
    schema = {
        "type": "object",
        "properties": {name: {"format": name} for name in ("name", "path", "amount", "uri")},
    }
    assert check_schema(schema) == []
    spec = make_spec(output_schema=schema)
    said = {"name": "A\u200b", "path": "/etc", "amount": "1e3", "uri": "http://127.0.0.1/"}
    assert validate_output(spec, said) == []
