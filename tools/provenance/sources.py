"""What a run has been told and has read, and where a value of a call comes from among it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from tools.amounts import number_of
from tools.provenance.labels import Leaf, Source
from tools.provenance.texts import amounts_in, is_in, plain


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value comes from; ``where`` is the call whose result holds it, empty for the user's words."""

    source: Source
    where: str = ""


USER = Origin("user")
NOWHERE = Origin("nowhere")
_ORDER: tuple[Source, ...] = ("user", "trusted", "untrusted")


class Sources:
    """The user's words and the labelled leaves of results, in the order in which they were read."""

    def __init__(self, words: Iterable[str] = (), leaves: Iterable[Leaf] = ()) -> None:
        self.words: list[str] = []
        self._leaves: dict[Source, list[tuple[str, Leaf]]] = {source: [] for source in _ORDER}
        for text in words:
            self.hear(text)
        self.read(leaves)

    def hear(self, text: str) -> None:
        """Add something that the user wrote."""
        self.words.append(plain(text))

    def read(self, leaves: Iterable[Leaf]) -> None:
        """Add what a call's result holds."""
        for leaf in leaves:
            self._leaves[leaf.label.source].append((plain(leaf.text), leaf))

    def trace(self, value: str) -> Origin:
        """Return the best source that holds the value as whole words: the user, then trusted, then untrusted data."""
        wanted = plain(value)
        if any(is_in(wanted, text) for text in self.words):
            return USER
        found = (leaf for source in _ORDER for text, leaf in self._leaves[source] if is_in(wanted, text))
        return _origin_of(next(found, None))

    def trace_words(self, text: str, words: Iterable[str]) -> Origin:
        """Return where a description comes from: as it stands, or else the worst of its words, each by itself."""
        whole, parts = self.trace(text), [self.trace(word) for word in words]
        return whole if not parts else min(whole, worst_of(parts), key=_rank)

    def trace_amount(self, amount: Decimal) -> Origin:
        """Return the best source that names the number, however it is written."""
        if any(amount in amounts_in(text) for text in self.words):
            return USER
        found = (leaf for source in _ORDER for text, leaf in self._leaves[source] if _names(amount, text))
        return _origin_of(next(found, None))

    def sensitive(self) -> Iterator[str]:
        """Yield what was read in this run and may not leave to just anybody, plain."""
        for leaves in self._leaves.values():
            yield from (text for text, leaf in leaves if leaf.label.sensitive and text)


def worst_of(origins: Iterable[Origin]) -> Origin:
    """Return the least trusted of some origins."""
    return max(origins, key=_rank)


def _rank(origin: Origin) -> int:
    return _ORDER.index(origin.source) if origin.source in _ORDER else len(_ORDER)


def _names(amount: Decimal, text: str) -> bool:
    number = number_of(text)
    return number == amount if number is not None else amount in amounts_in(text)


def _origin_of(leaf: Leaf | None) -> Origin:
    return NOWHERE if leaf is None else Origin(leaf.label.source, leaf.origin)
