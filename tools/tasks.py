"""Housekeeping of tools."""

from __future__ import annotations

from celery import shared_task

from agentops.messages import send_now
from tools import mirror
from tools.credentials.leasing import sweep_leases
from tools.models import Tool, ToolServer
from tools.services.functions import recheck_function as recheck
from tools.services.refreshing import refresh

RECHECK_S = 600.0  # after which the next round is near


@shared_task(name="tools.reconcile_breakers")
def reconcile_breakers() -> int:
    """Show people where the breakers stand that nobody saw move."""
    return mirror.reconcile_breakers()


@shared_task(name="tools.end_leases")
def end_leases() -> int:
    """End the credentials that nobody has ended: their worker is gone, or their target did not answer."""
    return sweep_leases()


@shared_task(name="tools.recheck_servers")
def recheck_servers() -> int:
    """Have every server in use asked, each by a task of its own: a slow one delays nobody else's."""
    in_use = ToolServer.objects.filter(state="active", listed__tool__isnull=False).distinct()
    in_use = in_use.exclude(
        transport=ToolServer.Transport.OPENAPI, document_url=""
    )  # people bring its document
    named = [str(server_id) for server_id in in_use.values_list("pk", flat=True)]
    return sum(send_now("tools.recheck_server", server_id, expires_s=RECHECK_S) for server_id in named)


@shared_task(name="tools.recheck_functions")
def recheck_functions() -> int:
    """Look at every function in use that a document has made a tool of; return how many are not what they were."""
    in_use = Tool.objects.filter(state="active", versions__adapter="python", origins__isnull=True).distinct()
    return sum(recheck(tool) for tool in in_use.order_by("pk"))


@shared_task(name="tools.recheck_function")
def recheck_function(tool_id: str) -> None:
    """Look at a function again: a call has found it changed."""
    tool = Tool.objects.filter(pk=tool_id, state="active").first()
    if tool is not None:
        recheck(tool)


@shared_task(name="tools.recheck_server")
def recheck_server(server_id: str) -> None:
    """Ask a server what it has: time has passed, or a call has found a tool of it changed."""
    server = ToolServer.objects.select_related("team").filter(pk=server_id, state="active").first()
    if server is not None:
        refresh(server, None)
