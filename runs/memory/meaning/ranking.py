"""Ranking notes by their words and by their meaning at once, in one statement that sees nobody else's.

What counts is a note's place in each of the two orders, for a fit of words and a distance have no common measure.
Source: Cormack, Clarke and Büttcher, Reciprocal rank fusion outperforms Condorcet and individual rank learning
methods, SIGIR 2009; the constant is theirs.
"""

from __future__ import annotations

from typing import Any

from runs.memory.meaning.provider import find_model

CONSTANT = 60
NEAREST = 8  # so many have a place by their meaning: there is always a nearest, near or not
# Beyond a right angle two texts have nothing in common.
FARTHEST = 1

# All notes of one agent for one principal are compared: there are 200 at most, and an index over everybody's, which
# finds neighbours first and looks whose they are after that, would return less than there is.
_RANKED = f"""
WITH wanted AS (SELECT {{query}} AS words), mine AS MATERIALIZED (
    SELECT m.id, m.written_at, CASE WHEN m.words @@ wanted.words THEN ts_rank(m.words, wanted.words) END AS fit,
        v.numbers::vector <=> %(vector)s::real[]::vector AS distance
    FROM wanted CROSS JOIN runs_memory m LEFT JOIN runs_memoryvector v
        ON v.memory_id = m.id AND v.model = %(model)s AND v.dimension = %(dimension)s
    WHERE m.identity_id = %(identity)s AND m.principal_id = %(principal)s AND m.state = 'active'
        AND m.expires_at > %(now)s
), placed AS (
    SELECT id, written_at, fit, distance,
        row_number() OVER (ORDER BY fit DESC NULLS LAST, written_at DESC, id DESC) AS by_words,
        row_number() OVER (ORDER BY distance NULLS LAST, written_at DESC, id DESC) AS by_meaning
    FROM mine
), ranked AS (
    SELECT id, written_at, CASE WHEN fit IS NULL THEN 0 ELSE 1.0 / ({CONSTANT} + by_words) END
        + CASE WHEN distance < {FARTHEST} AND by_meaning <= {NEAREST} THEN 1.0 / ({CONSTANT} + by_meaning) ELSE 0 END
        AS score
    FROM placed
), best AS (
    SELECT id, score FROM ranked {{having}} ORDER BY score DESC, written_at DESC, id DESC LIMIT %(most)s
)
SELECT m.id, m.text, m.passages, m.label, m.sensitive, m.written_at FROM best JOIN runs_memory m USING (id)
ORDER BY score DESC, m.written_at DESC, m.id DESC
"""  # noqa: S608  constants only
ANY_WORD = "replace(plainto_tsquery('english', %(words)s)::text, '&', '|')::tsquery"
ALL_WORDS = "websearch_to_tsquery('english', %(words)s)"
BEST = _RANKED.format(query=ANY_WORD, having="")
MATCHING = _RANKED.format(query=ALL_WORDS, having="WHERE score > 0")


def describe(vector: tuple[float, ...]) -> dict[str, Any]:  # Any: what psycopg takes
    """Return what these statements take beside what those of the full text do."""
    return {"vector": list(vector), "model": find_model(), "dimension": len(vector)}
