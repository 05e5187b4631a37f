"""What a browser is shown where no page answers: words in the console's own clothes, and a way back."""

from __future__ import annotations

import pytest
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from agentops.api import fallbacks
from tests.cast import Cast
from tests.console.visits import Page, page_of, sign_in, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def request_for_a_page(rf: RequestFactory) -> HttpRequest:
    return rf.get("/admin/")


def check_page(page: HttpResponse | Page, status: int, heading: str) -> None:
    text = page.content.decode()
    assert page.status_code == status
    assert f"<h1>{heading}</h1>" in text
    assert 'href="/admin/"' in text
    assert "agentops/console.css" in text


def test_the_root_leads_to_the_console(client: Client) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")


def test_an_address_without_a_page(client: Client) -> None:
    check_page(client.get("/nowhere/"), 404, "There is nothing at this address")


def test_a_page_that_nobody_has_says_where_it_is_done(cast: Cast) -> None:
    page = sign_in(cast.ada).get(page_of("tools_tool", "add"))
    check_page(page, 403, "You may not do this here")
    assert "python3 -m agentops apply" in text_of(page)


def test_what_cannot_be_read(request_for_a_page: HttpRequest) -> None:
    answer = fallbacks.bad_request(request_for_a_page, SuspiciousOperation())
    check_page(answer, 400, "That request makes no sense")


def test_a_failure_of_ours(request_for_a_page: HttpRequest) -> None:
    check_page(fallbacks.server_error(request_for_a_page), 500, "Something went wrong on our side")
