"""What governs tools, as changes that a second person may have to activate."""

from identities.changes import Verb, register_verb
from tools.services.changes.definitions import (
    ADD_VERSION,
    allows_more,
    carry_out_version,
    describe_version,
)
from tools.services.changes.grants import (
    GRANT,
    SET_GRANT,
    WAIVE,
    carry_out_grant,
    carry_out_waiver,
    describe_grant,
)
from tools.services.changes.tables import PUBLISH_TABLE, carry_out_table
from tools.services.changes.user_terms import SET_USER_TERMS, carry_out_user_terms, describe_user_terms

__all__ = [
    "ADD_VERSION",
    "GRANT",
    "PUBLISH_TABLE",
    "SET_GRANT",
    "SET_USER_TERMS",
    "allows_more",
    "describe_grant",
    "describe_user_terms",
    "describe_version",
    "register_verbs",
]


def register_verbs() -> None:
    """Let proposals of tools, grants and terms be carried out."""
    waive = "Let an irreversible tool run without a person"
    register_verb(Verb(SET_GRANT, "What an agent may do with a tool", carry_out_grant))
    register_verb(Verb(WAIVE, waive, carry_out_waiver, second_acts=True))
    register_verb(Verb(SET_USER_TERMS, "What may be done for an end user", carry_out_user_terms))
    register_verb(Verb(PUBLISH_TABLE, "What a decision table decides", carry_out_table))
    register_verb(Verb(ADD_VERSION, "How a tool is defined", carry_out_version))
