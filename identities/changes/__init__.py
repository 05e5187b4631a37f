"""Maker and checker: what governs agents is changed by one person and activated by another.

A verb that changes something governed describes the change to ``clear_change``. Where one person is not enough, that
raises ``SecondPersonNeeded``, of which ``do_or_propose`` makes a proposal. To activate it is to call the verb again.
"""

from identities.changes.change import Change, SecondPersonNeeded, as_json
from identities.changes.clearing import clear_change, seconded
from identities.changes.deciding import activate, reject, withdraw
from identities.changes.loosening import find_loosening
from identities.changes.proposing import do_or_propose, propose, roll_back
from identities.changes.rows import write_proposal as open_proposal
from identities.changes.rules import find_need, set_rule
from identities.changes.verbs import Verb, find_verb, known_verbs, register_verb

__all__ = [
    "Change",
    "SecondPersonNeeded",
    "Verb",
    "activate",
    "as_json",
    "clear_change",
    "do_or_propose",
    "find_loosening",
    "find_need",
    "find_verb",
    "known_verbs",
    "open_proposal",
    "propose",
    "register_verb",
    "reject",
    "roll_back",
    "seconded",
    "set_rule",
    "withdraw",
]
