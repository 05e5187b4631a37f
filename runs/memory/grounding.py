"""Which parts of a note stood, word for word, in what its run was told or may trust. Pure.

A planner is no evidence: what it puts into a note out of its own head must not come back as something that was read.
"""

from __future__ import annotations

from itertools import takewhile

from tools.provenance.sources import Sources

LONGEST_PASSAGE = 12  # words: no address, account number or name is longer
LONGEST_GROUP = 8  # characters: account numbers are written in groups, and may have been read without
_EDGES = ".,;:!?\"'()[]<>"


def find_grounded(text: str, sources: Sources) -> list[str]:
    """Return the longest parts of a text, each of up to twelve words, that the user's words or trusted data hold.

    It takes time by the length of the text: each word is asked about once or twice, those of codes more often.
    """
    words, at, found = text.split(), 0, []
    while at < len(words):
        ahead = words[at : at + LONGEST_PASSAGE]
        length = _grow(ahead, sources) or _regroup(ahead, sources)
        if length:
            found.append(_join(ahead[:length]))
        at += max(1, length)
    return found


def _grow(words: list[str], sources: Sources) -> int:
    """Return of how many words the longest known beginning is: what begins a known passage is known."""
    length = 0
    while length < len(words) and _is_known(words[: length + 1], sources):
        length += 1
    return length


def _regroup(words: list[str], sources: Sources) -> int:
    """Return the same of a code in groups that was read as one word, so that its first group stood nowhere."""
    groups = list(takewhile(_is_group, words))
    lengths = range(len(groups), 1, -1)
    return next((length for length in lengths if _is_known(groups[:length], sources)), 0)


def _is_group(word: str) -> bool:
    bare = word.strip(_EDGES)
    return len(bare) <= LONGEST_GROUP and bare.isalnum() and (bare.isupper() or bare.isdigit())


def _is_known(words: list[str], sources: Sources) -> bool:
    passage = _join(words)
    return bool(passage) and sources.trace(passage).source in ("user", "trusted")


def _join(words: list[str]) -> str:
    return " ".join(words).strip(_EDGES)
