"""Sealed values: they open whole, in their place, under a configured key, or not at all."""

from __future__ import annotations

import pytest
from django.conf import LazySettings
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st

from agentops.sealing import SealRefused, rewrap, seal, unseal

PLACE = "identities.secret/7/value"
VALUE = b"canary-of-the-sealed-value"
OLD, NEW = f"old:{'o1' * 30}", f"new:{'n2' * 30}"


def refusal(sealed: str, context: str = PLACE) -> str:
    """Return the code with which a text is refused, after a look at what the error shows."""
    with pytest.raises(SealRefused) as refused:
        unseal(sealed, context=context)
    assert VALUE.decode() not in repr(refused.value) + str(refused.value)
    return refused.value.code


@given(st.binary(max_size=200), st.text(st.characters(codec="utf-8")))
def test_what_is_sealed_opens_in_its_place(value: bytes, context: str) -> None:
    sealed = seal(value, context=context)

    assert unseal(sealed, context=context) == value
    assert seal(value, context=context) != sealed


def test_the_text_shows_version_and_key_and_not_the_value(settings: LazySettings) -> None:
    settings.AGENTOPS_SEALING_KEYS = [NEW, OLD]
    sealed = seal(VALUE, context=PLACE)

    assert sealed.startswith("v1.new.")
    assert VALUE.decode() not in sealed


def test_every_changed_byte_is_refused() -> None:
    sealed = seal(VALUE, context=PLACE)
    for at, character in enumerate(sealed):
        others = {chr(ord(character) ^ 1 << bit) for bit in range(8)} | {"A", ".", "=", "\n"}
        for other in others - {character}:
            assert refusal(sealed[:at] + other + sealed[at + 1 :]) in {"broken_seal", "unknown_sealing_key"}


@pytest.mark.parametrize("text", ["", "v1", "v1....", "v1.local.a.b.c", "v2.x.y.z.a", "plain text"])
def test_what_is_no_sealed_text_is_refused(text: str) -> None:
    assert refusal(text) in {"broken_seal", "unknown_sealing_key"}


def test_neither_cut_off_nor_longer() -> None:
    sealed = seal(VALUE, context=PLACE)
    for text in (sealed[:-1], sealed[:-4], sealed + "A", sealed + "AAAA", sealed + ".", sealed + "="):
        assert refusal(text) == "broken_seal"


def test_a_value_moved_to_another_place_is_refused() -> None:
    assert refusal(seal(VALUE, context=PLACE), "identities.secret/8/value") == "wrong_context"


def test_parts_of_two_sealed_values_do_not_fit_together() -> None:
    mine, other = (seal(VALUE, context=place).split(".") for place in (PLACE, "elsewhere"))
    for at in (2, 3, 4):
        assert refusal(".".join([*other[:at], mine[at], *other[at + 1 :]]), "elsewhere") == "broken_seal"
    assert refusal(".".join([*other[:3], *mine[3:]])) == "broken_seal"


def test_keys_are_rotated_without_touching_the_value(settings: LazySettings) -> None:
    settings.AGENTOPS_SEALING_KEYS = [OLD]
    under_old = seal(VALUE, context=PLACE)
    settings.AGENTOPS_SEALING_KEYS = [NEW, OLD]
    under_new = rewrap(under_old, context=PLACE)

    assert unseal(under_old, context=PLACE) == VALUE
    assert under_new.split(".")[1] == "new"
    assert under_new.split(".")[-1] == under_old.split(".")[-1]
    assert rewrap(under_new, context=PLACE) == under_new

    settings.AGENTOPS_SEALING_KEYS = [NEW]
    assert unseal(under_new, context=PLACE) == VALUE
    assert refusal(under_old) == "unknown_sealing_key"


def test_a_broken_value_is_not_wrapped_anew(settings: LazySettings) -> None:
    settings.AGENTOPS_SEALING_KEYS = [OLD]
    sealed = seal(VALUE, context=PLACE)
    settings.AGENTOPS_SEALING_KEYS = [NEW, OLD]
    for text, context in ((sealed[:-4], PLACE), (sealed, "elsewhere")):
        with pytest.raises(SealRefused):
            rewrap(text, context=context)


def test_a_name_reused_for_another_key_opens_nothing(settings: LazySettings) -> None:
    settings.AGENTOPS_SEALING_KEYS = [OLD]
    sealed = seal(VALUE, context=PLACE)
    settings.AGENTOPS_SEALING_KEYS = [f"old:{'z3' * 30}"]

    assert refusal(sealed) == "broken_seal"


@pytest.mark.parametrize(
    "keys", [[], ["nameless"], [":" + "x" * 60], ["empty:"], ["a.b:" + "x" * 60], [OLD, OLD]]
)
def test_keys_that_cannot_be_told_apart_seal_nothing(settings: LazySettings, keys: list[str]) -> None:
    settings.AGENTOPS_SEALING_KEYS = keys

    with pytest.raises(ImproperlyConfigured) as refused:
        seal(VALUE, context=PLACE)
    assert "x" * 60 not in str(refused.value)
