"""The tools as the planner is shown them in one turn, with the values that arguments may have just now."""

from __future__ import annotations

from agentops.engine import events as e
from agentops.engine.state import RunState
from runs.changesets.depending import offer_dependencies, takes_dependencies
from runs.lookups.calling import Unanswered
from runs.lookups.listing import list_offered
from runs.memory.offering import offer_memory
from runs.models import EXTERNAL
from runs.planner.messages import ToolSchema
from runs.session import Session
from runs.versions import READ_RESULT_TOOL, VersionSpec
from tools.calls import ToolSpec
from tools.resolvers.declaration import Path, Resolver
from tools.resolvers.shown import show_schema


def offer_tools(session: Session) -> tuple[ToolSchema, ...]:
    """Return all that the planner may call; what is listed for it is asked for again where it is too old."""
    shown = (*_show_listed(session), *offered_beside(session.state, session.version))
    return _complete(session.state, session.version, shown)


def offered_unasked(state: RunState, version: VersionSpec) -> tuple[ToolSchema, ...] | None:
    """Return what the planner is offered where nothing is listed for it, and None where tools are asked for values."""
    if any(_is_listed(spec) for spec in version.catalogue.values()):
        return None
    return _complete(state, version, (*version.schemas, *offered_beside(state, version)))


def _complete(state: RunState, version: VersionSpec, shown: tuple[ToolSchema, ...]) -> tuple[ToolSchema, ...]:
    return tuple(_let_depend(version, each) for each in shown) if state.proposes else shown


def _let_depend(version: VersionSpec, shown: ToolSchema) -> ToolSchema:
    spec = version.catalogue.get(shown.name)
    if spec is None or not takes_dependencies(spec):
        return shown
    return ToolSchema(shown.name, shown.description, offer_dependencies(shown.input_schema))


def offered_beside(state: RunState, version: VersionSpec) -> tuple[ToolSchema, ...]:
    """Return what a run offers beside its version's tools: reading on in a long result, and its memory."""
    reading = (READ_RESULT_TOOL,) if may_read_on(state, version) else ()
    return (*reading, *offer_memory(state, version))


def may_read_on(state: RunState, version: VersionSpec) -> bool:
    """Return whether ``read_result`` is the run's own; a tool of that name which the team had before stays theirs."""
    return state.has_long_result and version.planner != EXTERNAL and e.READ_RESULT not in version.catalogue


def _show_listed(session: Session) -> tuple[ToolSchema, ...]:
    listed = {spec.name: spec for spec in session.version.catalogue.values() if _is_listed(spec)}
    if not listed or session.is_dry:  # it asks no tool which values there are
        return session.version.schemas
    return tuple(
        _show(session, listed[each.name]) if each.name in listed else each for each in session.version.schemas
    )


def _show(session: Session, spec: ToolSpec) -> ToolSchema:
    offers = dict(_offers(session, spec, each) for each in spec.resolvers if each.fresh_s is not None)
    return ToolSchema(spec.name, spec.description, show_schema(spec.input_schema, spec.resolvers, offers))


def _offers(session: Session, spec: ToolSpec, resolver: Resolver) -> tuple[Path, list[str | int]]:
    listing = list_offered(session, spec, resolver)
    if isinstance(listing, Unanswered):
        return resolver.path, []
    return resolver.path, [each.value for each in listing.candidates]


def _is_listed(spec: ToolSpec) -> bool:
    return any(each.fresh_s is not None for each in spec.resolvers)
