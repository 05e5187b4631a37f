"""What lint holds against a version before agents are published with it, and whose word lets that be all the same."""

from __future__ import annotations

from django.db import transaction
from django.db.models import CharField, Exists, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Concat

from agentops.errors import StateConflict, ValidationFailed
from identities.factors import require_fresh_factor
from identities.models import User
from identities.policies import require
from tools.lint import Finding, examine
from tools.models import Effect, LintOverride, Tool, ToolVersion
from tools.services.catalogue import CHANGE, lock_tool, record_tool
from tools.services.definition import definition_of

LONGEST_REASON = 500
PREVIEWS = (("preview_", ""), ("", "_preview"), ("simulate_", ""), ("quote_", ""), ("", "_dry_run"))


def examine_version(version: ToolVersion) -> list[Finding]:
    """Return all that invites mistakes, errors first, overridden or not."""
    return examine(version.tool.name, definition_of(version), has_preview=_has_preview(version))


def find_errors(version: ToolVersion) -> list[Finding]:
    """Return the errors of a version, overridden ones included."""
    return [finding for finding in examine_version(version) if finding.severity == "error"]


def find_blocking(version: ToolVersion) -> list[Finding]:
    """Return the errors that nobody has overridden: they keep agents from being published with the version."""
    errors = find_errors(version)
    if not errors:
        return []
    overridden = {tuple(pair) for each in version.lint_overrides.all() for pair in each.findings}
    return [finding for finding in errors if (finding.code, finding.where) not in overridden]


@transaction.atomic
def override_lint(*, actor: User, version: ToolVersion, reason: str) -> LintOverride:
    """Let a version be used in spite of its errors, in one's own name; further errors of later rules block again.

    Raises ValidationFailed without a reason, StateConflict where nothing is to be overridden.
    """
    tool = lock_tool(version.tool)
    require(actor, CHANGE, tool.team, tool)
    require_fresh_factor(actor)
    if not 0 < len(reason.strip()) <= LONGEST_REASON:
        raise ValidationFailed("no_reason", f"say why, in at most {LONGEST_REASON} characters")
    if tool.state == Tool.State.RETIRED:
        raise StateConflict("tool_retired", f"tool {tool.name} is retired")
    blocking = find_blocking(version)
    if not blocking:
        raise StateConflict("nothing_to_override", f"lint keeps nobody from using {version}")
    findings = [[finding.code, finding.where] for finding in blocking]
    made = LintOverride.objects.create(version=version, by=actor, reason=reason.strip(), findings=findings)
    facts = {"version": str(version.id), "digest": version.digest, "findings": findings}
    record_tool(tool, "tool.lint_overridden", actor, facts, reason.strip())
    return made


def with_previews(versions: QuerySet[ToolVersion]) -> QuerySet[ToolVersion]:
    """Have a query say of each version whether another tool shows beforehand what its calls would come to."""
    name = OuterRef("tool__name")
    is_named_so = Q()
    for before, after in PREVIEWS:
        is_named_so |= Q(name=Concat(Value(before), name, Value(after), output_field=CharField()))
    newest = ToolVersion.objects.filter(tool=OuterRef("pk")).order_by("-number")
    shown = (
        Tool.objects.filter(is_named_so, team=OuterRef("tool__team"), state=Tool.State.ACTIVE)
        .annotate(newest_effect=Subquery(newest.values("effect")[:1]))
        .filter(newest_effect=Effect.READ)
    )
    return versions.annotate(is_previewed=Exists(shown))


def find_previews(tool: Tool) -> QuerySet[Tool]:
    """Return the tools of the team that show beforehand, by reading only, what calls of this one would come to."""
    names = [f"{before}{tool.name}{after}" for before, after in PREVIEWS]
    newest = ToolVersion.objects.filter(tool=OuterRef("pk")).order_by("-number")
    named = Tool.objects.filter(name__in=names, team=tool.team_id, state=Tool.State.ACTIVE)
    return named.annotate(newest_effect=Subquery(newest.values("effect")[:1])).filter(
        newest_effect=Effect.READ
    )


def _has_preview(version: ToolVersion) -> bool:
    if version.effect != Effect.IRREVERSIBLE:
        return False
    if version.preview:
        return True
    known = getattr(version, "is_previewed", None)
    if known is not None:
        return bool(known)
    return bool(
        getattr(with_previews(ToolVersion.objects.filter(pk=version.pk)).get(), "is_previewed", False)
    )
