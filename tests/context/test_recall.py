"""How well notes are found by words and meaning together, and what it takes among many. The figures are printed.

The notes and the thesaurus by which they are turned into vectors are made up: what is measured is what becomes of a
model's vectors here, and not how good a model is.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from statistics import median
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from agentops.database import borrowed
from agentops.demo.planner.vectors import embed
from runs.memory import reading
from runs.memory.meaning import ranking
from runs.models import MemoryVector, Run
from tests.asking import kept_note
from tests.ledger.forging import as_owner
from tests.runs.company import Company, says
from tests.runs.memory.meaning.conftest import MODEL
from tests.runs.memory.meaning.thesaurus import meant

pytestmark = [pytest.mark.slow, pytest.mark.context]

# What is noted, and what is asked for later: half in the same words, half in others.
ASKED = {
    "Prefers reimbursement as a voucher.": ("voucher reimbursement", "Can I get my money back?"),
    "Leave packages with the neighbor.": (
        "packages neighbor",
        "Where may the box be left, with my flatmate?",
    ),
    "Call only in the early hours.": ("early call", "When may we ring, at dawn or at breakfast?"),
    "Speaks Danish.": ("danish", "Somebody from Copenhagen writes."),
    "Is intolerant to peanuts.": ("peanuts", "Any allergy that the kitchen has to know?"),
    "Wears size large, tight at the shoulders.": ("large shoulders", "Does the jacket fit?"),
    "Likes navy best.": ("navy", "Which color shall we take?"),
    "Has a puppy that barks at couriers.": ("puppy couriers", "Is there a dog?"),
    "Write to the work inbox.": ("work inbox", "Where do letters go?"),
    "Eats dinner at seven.": ("dinner seven", "May we come late in the evening?"),
}
# Notes in which a word of the questions stands by chance, or none.
OTHERS = (
    "Paid with a card in May.", "Ordered a kettle once.", "Asked when the shop opens.", "Moved to a new flat.",
    "Was told to wait for the mail man.", "Has a garden gate that sticks.", "Got the wrong lamp in March.",
    "Any colleague may sign.", "Somebody else answers the door.", "Took the jacket to a tailor.",
)  # fmt: skip
NOTES = int(os.environ.get("RECALL_NOTES", "100000"))  # a million take ten minutes to lay out
OWN, DIMENSION = 10_000, 1_536
OF_OTHERS = 100  # notes of each other end user
_PRINCIPALS = """
INSERT INTO identities_principal SELECT (jsonb_populate_record(p, jsonb_build_object('id', gen_random_uuid(),
    'subject', 'other-' || n))).* FROM identities_principal p, generate_series(1, %(principals)s) AS n
WHERE p.id = %(principal)s
"""
_NOTES = """
INSERT INTO runs_memory (id, identity_id, principal_id, run_id, step, call, text, passages, label, sensitive, state,
    written_at, expires_at)
SELECT gen_random_uuid(), %(identity)s, whose.id, %(run)s, %(from)s + n, 1, 'Note ' || n || ' on parcel ' || n %% 977,
    '[]', 'user', false, 'active', now() - n * interval '1 second', now() + interval '90 days'
FROM generate_series(1, %(notes)s) AS n JOIN (
    SELECT id, row_number() OVER (ORDER BY id) - 1 AS place FROM identities_principal
    WHERE (id = %(principal)s) = %(own)s) AS whose ON whose.place = n %% %(principals)s
"""
_VECTORS = """
UPDATE runs_memoryvector v SET model = %(model)s, dimension = %(dimension)s, due_at = NULL, numbers = (
    SELECT array_agg(random() - 0.5)::real[] FROM generate_series(1, %(dimension)s) WHERE v.memory_id IS NOT NULL)
