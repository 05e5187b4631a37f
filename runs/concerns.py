"""Which runs a stop concerns, by its scope: said once, for those who halt them, withdraw their credentials, and count.

The append decides by itself, call by call (``tools.standing``); it refuses no call of a run that is not concerned.
"""

from __future__ import annotations

from typing import LiteralString

from django.db.models.expressions import RawSQL

# A run that is what was stopped, or that has to do with it directly. ``target`` is its id, or its name, as text.
_TARGETED: dict[str, LiteralString] = {
    "run": "{run}.id = {target}::uuid",
    "agent": "{run}.identity_id = {target}::uuid",
    "tool": """{run}.agent_version_id IN (
        SELECT c.agentversion_id FROM runs_agentversion_catalogue c JOIN tools_toolversion v ON v.id = c.toolversion_id
        WHERE v.tool_id = {target}::uuid)""",
    "application": "{run}.application_id = {target}::uuid",
    "person": "{run}.started_by_id = {target}::uuid",
    "principal": "{run}.principal_id = {target}::uuid",
    "credential": "{run}.credential_id = {target}::uuid",
    "provider": "{run}.agent_version_id IN (SELECT v.id FROM runs_agentversion v WHERE v.planner = {target})",
    "everything": "{target} = ''",
}
# A run ends with any that it acts for. End user, application and starter are the same all down a line (`runs.bounds`),
# which an index answers; a tool that is stopped ends nothing.
_DOWN_THE_LINE = ("run", "agent", "credential", "provider")
_BELOW: LiteralString = """EXISTS (
    SELECT 1 FROM jsonb_array_elements({run}.line) AS l(link) JOIN runs_run above ON above.id = (l.link ->> 'run')::uuid
    WHERE {targeted})"""

# The key that a run was started with, or the provider of its model, was stopped.
_SWITCHED: LiteralString = """(SELECT true FROM identities_killswitch k WHERE k.lifted_at IS NULL
    AND (k.scope = 'credential' AND k.target = {run}.credential_id::text OR k.scope = 'provider' AND k.target = (
        SELECT v.planner FROM runs_agentversion v WHERE v.id = {run}.agent_version_id)) LIMIT 1) IS NOT NULL"""
_KILLED: LiteralString = """{run}.state = 'cancelling' AND (SELECT true FROM ledger_entry e
    WHERE e.stream = {run}.id AND e.kind = 'run.killed' LIMIT 1) IS NOT NULL"""


def is_ending(run: LiteralString) -> LiteralString:
    """Return the condition that nothing more is begun on behalf of a run, in SQL: it has ended, or is about to.

    It ends when a worker takes it up; what acts for it does not wait for that. How its agent stands, its end user
    and its application is in what those see of themselves who act for it.
    """
    switched = _SWITCHED.format(run=run)
    return f"({run}.ended_at IS NOT NULL OR {run}.state = 'cancelling' OR {switched})"


def is_killed(run: LiteralString) -> LiteralString:
    """Return the condition that somebody has killed a run, in SQL: one that is cancelled shows the same state."""
    return _KILLED.format(run=run)


def is_cut_off(run: LiteralString) -> LiteralString:
    """Return the condition that not even calls under way on behalf of a run may go on, in SQL."""
    return f"({run}.ended_at IS NOT NULL OR {is_killed(run)} OR {_SWITCHED.format(run=run)})"


def concerns(scope: str, *, run: LiteralString, target: LiteralString) -> LiteralString:
    """Return the condition that a stop concerns a run, in SQL; ``run`` and ``target`` are what they are named in it."""
    targeted = _TARGETED[scope].format(run=run, target=target)
    if scope not in _DOWN_THE_LINE:
        return targeted
    below = _BELOW.format(run=run, targeted=_TARGETED[scope].format(run="above", target=target))
    return f"({targeted} OR {below})"


def concerned_by(scope: str, target: str) -> RawSQL:
    """Return the ids of the runs that a stop concerns, whatever their state, as a query to filter by."""
    condition = concerns(scope, run="r", target="stopped.target")
    query = f"SELECT r.id FROM runs_run r, (SELECT %s::text AS target) AS stopped WHERE {condition}"  # noqa: S608  constants
    return RawSQL(query, [target])  # noqa: S611  the same
