"""What a run has read, by its words: where a value stands is looked up, and does not get slower as a run gets longer.

An index only says where to look; whether a value is there is decided by ``is_in`` and by ``amounts_in`` alone, as if
all had been looked through.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from decimal import Decimal
from heapq import merge

from tools.amounts import number_of
from tools.provenance.texts import Wanted, amounts_in, is_in, read_wanted, words_in


class Index:
    """Plain texts in the order in which they were added, each once, with where it was read first.

    Adding takes time by the length of the text, looking up by how many texts hold the value's rarest word. A value
    without any word in it is looked for in all.
    """

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}  # with where each was read
        self._by_number: list[str] = []
        # By a word's hash: the number of the one text that holds it, or of all those that do, in order.
        self._places: dict[int, int | array[int]] = {}
        self._amounts: dict[Decimal, str] = {}

    @property
    def is_empty(self) -> bool:
        return not self._texts

    def add(self, text: str, where: str) -> None:
        """Add a plain text, unless it is known."""
        if text in self._texts:
            return
        number = len(self._by_number)
        self._texts[text] = where
        self._by_number.append(text)
        for word in words_in(text):
            self._note(hash(word), number)
        for amount in _amounts_of(text):
            self._amounts.setdefault(amount, where)

    def find(self, value: str) -> str | None:
        """Return where a plain value was read first, as whole words; None where it was not."""
        texts = (self._by_number[number] for number in self._candidates(read_wanted(value)))
        found = next((text for text in texts if is_in(value, text)), None)
        return None if found is None else self._texts[found]

    def find_amount(self, amount: Decimal) -> str | None:
        """Return where a number was named first, however it was written."""
        return self._amounts.get(amount)

    def _note(self, word: int, number: int) -> None:
        known = self._places.setdefault(word, number)
        if isinstance(known, array):
            if known[-1] != number:
                known.append(number)
        elif known != number:
            self._places[word] = array("I", (known, number))

    def _candidates(self, wanted: Wanted) -> Iterable[int]:
        """Return, in order, the texts that may hold what is wanted: no other one does."""
        if wanted.code:
            chosen = min((self._holders(group) for group in wanted.groups()), key=_size)
            return merge(*chosen)
        if not wanted.words:
            return range(len(self._by_number))
        words = self._holders(wanted.words)
        return _common(words) if len(words) == len(wanted.words) else ()

    def _holders(self, words: Iterable[str]) -> list[array[int]]:
        """Return the numbers of the texts that hold each word, without the words that none holds."""
        found = (self._places.get(hash(word)) for word in words)
        return [
            each if isinstance(each, array) else array("I", (each,)) for each in found if each is not None
        ]


def _common(holders: list[array[int]]) -> Iterator[int]:
    """Yield the texts that hold all of some words: looked for among those with the rarest."""
    rarest, *others = sorted(holders, key=len)
    return (number for number in rarest if all(_has(other, number) for other in others))


def _has(holders: array[int], number: int) -> bool:
    place = bisect_left(holders, number)
    return place < len(holders) and holders[place] == number


def _size(holders: list[array[int]]) -> int:
    return sum(map(len, holders))


def _amounts_of(text: str) -> Iterable[Decimal]:
    """Return the numbers that a text names; one that is a number names that alone."""
    number = number_of(text)
    return amounts_in(text) if number is None else (number,)
