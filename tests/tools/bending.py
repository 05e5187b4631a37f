"""A grant's row bent by hands that nobody should have: the owner's, with its trigger off."""

from __future__ import annotations

import os
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from tools.models import ToolGrant

_SWITCH = "ALTER TABLE tools_toolgrant {} TRIGGER tools_toolgrant_immutable"


def bend_grant(grant: ToolGrant, **values: Any) -> None:  # Any: columns of several types
    """Change columns of a grant in place; needs a test that commits."""
    told = [Jsonb(value) if isinstance(value, list) else value for value in values.values()]
    columns = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in values)
    update = sql.SQL("UPDATE tools_toolgrant SET {} WHERE id = %s").format(columns)
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"]) as owner:
        owner.execute(sql.SQL(_SWITCH).format(sql.SQL("DISABLE")))
        owner.execute(update, (*told, grant.pk))
        owner.execute("SET CONSTRAINTS ALL IMMEDIATE")  # nothing may be pending when the trigger is switched
        owner.execute(sql.SQL(_SWITCH).format(sql.SQL("ENABLE")))
