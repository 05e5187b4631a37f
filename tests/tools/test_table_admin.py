"""The pages of decision tables: written row by row, looked over, kept, published, told apart."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from identities.models import ChangeProposal
from tests.cast import Cast
from tests.console.visits import count_queries, page_of, sign_in, text_of
from tests.tools.tables import eligibility, make_table, publish
from tools.models import DecisionTable
from tools.services.tables import export_table

pytestmark = [pytest.mark.django_db, pytest.mark.dmn, pytest.mark.console, pytest.mark.slow]
TABLE = "tools_decisiontable"


def fields_of(page: Any) -> dict[str, str]:
    """Return what a browser would send of the editor, its buttons left out."""
    text = page.content.decode()
    form = text[text.index('id="editor"') :]
    sent = dict(re.findall(r'<input[^>]* name="([^"]+)" value="([^"]*)"', form))
    for name, options in re.findall(r'<select[^>]* name="([^"]+)">(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r"<option(?: value=\"([^\"]*)\")? selected>([^<]*)", options)
        sent[name] = (chosen[1] if chosen[1] is not None else chosen[2]) if chosen else ""
    return {name: html.unescape(value) for name, value in sent.items()}


def test_from_an_empty_page_to_rules_that_two_people_signed(governed: Cast) -> None:
    alice = sign_in(governed.alice)
    page = alice.post(
        page_of(TABLE, "add"),
        {"team": governed.team.pk, "slug": "refunds", "name": "Who gets a refund"},
        follow=True,
    )
    table = DecisionTable.objects.get()
    edit = page_of(TABLE, "edit", table.pk)
    assert "Every case has exactly one answer." in text_of(page)
    for act in ("rules:add", "rules:add", "rules:remove:0", "inputs:add", "cases:add"):
        page = alice.post(edit, {**fields_of(page), "act": act})
    sent = fields_of(page)
    sent |= {"i1.expression": "days", "r0.t0": "<= 50", "r0.o0": '"pay"', "r1.t0": "> 50", "r1.o0": '"ask"',
             "c0.inputs": '{"amount": 5, "days": 1}', "c0.expect": '{"answer": "pay"}'}  # fmt: skip
    shown = text_of(alice.post(edit, sent))
    assert "as expected" in shown
    moved = fields_of(alice.post(edit, {**sent, "act": "rules:up:1"}))
    assert (moved["r0.t0"], moved["r1.t0"]) == ("> 50", "<= 50")
    alice.post(edit, {**moved, "act": "save", "effective_from": "2036-01-01T00:00"})
    assert "2036-01-01T00:00" in alice.get(edit).content.decode()  # what was given goes on counting
    rules = table.versions.get().definition["rules"]
    assert [rule["tests"] for rule in rules] == [["> 50", "-"], ["<= 50", "-"]]

    done = alice.post(page_of(TABLE, "publish", table.pk), {"acknowledgement": ""}, follow=True)
    assert "Proposed" in text_of(done)
    assert ChangeProposal.objects.get().verb == "decision_table.publish"


@pytest.mark.parametrize(
    ("cell", "value", "words"),
    [
        ("r0.t1", "[0..", "rule 1, input 2"),
        ("r0.t1", "[0..3]", "No rule covers days: < 0, (3..14]"),
        ("r0.t1", "[0..20]", "Rules 1 and 2 both claim days: (14..20]"),
        ("r0.o0", '"much"', "rule 1, output 1"),
        ("i1.type", "weather", "is no type"),
    ],
)
def test_what_is_typed_is_looked_over(cast: Cast, cell: str, value: str, words: str) -> None:
    table = make_table(cast)
    publish(cast, table, eligibility())
    alice = sign_in(cast.alice)
    edit = page_of(TABLE, "edit", table.pk)
    assert words in text_of(alice.post(edit, {**fields_of(alice.get(edit)), cell: value}))
    assert table.versions.count() == 1  # nothing is kept before somebody says so


def test_a_draft_that_somebody_else_keeps_meanwhile_is_not_lost(cast: Cast) -> None:
    table = make_table(cast)
    publish(cast, table, eligibility())
    alice, edit = sign_in(cast.alice), page_of(TABLE, "edit", table.pk)
    alice.post(edit, {**fields_of(alice.get(edit)), "act": "save"})
    mine, theirs = (fields_of(alice.get(edit)) for _ in range(2))
    alice.post(edit, {**mine, "r0.o0": "60", "act": "save"})
    assert "somebody has changed this draft" in text_of(
        alice.post(edit, {**theirs, "r0.o0": "70", "act": "save"})
    )


def test_versions_can_be_told_apart_taken_away_and_brought_back(cast: Cast) -> None:
    table = make_table(cast)
    first = publish(cast, table, eligibility())
    publish(cast, table, eligibility(early="60"))
    alice = sign_in(cast.alice)
    assert "rule early: - | [0..14] ⇒ 50 → - | [0..14] ⇒ 60" in text_of(
        alice.get(page_of(TABLE, "change", table.pk))
    )
    document = alice.get(page_of(TABLE, "export", table.pk, first.pk))
    assert document.content == export_table(first)
    shown = text_of(
        alice.post(
            page_of(TABLE, "import", table.pk),
            {"document": document.content.decode(), "decides": ""},
            follow=True,
        )
    )
    assert "is a draft of it" in shown
    latest = table.versions.filter(state="published").first()
    assert latest is not None
    alice.post(page_of(TABLE, "retire", table.pk, latest.pk), {"reason": "It is wrong."})
    assert "no version: whatever asks this table is denied" in text_of(
        alice.get(page_of(TABLE, "change", table.pk))
    )


@pytest.mark.parametrize("page", ["change", "edit", "publish", "import"])
def test_people_of_other_teams_see_nothing(cast: Cast, page: str) -> None:
    table = make_table(cast)
    publish(cast, table, eligibility())
    charlie = sign_in(cast.charlie)
    answer = charlie.post(page_of(TABLE, page, table.pk), {"act": "save"}, follow=True)
    assert "There is no such decision table" in text_of(answer)
    assert table.versions.count() == 1


def test_more_versions_take_no_more_queries(cast: Cast) -> None:
    table, counts = make_table(cast), set()
    client = sign_in(cast.alice)
    for early in ("50", "60", "70"):
        publish(cast, table, eligibility(early=early))
        counts.add(count_queries(client, page_of(TABLE, "change", table.pk)))
    assert len(counts) == 1
