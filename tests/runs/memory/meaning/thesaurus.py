"""A small thesaurus: what some words mean, so that the scripted model of vectors knows paraphrases. It is made up."""

from __future__ import annotations

_SAME = {
    "refund": "refund reimbursement reimburse money back repay repayment payback",
    "parcel": "parcel package shipment box delivery shipped",
    "phone": "phone telephone call ring mobile",
    "mail": "mail email letter inbox",
    "danish": "danish denmark copenhagen",
    "allergy": "allergy allergic intolerant nuts peanuts",
    "morning": "morning early dawn breakfast",
    "evening": "evening late night dinner",
    "colour": "colour color blue navy shade",
    "size": "size large xl fit fits tight",
    "dog": "dog puppy hound pet",
    "neighbour": "neighbour neighbor nextdoor flatmate",
}
_MEANT = {word: meaning for meaning, words in _SAME.items() for word in words.split()}


def meant(word: str) -> str:
    """Return what a word is counted as."""
    return _MEANT.get(word, word)
