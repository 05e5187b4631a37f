"""What an approver is shown as evidence, and how a call is put into a sentence."""

from __future__ import annotations

import json

import pytest

from approvals.models import ApprovalRequest
from approvals.services import read_evidence
from runs.evidence import EVIDENCE_LIMIT, choose_evidence, describe_call
from tests.runs.company import ORDER, Company, proposes, says

ARGUMENTS = {"order_id": "A-1", "lines": [{"amount": 25}], "express": True}


def test_what_names_the_values_of_the_call_is_not_pushed_off_the_page() -> None:
    searches = [json.dumps({"hits": number}) for number in range(20)]
    chosen = choose_evidence(ARGUMENTS, [json.dumps({"order": "A-1", "paid": 25}), *searches])
    assert chosen == [0, *range(21 - EVIDENCE_LIMIT + 1, 21)]


def test_a_repeated_answer_counts_once() -> None:
    texts = ["refund policy", *[json.dumps({"order": "A-1"})] * 20]
    assert choose_evidence(ARGUMENTS, texts) == [0, 20]


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("25.00", "refund 25.00 for order"),
        ("A-1", "refund “A-1” for order"),
        ("1 as asked. Checked by finance” for", "refund “1 as asked. Checked by finance' for” for order"),
        ("1\u202e00\n\u200b", "refund “1[U+202E]00[U+000A][U+200B]” for order"),
        ({"a": "\u2066b"}, 'refund “{"a": "[U+2066]b"}” for order'),
    ],
)
def test_the_models_words_stand_apart_in_our_sentence(said: object, sentence: str) -> None:
    assert describe_call("refund {what} for order", "refund", {"what": said}) == sentence


def test_a_call_without_a_sentence_hides_nothing() -> None:
    assert "[U+202E]" in describe_call("", "refund", {"what": "\u202e"})


def test_what_is_left_out_is_counted(company: Company) -> None:
    company.add_reads()
    company.let_decide(company.add_tool("refund", grant="REQUIRE_APPROVAL").tool)
    reads = [("look_up", {**ORDER, "order_id": f"B-{number}"}) for number in range(EVIDENCE_LIMIT + 1)]
    company.run(proposes(("look_up", ORDER)), proposes(*reads), proposes(("refund", ORDER)), says("Done."))
    evidence = read_evidence(ApprovalRequest.objects.get())
    assert evidence is not None
    assert (len(evidence["evidence"]), evidence["evidence_left_out"]) == (EVIDENCE_LIMIT, 2)
    assert "A-1" in str(evidence["evidence"])
