"""Functions that a document has made tools of: whether they are still what was accepted.

Those that were imported from a module are looked at with all of their module, by `refreshing`.
"""

from __future__ import annotations

from django.conf import settings
from django.db import transaction

from agentops.errors import StateConflict
from tools.adapters.python import resolve_function
from tools.adapters.signed import ORIGIN, SIGNATURE, digest_of
from tools.models import Tool
from tools.services.catalogue import latest_version, set_aside


@transaction.atomic
def recheck_function(tool: Tool) -> bool:
    """Quarantine a tool whose function is defined otherwise now, in nobody's name; return whether it was."""
    changed = find_changed(tool)
    if changed is None:
        return False
    return set_aside(tool, {"digest": changed}, actor=None)


def find_changed(tool: Tool) -> str | None:
    """Return the digest of a tool's function as it is now, if that is not the one accepted; None if it is.

    Empty for a function whose hints are not understood any more. One that cannot be loaded here says nothing.
    """
    version = latest_version(tool)
    if (
        version is None
        or version.adapter != "python"
        or SIGNATURE not in version.config
        or ORIGIN in version.config
    ):
        return None
    try:
        target = resolve_function(version.config["function"], tuple(settings.TOOLS_PYTHON_MODULES))
    except ValueError:
        return None
    digest = digest_of(target.function)
    return None if digest == version.config[SIGNATURE] else digest


def refuse_changed(tool: Tool) -> None:
    """Raise StateConflict for a tool whose function is another one now: that is accepted by applying it again."""
    if find_changed(tool) is not None:
        detail = f"the function of {tool.name} is not what was accepted: apply its document again"
        raise StateConflict("definition_changed", detail)
