"""Editing in the console: a form, a look, a yes; without a script, and with nothing that a stale page could do."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.test import Client

from approvals.models import ApprovalRequest
from identities.models import User
from runs.models import Run
from tests.approvals.conftest import company
from tests.console.visits import Page, page_of, sign_in, text_of
from tests.runs.company import Company
from tests.runs.test_edits import HIGH, LOW, SCHEMA, add_refund, ask_for, needs
from tools.admin.schema_form import ArgumentsForm, fill_form

__all__ = ["company"]

pytestmark = [pytest.mark.console, pytest.mark.slow]
MODEL = "approvals_approvalrequest"


@pytest.fixture
def run(company: Company) -> Run:
    add_refund(company)
    return ask_for(company, HIGH)


@pytest.fixture
def waiting(run: Run) -> ApprovalRequest:
    return ApprovalRequest.objects.get()


def send(client: Client, request: ApprovalRequest, **form: Any) -> Page:
    values = {"digest": request.digest, "step": "look", **form}
    return client.post(page_of(MODEL, "edit", request.pk), values)


def look(client: Client, request: ApprovalRequest, arguments: Any = LOW, **form: Any) -> Page:
    return send(client, request, raw=json.dumps(arguments), **form)


def confirm(client: Client, request: ApprovalRequest, looked: Page, **changes: Any) -> Page:
    page = looked.content.decode()
    edited = re.findall(r'name="edited" value="(\w{64})"', page)[0]
    form = {"step": "have", "edited": edited, "arguments": json.dumps(LOW), "reason": "half", **changes}
    return send(client, request, **form)


def test_the_page_of_the_request_leads_there(company: Company, waiting: ApprovalRequest) -> None:
    page = sign_in(company.cast.fiona).get(page_of(MODEL, "change", waiting.pk)).content.decode()
    assert f'data-key="e" href="{page_of(MODEL, "edit", waiting.pk)}"' in page


def test_a_person_edits_looks_and_approves_what_they_saw(
    company: Company, run: Run, waiting: ApprovalRequest
) -> None:
    client = sign_in(company.cast.fiona)
    shown = client.get(page_of(MODEL, "edit", waiting.pk)).content.decode()
    assert 'value="90.00"' in shown
    looked = look(client, waiting)
    told = text_of(looked)
    assert "amount 90.00 9.00" in told
    assert "takes the yes of 1 of all who may approve" in told
    assert ApprovalRequest.objects.get().state == "waiting"  # nothing is kept
    assert confirm(client, waiting, looked).status_code == 302
    assert company.states(company.drive(run)) == [("succeeded", "ok")]
    after = ApprovalRequest.objects.get(state="approved")
    page = text_of(client.get(page_of(MODEL, "change", after.pk)))
    assert "fiona has edited this call" in page
    before = text_of(client.get(page_of(MODEL, "change", waiting.pk)))
    assert "edited the call of this" in before and "the request that followed" in before  # noqa: PT018  one page


def test_the_fields_of_the_schema_take_it_too(company: Company, waiting: ApprovalRequest) -> None:
    form = ArgumentsForm(schema=SCHEMA)
    names = {".".join(slot.path): slot.name for slot in form.slots}
    filled = {names["order_id"]: "A-1", names["amount"]: "9.00"}
    assert "amount 90.00 9.00" in text_of(send(sign_in(company.cast.fiona), waiting, **filled))


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (HIGH, 422, "Nothing differs"),
        ({**LOW, "amount": "x"}, 422, "may not go out"),
        ("no object", 422, "JSON object"),
    ],
)
def test_what_may_not_go_out_is_said_at_the_form(
    company: Company, waiting: ApprovalRequest, arguments: Any, status: int, words: str
) -> None:
    page = look(sign_in(company.cast.fiona), waiting, arguments)
    assert (page.status_code, words in text_of(page)) == (status, True)


def test_no_json_is_said_at_the_field(company: Company, waiting: ApprovalRequest) -> None:
    page = send(sign_in(company.cast.fiona), waiting, raw="{")
    assert (page.status_code, "This is no JSON" in text_of(page)) == (422, True)


def test_a_code_is_asked_for_where_the_factor_is_old(company: Company, waiting: ApprovalRequest) -> None:
    client = sign_in(company.cast.fiona, seconds_ago=300)
    looked = look(client, waiting)
    assert 'name="code"' in looked.content.decode()
    refused = confirm(client, waiting, looked, code="000000")
    assert (refused.status_code, "That code is not right" in text_of(refused)) == (403, True)
    assert "amount 90.00 9.00" in text_of(refused)  # what was looked at stands there still
    assert ApprovalRequest.objects.get().state == "waiting"


def test_a_rule_that_wants_a_key_wants_one_here(company: Company, run: Run, waiting: ApprovalRequest) -> None:
    needs(company, {"needed": 1}, factor="key")
    client = sign_in(company.cast.fiona)
    looked = look(client, waiting)
    assert "you have none here" in text_of(looked)
    refused = confirm(client, waiting, looked)
    assert (refused.status_code, "takes your security key" in text_of(refused)) == (403, True)


def test_two_tabs_edit_once(company: Company, waiting: ApprovalRequest) -> None:
    client = sign_in(company.cast.fiona)
    first, second = look(client, waiting), look(client, waiting)
    assert confirm(client, waiting, first).status_code == 302
    late = confirm(client, waiting, second)
    assert (late.status_code, "there is nothing to edit" in text_of(late)) == (409, True)


@pytest.mark.parametrize("who", ["bob", "alice"])
def test_who_may_not_decide_edits_nothing(company: Company, waiting: ApprovalRequest, who: str) -> None:
    client = sign_in(getattr(company.cast, who))
    assert "You cannot edit this one" in text_of(client.get(page_of(MODEL, "edit", waiting.pk)))
    assert look(client, waiting).status_code == 403


def test_an_outsider_does_not_learn_that_it_is_there(company: Company, waiting: ApprovalRequest) -> None:
    outsider: User = company.cast.charlie
    answer = sign_in(outsider).get(page_of(MODEL, "edit", waiting.pk))
    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/")


def test_what_a_model_wrote_stays_text(company: Company) -> None:
    add_refund(company)
    run = ask_for(company, {"order_id": "<script>alert(1)</script>", "amount": "9.00"})
    assert run.state == "requires_action"
    request, client = ApprovalRequest.objects.get(), sign_in(company.cast.fiona)
    for page in (client.get(page_of(MODEL, "edit", request.pk)), look(client, request)):
        assert "<script>alert" not in page.content.decode()


def test_the_agent_is_asked_with_the_words_of_the_reason(
    company: Company, run: Run, waiting: ApprovalRequest
) -> None:
    client = sign_in(company.cast.fiona)
    form = {"verdict": "ask", "reason": "How broken is it?", "digest": waiting.digest}
    page = client.post(page_of(MODEL, "decision", waiting.pk), form, follow=True)
    assert "You asked the agent" in text_of(page)
    assert "The question How broken is it?" in text_of(page)
    company.drive(run)
    assert company.observations()[0]["question"] == "How broken is it?"


def test_a_preset_denies_with_its_words(company: Company, run: Run, waiting: ApprovalRequest) -> None:
    client = sign_in(company.cast.fiona)
    assert "The amount is not right." in text_of(client.get(page_of(MODEL, "change", waiting.pk)))
    form = {"verdict": "deny", "preset": "wrong_amount", "digest": waiting.digest}
    page = text_of(client.post(page_of(MODEL, "decision", waiting.pk), form, follow=True))
    assert "Reason given The amount is not right." in page


@pytest.mark.parametrize(
    "arguments",
    [LOW, {}, {"order_id": ""}, {"order_id": 5}, {"order_id": "A", "more": [1, {"x": None}]}],
    ids=str,
)
def test_a_form_is_filled_so_that_it_comes_to_the_same(arguments: Any) -> None:
    form = ArgumentsForm(fill_form(SCHEMA, arguments), schema=SCHEMA)
    assert form.is_valid()
    assert form.cleaned_data["arguments"] == arguments
