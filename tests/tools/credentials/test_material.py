"""A credential shows itself to nobody but who asks for it, and is taken out of whatever a tool says."""

from __future__ import annotations

import base64
import copy
import json
import pickle
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tools.execution import make_call, make_spec
from tools.credentials.material import Credential, conceal_outcome, conceal_value
from tools.outcomes import bound_detail, fail, succeed

SECRET = 'canary/"8f2+ä b%c=='


def test_no_text_of_it_shows_it() -> None:
    credential = Credential(SECRET, "Authorization", "Bearer")
    call = make_call(make_spec(), credential=credential)
    shown = [repr(credential), str(credential), f"{credential}", f"{credential:>40}", repr(call),
             str([credential]), json.dumps({"a": credential}, default=str), str(ValueError(credential))]  # fmt: skip

    assert not [text for text in shown if "canary" in text]
    assert credential.reveal() == SECRET
    with pytest.raises(TypeError):
        json.dumps(credential)


@pytest.mark.parametrize("store", [pickle.dumps, copy.copy, copy.deepcopy, vars])
def test_it_is_neither_copied_nor_stored(store: Any) -> None:
    with pytest.raises(TypeError):
        store(Credential(SECRET))


WRITTEN = [
    SECRET, quote(SECRET), quote(SECRET, safe=""), quote_plus(SECRET), quote(SECRET, safe="").lower(),
    json.dumps(SECRET)[1:-1], json.dumps(SECRET, ensure_ascii=False)[1:-1], SECRET.encode().hex(),
    SECRET.encode().hex().upper(),
]  # fmt: skip


@pytest.mark.parametrize("written", WRITTEN)
def test_it_is_taken_out_of_every_text(written: str) -> None:
    credential = Credential(SECRET)
    value = conceal_value(credential, {f"k{written}": [f"a {written} b", {"n": 1.5, "t": True, "x": None}]})

    assert value == {"k[credential]": ["a [credential] b", {"n": 1.5, "t": True, "x": None}]}
    assert credential.conceal(f"Bearer {written}!") == "Bearer [credential]!"


@given(
    st.binary(max_size=9),
    st.binary(max_size=9),
    st.sampled_from([base64.b64encode, base64.urlsafe_b64encode]),
)
def test_it_is_taken_out_of_base64_of_what_it_stands_in(before: bytes, after: bytes, encode: Any) -> None:
    secret = "canary-8f2e1c55"
    told = Credential(secret).conceal(encode(before + secret.encode() + after).decode())

    assert "[credential]" in told
    # At the most the digits are left that are shared with the neighbours.
    assert len(told.replace("[credential]", "")) <= len(encode(before)) + len(encode(after)) + 4


@pytest.mark.parametrize("cut", range(4, 15))
def test_it_is_taken_out_where_a_text_is_cut_in_its_middle(cut: int) -> None:
    secret = "canary-8f2e1c55"
    outcome = fail("http_500", "x" * (499 - cut) + secret + "y" * 500)
    assert secret[:cut] in outcome.detail

    assert secret[:4] not in conceal_outcome(Credential(secret), outcome).detail


def test_it_is_taken_out_of_what_was_brought_onto_one_line() -> None:
    pem = "-----BEGIN KEY-----\ncanarycanary\ncanarycanary\n-----END KEY-----"
    assert "canary" not in Credential(pem).conceal(bound_detail(f"no: {pem}"))


def test_a_number_may_be_one_and_so_may_a_code() -> None:
    credential = Credential("1234567890")
    assert conceal_value(credential, {"pin": 1234567890}) == {"pin": "[credential]"}
    assert conceal_outcome(Credential("canary_8f2e"), fail("canary_8f2e", "")).code == "tool_error"
    assert conceal_outcome(credential, succeed(7)).value == 7


def test_the_password_in_a_basic_credential_is_one_by_itself() -> None:
    credential = Credential(base64.b64encode(b"shop:canary-8f2e").decode(), "Authorization", "Basic")
    assert credential.conceal("no canary-8f2e for shop:canary-8f2e") == "no [credential] for [credential]"


@pytest.mark.parametrize("material", ["line\nbreak", "umlaut-ä", " space ", "nul\0nul"])
def test_what_no_header_can_carry_is_refused_without_quoting_it(material: str) -> None:
    with pytest.raises(ValueError, match="cannot be sent in a header") as refused:
        Credential(material, "Authorization", "").header_line()
    assert material not in str(refused.value)
