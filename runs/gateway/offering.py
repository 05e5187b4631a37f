"""Which tools an agent outside finds: those of its published version that its grants let it call for this user."""

from __future__ import annotations

from django.utils import timezone

from identities.oauth.bearers import Delegate
from runs.policies import may_connect
from runs.starting import published_version
from runs.versions import VersionSpec, read_version
from tools.calls import ToolSpec
from tools.offers import list_callable
from tools.standing import Authority


def list_tools(caller: Delegate) -> list[ToolSpec]:
    """Return the tools in the order of the catalogue; raises PolicyDenied, StateConflict where none may be called."""
    version = published_version(caller.agent)
    may_connect(version, caller.proof).enforce()
    return _callable(caller, read_version(version.pk))


def _callable(caller: Delegate, version: VersionSpec) -> list[ToolSpec]:
    application = caller.application.pk if caller.application else None
    by = Authority(application, None, caller.principal.pk, version.planner)
    specs = version.catalogue.values()
    return list_callable(specs, identity_id=caller.agent.pk, by=by, now=timezone.now())