FROM runs_memory m WHERE m.id = v.memory_id AND (m.principal_id = %(principal)s) = %(own)s
"""


_TAKE_BACK = "UPDATE runs_memory SET state = 'reverted' WHERE principal_id = %s AND step > 300"


@pytest.fixture
def run(company: Company, settings: Settings) -> Run:
    """Return a run whose agent and end user the notes are of."""
    settings.EMBEDDINGS_MODEL = MODEL
    company.is_mutant = True  # no stream tells of the notes
    return company.run(says("Done."))


def find(run: Run, statement: str, words: str, vector: Sequence[float] = ()) -> list[UUID]:
    """Return the ids of what a statement finds."""
    asked = {
        "identity": run.identity_id, "principal": run.principal_id, "now": timezone.now(),
        "most": reading.MOST_SHOWN, "words": words,
    }  # fmt: skip
    if vector:
        asked |= ranking.describe(tuple(vector))
    with borrowed() as lent:
        return [row[0] for row in lent.execute(statement, asked).fetchall()]


# --- how well -----------------------------------------------------------------------------------------------------


def recall_at(found: list[tuple[UUID, list[UUID]]], most: int) -> float:
    return sum(wanted in ids[:most] for wanted, ids in found) / len(found)


def test_more_is_found_by_both_than_by_words_alone(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    texts = [*ASKED, *OTHERS]
    made = {text: kept_note(run, state="active", step=9 + n, text=text) for n, text in enumerate(texts)}
    for text, entry in made.items():
        numbers = embed(text, meant)
        MemoryVector.objects.filter(memory=entry).update(
            model=MODEL, numbers=numbers, dimension=len(numbers), due_at=None
        )
    figures: dict[str, dict[str, float]] = {}
    for place, kind in enumerate(("same words", "paraphrases")):
        asked = {text: questions[place] for text, questions in ASKED.items()}
        words = [(made[text].pk, find(run, reading._BEST, question)) for text, question in asked.items()]
        both = [
            (made[text].pk, find(run, ranking.BEST, question, embed(question, meant)))
            for text, question in asked.items()
        ]
        for name, found in (("words", words), ("both", both)):
            figures[f"{kind}, {name}"] = {f"recall@{most}": recall_at(found, most) for most in (1, 3, 8)}
    with capsys.disabled():
        print("\nsynthetic: 20 notes, 10 questions each, vectors by a thesaurus that is made up")
        for name, row in figures.items():
            print(f"{name:22} {row}")
    assert figures["same words, both"]["recall@1"] >= figures["same words, words"]["recall@1"] - 0.1
    assert figures["paraphrases, words"]["recall@3"] <= 0.5
    assert figures["paraphrases, both"]["recall@3"] >= 0.9


# --- what it takes ------------------------------------------------------------------------------------------------


@pytest.fixture
def crowd(run: Run) -> Run:
    """Have 10,000 notes of one end user lie among all others'."""
    of_others = NOTES - OWN
    principals = max(1, of_others // OF_OTHERS)
    told: dict[str, Any] = {
        "identity": run.identity_id, "principal": run.principal_id, "run": run.pk, "principals": principals,
        "model": MODEL,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SELECT setseed(0.5)")
        cursor.execute(_PRINCIPALS, told)
        cursor.execute(_NOTES, {**told, "own": True, "principals": 1, "notes": OWN, "from": 100})
        cursor.execute(_VECTORS, {**told, "own": True, "dimension": DIMENSION})
        cursor.execute(_NOTES, {**told, "own": False, "notes": of_others, "from": 100 + OWN})
        cursor.execute(_VECTORS, {**told, "own": False, "dimension": 32})
    with as_owner(triggers=True) as owner:
        owner.execute("ANALYZE runs_memory, runs_memoryvector")
    return run


def time_of(run: Run, statement: str, vector: Sequence[float] = ()) -> float:
    """Return the median of a few looks, in milliseconds."""
    taken = []
    for _ in range(5):
        started = time.monotonic()
        assert len(find(run, statement, "where is parcel 117", vector)) == reading.MOST_SHOWN
        taken.append((time.monotonic() - started) * 1000)
    return median(taken)


def rows_read(run: Run, vector: Sequence[float]) -> dict[str, float]:
    """Return how many rows of each table a look has read."""
    asked = {
        "identity": run.identity_id, "principal": run.principal_id, "now": timezone.now(), "most": 8,
        "words": "where is parcel 117", **ranking.describe(tuple(vector)),
    }  # fmt: skip
    with borrowed() as lent:
        ((plan,),) = lent.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {ranking.BEST}".encode(), asked).fetchall()
    found: dict[str, float] = {}
    todo = [(plan if isinstance(plan, list) else json.loads(plan))[0]["Plan"]]
    while todo:
        node = todo.pop()
        todo += node.get("Plans", [])
        if name := node.get("Relation Name"):
            read = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
            found[name] = found.get(name, 0) + read
    return found


def test_a_look_reads_ones_own_notes_however_many_others_have(
    crowd: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    vector = [((n * 7919) % 1000 - 500) / 1000 for n in range(DIMENSION)]
    words, both = time_of(crowd, reading._BEST), time_of(crowd, ranking.BEST, vector)
    read = rows_read(crowd, vector)
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_BACK, (crowd.principal_id,))
    with_limit = time_of(crowd, ranking.BEST, vector)
    with capsys.disabled():
        print(
            f"\n{OWN:,} notes of one among {NOTES:,} of all, {DIMENSION:,} numbers each, one statement a look:"
        )
        print(f"by words {words:.0f} ms, by both {both:.0f} ms; rows read {read}")
        print(f"of 200 notes, as many as there are: by both {with_limit:.0f} ms")
    assert (
        read["runs_memory"] <= OWN + reading.MOST_SHOWN
    )  # those that are compared, and those that are shown
    assert read["runs_memoryvector"] <= OWN
