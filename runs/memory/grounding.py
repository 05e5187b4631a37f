"""Which parts of a note stood, word for word, in what its run was told or may trust. Pure.

A planner is no evidence: what it puts into a note out of its own head must not come back as something that was read.
"""

from __future__ import annotations

from tools.provenance.sources import Sources

LONGEST_PASSAGE = 12  # words: no address, account number or name is longer
_EDGES = ".,;:!?\"'()[]<>"


def find_grounded(text: str, sources: Sources) -> list[str]:
    """Return the longest parts of a text, each of up to twelve words, that the user's words or trusted data hold."""
    words, at, found = text.split(), 0, []
    while at < len(words):
        passage, length = _longest(words[at : at + LONGEST_PASSAGE], sources)
        if passage:
            found.append(passage)
        at += length
    return found


def _longest(words: list[str], sources: Sources) -> tuple[str, int]:
    """Return the longest known beginning, and how many words that takes; one word is passed over where none is."""
    for length in range(len(words), 0, -1):
        passage = " ".join(words[:length]).strip(_EDGES)
        if passage and sources.trace(passage).source in ("user", "trusted"):
            return passage, length
    return "", 1
