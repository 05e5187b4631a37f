"""What a run has been told and has read, and where a value of a call comes from among it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tools.amounts import number_of
from tools.provenance.egress import Secrets
from tools.provenance.index import Index
from tools.provenance.labels import Leaf, Source
from tools.provenance.links import Said, Things
from tools.provenance.plans import means_several
from tools.provenance.shapes import shape_of, shapes_in
from tools.provenance.texts import plain


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value comes from; ``where`` is the call whose result holds it, empty for the user's words."""

    source: Source
    where: str = ""


USER = Origin("user")
NOWHERE = Origin("nowhere")
_TRUSTED = Origin("trusted")
_ORDER: tuple[Source, ...] = ("user", "trusted", "untrusted")


class Sources:
    """The user's words and the labelled leaves of results, in the order in which they were read."""

    def __init__(self, words: Iterable[str] = (), leaves: Iterable[Leaf] = ()) -> None:
        self._words = Index()
        self._leaves: dict[Source, Index] = {source: Index() for source in _ORDER}
        self._secrets = Secrets()
        self._things = Things()
        self._said = Said()
        self._several = False
        self._shapes: frozenset[str] = frozenset()
        for text in words:
            self.hear(text)
        self.read(leaves)

    def hear(self, text: str) -> None:
        """Add something that the user wrote."""
        self._words.add(plain(text), "")
        self._said.add(text)
        self._shapes |= shapes_in(text)
        self._several = self._several or means_several(text)

    def read(self, leaves: Iterable[Leaf]) -> None:
        """Add what a call's result holds."""
        for leaf in leaves:
            text = plain(leaf.text)
            self._leaves[leaf.label.source].add(text, leaf.origin)
            if leaf.label.sensitive:
                self._secrets.add(text)

    def read_lists(self, result: Any) -> None:  # Any: JSON
        """Take up which things a call's result lists, beside each other."""
        self._things.add(result)

    def is_another_named(self, value: str) -> bool:
        """Return whether the user named another thing of a list than the one that the value is of.

        Where they speak of several, nothing is said.
        """
        return not self._several and self._things.is_another_named(plain(value), self._said)

    def is_other_than_said(self, part: str) -> bool:
        """Return whether the user gave a value of this form, and neither they nor trusted data hold this one."""
        return shape_of(part) in self._shapes and _rank(self._trace_plainly(part)) > _rank(_TRUSTED)

    def trace(self, value: str) -> Origin:
        """Return the best source that holds the value as whole words: the user, then trusted, then untrusted data."""
        wanted = plain(value)
        return self._best(lambda index: index.find(wanted))

    def trace_words(self, text: str, words: Iterable[str]) -> Origin:
        """Return where a description comes from: as it stands, or else the worst of its words, each by itself."""
        whole, parts = self.trace(text), [self.trace(word) for word in words]
        return whole if not parts else min(whole, worst_of(parts), key=_rank)

    def trace_amount(self, amount: Decimal) -> Origin:
        """Return the best source that names the number, however it is written."""
        return self._best(lambda index: index.find_amount(amount))

    def carried(self, payload: Iterable[str]) -> str:
        """Return what some texts hold of what may not leave to just anybody, or an empty string."""
        return self._secrets.find_in(payload)

    def _trace_plainly(self, part: str) -> Origin:
        number = number_of(part)
        return self.trace(part) if number is None else self.trace_amount(number)

    @property
    def has_untrusted(self) -> bool:
        """Whether anything was read that a stranger may have written."""
        return not self._leaves["untrusted"].is_empty

    def _best(self, find: Callable[[Index], str | None]) -> Origin:
        if find(self._words) is not None:
            return USER
        found = ((source, find(self._leaves[source])) for source in _ORDER)
        return next((Origin(source, where) for source, where in found if where is not None), NOWHERE)


def worst_of(origins: Iterable[Origin]) -> Origin:
    """Return the least trusted of some origins."""
    return max(origins, key=_rank)


def _rank(origin: Origin) -> int:
    return _ORDER.index(origin.source) if origin.source in _ORDER else len(_ORDER)
