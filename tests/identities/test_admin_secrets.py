"""Pages of secrets: a value goes in and never comes out, and outsiders get nowhere."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from identities.models import Secret
from tests.cast import Cast
from tests.console.visits import Page, act, page_of, sign_in, text_of
from tests.identities.secrets import VALUE, make_secret, value_of

pytestmark = [pytest.mark.console, pytest.mark.slow]

SECRET = "identities_secret"


def add(client: Client, cast: Cast, **changes: Any) -> Page:
    form = {"team": str(cast.team.pk), "slug": "shop-key", "purpose": "Calls the shop.", "provider": "static",
            "settings": "{}", "value": VALUE, **changes}  # fmt: skip
    return client.post(page_of(SECRET, "add"), form, follow=True)


def test_a_value_is_put_in_and_not_shown_again(cast: Cast) -> None:
    client = sign_in(cast.alice)
    shown = [add(client, cast)]
    secret = Secret.objects.get()
    assert value_of(secret) == VALUE
    shown += [
        client.get(page_of(SECRET, *page))
        for page in (("changelist",), ("change", secret.pk), ("replace", secret.pk))
    ]
    shown.append(client.get(page_of("ledger_stream", "change", secret.pk)))
    for page in shown:
        assert page.status_code == 200
        assert VALUE not in page.content.decode()
        assert secret.sealed_value not in page.content.decode()
    assert "version 1" in text_of(shown[2])


@pytest.mark.parametrize(
    "wrong", [{"slug": "not a slug"}, {"settings": "[1]"}, {"provider": "vault"}, {"settings": '{"x": 1}'}]
)
def test_a_form_that_fails_does_not_show_it_again(cast: Cast, wrong: dict[str, str]) -> None:
    page = add(sign_in(cast.alice), cast, **wrong)

    assert page.status_code == 422
    assert VALUE not in page.content.decode()
    assert not Secret.objects.exists()


def test_it_is_replaced_and_retired(cast: Cast) -> None:
    secret, client = make_secret(cast), sign_in(cast.alice)
    page = client.post(page_of(SECRET, "replace", secret.pk), {"value": VALUE + "-2"}, follow=True)
    assert VALUE not in page.content.decode()
    assert value_of(secret) == VALUE + "-2"
    act(client, SECRET, "retire", secret.pk)
    secret.refresh_from_db()
    assert secret.state == "retired"


@pytest.mark.parametrize("name", ["bob", "charlie", "fiona"])
def test_others_change_nothing(cast: Cast, name: str) -> None:
    secret, client = make_secret(cast), sign_in(getattr(cast, name))
    for response in (client.get(page_of(SECRET, "replace", secret.pk)),
                     client.post(page_of(SECRET, "replace", secret.pk), {"value": "another-value"})):  # fmt: skip
        assert (response.status_code, response["Location"]) == (302, "/admin/")
    act(client, SECRET, "retire", secret.pk)
    add(client, cast, slug="mine")
    assert value_of(secret) == VALUE
    assert (secret.state, Secret.objects.count()) == ("active", 1)


def test_an_outsider_sees_nothing_of_it(cast: Cast) -> None:
    secret, client = make_secret(cast), sign_in(cast.charlie)
    for page in (("change", secret.pk), ("replace", secret.pk), ("history", secret.pk)):
        response = client.get(page_of(SECRET, *page))
        assert (response.status_code, response["Location"]) == (302, "/admin/")
    assert "shop-key" not in client.get(page_of(SECRET, "changelist")).content.decode()
