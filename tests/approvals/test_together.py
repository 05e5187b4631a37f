"""The pages of reviewing together: groups, the batch with its preflight, the confirmation, the results."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from django_otp.plugins.otp_totp.models import TOTPDevice

from agentops.console.security_keys import SIGNED
from agentops.ledger.store import erase_contents
from approvals.batches import showing
from approvals.batches.items import digest_batch, read_ready
from approvals.batches.sealed import Asked, read_asked
from approvals.batches.showing import MOST_ROWS
from approvals.models import ApprovalBatch, ApprovalDecision, ApprovalRequest, BatchGroup, OpenedRequest
from tests.approvals.batching import bend, codes_of, decide, let_sample, open_each, put_together, reseal
from tests.approvals.crowd import make_crowd
from tests.approvals.test_batches import crowd
from tests.console.visits import Page, count_queries, page_of, sign_in, text_of
from tests.factories.identities import current_code
from tests.ledger import entries_of
from tests.runs.company import Company
from tests.runs.conftest import company

__all__ = ["company", "crowd"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.console, pytest.mark.slow]

MODEL = "approvals_approvalrequest"
TOGETHER = f"admin:{MODEL}_together"


def batch_page(batch: ApprovalBatch) -> str:
    return page_of(MODEL, "batch", batch.pk)


def start(client: Client, requests: list[ApprovalRequest], verdict: str = "approve") -> Page:
    chosen = [f"{each.pk}:{each.digest}" for each in requests]
    return client.post(reverse(TOGETHER), {"chosen": chosen, "verdict": verdict})


def confirm(client: Client, batch: ApprovalBatch, **changes: Any) -> Page:
    form = {"act": "decide", "digest": digest_batch(batch, read_ready(batch)), "reason": "Seen.", **changes}
    return client.post(batch_page(batch), form)


def test_groups_say_what_is_the_same_what_varies_and_what_is_unusual(
    company: Company, crowd: list[ApprovalRequest]
) -> None:
    for request, amount in zip(crowd, (20, 20, 21, 20, 900), strict=True):
        bend("approvals_approvalrequest", request, amount=amount, currency="USD")
    page = text_of(sign_in(company.cast.fiona).get(reverse(TOGETHER)))
    assert "5 requests for refund 981.00 USD" in page
    assert "Varies order_id (5 values)" in page
    assert "1 unusual one" in page
    assert "900.00 is far above what is usual here, 20.00" in page


def test_a_group_leads_to_a_batch_of_all_of_it(company: Company, crowd: list[ApprovalRequest]) -> None:
    client = sign_in(company.cast.fiona)
    body = client.get(reverse(TOGETHER)).content.decode()
    group = body.split('name="group" value="')[1].split('"')[0]
    response = client.post(reverse(TOGETHER), {"group": group, "verdict": "deny"})
    batch = ApprovalBatch.objects.get()
    assert response["Location"] == batch_page(batch)
    assert set(batch.items.values_list("request_id", flat=True)) == {each.pk for each in crowd}


def test_the_page_names_who_is_excluded_and_why_and_decides_the_rest(
    company: Company, crowd: list[ApprovalRequest]
) -> None:
    client = sign_in(company.cast.fiona)
    open_each(company.cast.fiona, crowd)
    bend("approvals_approvalrequest", crowd[0], factor="key")
    assert start(client, crowd).status_code == 302
    batch = ApprovalBatch.objects.get()
    page = client.get(batch_page(batch))
    assert "4 requests can be approved together" in text_of(page)
    assert "its rule asks for your security key: decide it on its own page" in text_of(page)
    assert f'data-excluded="{crowd[0].pk}"' in page.content.decode()
    assert confirm(client, batch)["Location"] == batch_page(batch)
    done = text_of(client.get(batch_page(batch)))
    assert "4 requests approved, 1 request not decided" in done
    assert ApprovalDecision.objects.filter(channel="console", verdict="approve").count() == 4


def test_what_is_stale_on_the_page_is_named_too(company: Company, crowd: list[ApprovalRequest]) -> None:
    client = sign_in(company.cast.fiona)
    open_each(company.cast.fiona, crowd)
    stale = ApprovalRequest(pk=crowd[1].pk, digest="e" * 64)
    start(client, [crowd[0], stale])
    page = text_of(client.get(batch_page(ApprovalBatch.objects.get())))
    assert "1 request can be approved together" in page
    assert "the call has changed since you loaded the page" in page


def test_a_sample_is_listed_until_it_is_opened(company: Company, crowd: list[ApprovalRequest]) -> None:
    let_sample(company.cast)
    client = sign_in(company.cast.fiona)
    start(client, crowd)
    batch = ApprovalBatch.objects.get()
    assert "2 requests of 2 left to open" in text_of(client.get(batch_page(batch)))
    for item in batch.items.filter(opening="drawn"):
        client.get(page_of(MODEL, "change", item.request_id))
    page = text_of(client.get(batch_page(batch)))
    assert "You have opened all that were drawn. Check again" in page
    client.post(batch_page(batch), {"act": "check"})
    assert "5 requests can be approved together" in text_of(client.get(batch_page(batch)))


def test_only_a_page_of_its_own_opens_a_request(company: Company, crowd: list[ApprovalRequest]) -> None:
    client = sign_in(company.cast.fiona)
    client.get(page_of(MODEL, "changelist"))
    client.get(page_of(MODEL, "decision", crowd[0].pk))
    client.get(page_of(MODEL, "change", crowd[0].pk), headers={"HX-Target": "request-after"})
    client.get(page_of(MODEL, "change", crowd[0].pk), {"unasked": "1"}, headers={"HX-Target": "request"})
    assert not OpenedRequest.objects.exists()
    client.get(page_of(MODEL, "change", crowd[0].pk))
    assert OpenedRequest.objects.get().request == crowd[0]


def test_leaving_out_and_turning_round(company: Company, crowd: list[ApprovalRequest]) -> None:
    client = sign_in(company.cast.fiona)
    batch = put_together(company.cast.fiona, crowd)
    client.post(batch_page(batch), {"act": "leave_out", "out": [str(crowd[0].pk)]})
    assert "4 requests can be approved together. " in text_of(client.get(batch_page(batch)))
    response = client.post(batch_page(batch), {"act": "anew", "verdict": "deny"})
    page = text_of(client.get(response["Location"]))
    assert "4 requests can be denied together" in page
    other = ApprovalBatch.objects.exclude(pk=batch.pk).get()
    assert confirm(client, other, reason=" ").status_code == 422
    assert confirm(client, other, reason="No photo.").status_code == 302
    assert ApprovalDecision.objects.filter(verdict="deny").count() == 4
    assert entries_of(crowd[1].pk)[-1].content == {"reason": "No photo."}


def test_a_stale_factor_asks_for_a_code_in_place(company: Company, crowd: list[ApprovalRequest]) -> None:
    client = sign_in(company.cast.fiona, seconds_ago=61)
    batch = put_together(company.cast.fiona, crowd)
    assert 'name="code"' in client.get(batch_page(batch)).content.decode()
    response = confirm(client, batch)
    assert (response.status_code, ApprovalDecision.objects.count()) == (403, 0)
    assert "Seen." in text_of(response)
    code = current_code(TOTPDevice.objects.get(user=company.cast.fiona))
    assert confirm(client, batch, code=code).status_code == 302
    assert ApprovalDecision.objects.count() == 5


def test_a_wrong_code_decides_nothing(company: Company, crowd: list[ApprovalRequest]) -> None:
    client = sign_in(company.cast.fiona, seconds_ago=61)
    response = confirm(client, put_together(company.cast.fiona, crowd), code="000000")
    assert (response.status_code, ApprovalDecision.objects.count()) == (403, 0)
    assert "That code is not right" in text_of(response)


def test_what_a_key_signed_about_the_list_is_on_the_record(
    company: Company, crowd: list[ApprovalRequest]
) -> None:
    client = sign_in(company.cast.fiona)
    batch = put_together(company.cast.fiona, crowd)
    about = f"batch-approve:{digest_batch(batch, read_ready(batch))}"
    session = client.session
    session[SIGNED] = {"about": about, "signature": "…"}
    session.save()
    confirm(client, batch)
    assert entries_of(batch.pk)[0].facts["signature"]["about"] == about


def test_a_signature_about_something_else_is_none(company: Company, crowd: list[ApprovalRequest]) -> None:
    client = sign_in(company.cast.fiona)
    batch = put_together(company.cast.fiona, crowd)
    session = client.session
    session[SIGNED] = {"about": f"approve:{digest_batch(batch, read_ready(batch))}", "signature": "…"}
    session.save()
    confirm(client, batch)
    assert "signature" not in entries_of(batch.pk)[0].facts


@pytest.mark.parametrize("digest", ["", "0" * 64, "no digest"])
def test_another_list_is_not_confirmed(company: Company, crowd: list[ApprovalRequest], digest: str) -> None:
    batch = put_together(company.cast.fiona, crowd)
    response = confirm(sign_in(company.cast.fiona), batch, digest=digest)
    assert (response.status_code, ApprovalDecision.objects.count()) == (409, 0)
    assert "The list has changed since you loaded it; look at it again. Nothing was decided." in text_of(
        response
    )


@pytest.mark.parametrize("who", ["charlie", "bob", "alice"])
def test_an_outsider_finds_no_batch_and_decides_nothing(
    company: Company, crowd: list[ApprovalRequest], who: str
) -> None:
    batch = put_together(company.cast.fiona, crowd)
    client = sign_in(getattr(company.cast, who))
    for response in (client.get(batch_page(batch)), confirm(client, batch)):
        assert (response.status_code, response["Location"]) == (302, "/admin/")
    assert client.get(page_of(MODEL, "batch", uuid4()))["Location"] == "/admin/"
    assert str(crowd[0].pk) not in client.get(reverse(TOGETHER)).content.decode()
    assert not ApprovalDecision.objects.exists()


def test_a_superuser_looks_and_does_not_decide(company: Company, crowd: list[ApprovalRequest]) -> None:
    batch = put_together(company.cast.fiona, crowd)
    client = sign_in(company.cast.ada)
    assert 'id="confirming"' not in client.get(batch_page(batch)).content.decode()
    assert confirm(client, batch).status_code == 403
    client.post(batch_page(batch), {"act": "go_on"})
    assert not ApprovalDecision.objects.exists()


@pytest.mark.parametrize("chosen", [["nonsense"], [], [f"{uuid4()}:x"], ["\x00:"]])
def test_what_is_no_choice_is_refused(company: Company, chosen: list[str]) -> None:
    client = sign_in(company.cast.fiona)
    response = client.post(reverse(TOGETHER), {"chosen": chosen, "verdict": "approve"})
    assert response.status_code in (404, 422)
    assert not ApprovalBatch.objects.exists()


def test_a_form_from_another_site_is_refused(company: Company, crowd: list[ApprovalRequest]) -> None:
    client = sign_in(company.cast.fiona)
    client.handler.enforce_csrf_checks = True
    batch = put_together(company.cast.fiona, crowd)
    assert confirm(client, batch).status_code == 403
    assert start(client, crowd).status_code == 403


def test_pages_cost_the_same_however_much_there_is(company: Company, crowd: list[ApprovalRequest]) -> None:
    client = sign_in(company.cast.fiona)
    few = put_together(company.cast.fiona, crowd[:1])
    many = put_together(company.cast.fiona, [*crowd[1:], *make_crowd(crowd[0], 2 * MOST_ROWS)])
    assert count_queries(client, batch_page(few)) == count_queries(client, batch_page(many)) <= 30
    for batch in (few, many):
        decide(company.cast.fiona, batch)
    assert count_queries(client, batch_page(few)) == count_queries(client, batch_page(many)) <= 30
    assert count_queries(client, reverse(TOGETHER)) <= 30


def shown_on(page: Page) -> list[str]:
    """Return the requests that a page lists to be left out."""
    return re.findall(r'name="out" value="([^"]+)"', page.content.decode())


def test_a_page_reads_and_shows_one_page_of_a_group(
    company: Company, crowd: list[ApprovalRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, read = sign_in(company.cast.fiona), []
    everybody = [*crowd, *make_crowd(crowd[0], 60)]
    batch = put_together(company.cast.fiona, everybody)

    def count_read(requests: Iterable[UUID]) -> dict[UUID, Asked]:
        read.append(list(requests))
        return read_asked(read[-1])

    monkeypatch.setattr(showing, "read_asked", count_read)
    first = client.get(batch_page(batch))
    assert [len(each) for each in read] == [len(shown_on(first))] == [MOST_ROWS]
    assert "65 requests can be approved together" in text_of(first)
    assert "And 15 more of the same kind" in text_of(first)
    group = BatchGroup.objects.get(batch=batch).name
    pages = [client.get(batch_page(batch), {"group": group, "page": page}) for page in (1, 2)]
    assert {pk for page in pages for pk in shown_on(page)} == {str(each.pk) for each in everybody}
    assert "51 to 65 of 65" in text_of(pages[1])
    for nonsense in ("x", "-1", "99"):
        assert client.get(batch_page(batch), {"group": nonsense, "page": nonsense}).status_code == 200
    monkeypatch.setattr(showing, "MOST_ROWS", 1_000)  # the mutant without the cut
    assert len(shown_on(client.get(batch_page(batch)))) == 65


def test_what_is_excluded_comes_in_pages_too(company: Company, crowd: list[ApprovalRequest]) -> None:
    client = sign_in(company.cast.fiona)
    batch = put_together(company.cast.fiona, [*crowd, *make_crowd(crowd[0], 60)], opened=False)
    pages = [client.get(batch_page(batch), {"excluded": page}) for page in (1, 2)]
    named = [re.findall(r'data-excluded="([^"]+)"', page.content.decode()) for page in pages]
    assert [len(each) for each in named] == [50, 15]
    assert not set(named[0]) & set(named[1])


def test_the_last_check_is_shown_with_its_time_until_somebody_checks_again(
    company: Company, crowd: list[ApprovalRequest]
) -> None:
    client, batch = sign_in(company.cast.fiona), put_together(company.cast.fiona, crowd)
    bend("approvals_approvalrequest", crowd[0], factor="key")
    for _ in range(2):
        page = text_of(client.get(batch_page(batch)))
        assert "5 requests can be approved together" in page
        assert re.search(r"Checked [^:]{1,30}: what has changed since does not show yet. Check again", page)
    sign_in(company.cast.ada).post(batch_page(batch), {"act": "check"})
    assert "5 requests can be approved together" in text_of(client.get(batch_page(batch)))
    assert client.post(batch_page(batch), {"act": "check"})["Location"] == batch_page(batch)
    assert "4 requests can be approved together" in text_of(client.get(batch_page(batch)))


def test_what_was_not_checked_since_is_not_decided_all_the_same(
    company: Company, crowd: list[ApprovalRequest]
) -> None:
    """The page may be old; the decision looks at each once more."""
    client, batch = sign_in(company.cast.fiona), put_together(company.cast.fiona, crowd)
    bend("approvals_approvalrequest", crowd[0], factor="key")
    digest = client.get(batch_page(batch)).content.decode().split('name="digest" value="')[1][:64]
    confirm(client, batch, digest=digest)
    assert codes_of(batch) == {str(crowd[0].pk): "key_required"}
    assert ApprovalDecision.objects.count() == 4
    assert not BatchGroup.objects.exists()


def test_arguments_say_where_they_come_from(company: Company, crowd: list[ApprovalRequest]) -> None:
    evidence = {**entries_of(crowd[0].pk)[0].content, "marks": {"order_id": "nowhere"}}
    reseal(crowd[0], content=evidence)
    batch = put_together(company.cast.fiona, crowd)
    page = sign_in(company.cast.fiona).get(batch_page(batch)).content.decode()
    (row,) = re.findall(rf'<tr><td><input[^>]+value="{crowd[0].pk}".*?</tr>', page)
    assert '<span class="source source-nowhere">found nowhere</span>' in row
    assert 'id="sources"' in page


def test_no_value_of_an_argument_is_kept_beside_the_ledger(
    company: Company, crowd: list[ApprovalRequest]
) -> None:
    """Erased words are gone from the batch's page, too."""
    batch = put_together(company.cast.fiona, crowd)
    kept = [list(BatchGroup.objects.values()), list(batch.items.values())]
    assert "B-1" not in str(kept)
    with connection.cursor() as cursor, transaction.atomic():
        for each in crowd:
            erase_contents(cursor, each.pk)
    page = sign_in(company.cast.fiona).get(batch_page(batch)).content.decode()
    assert "B-1" not in page
    assert len(re.findall('name="out"', page)) == 5
