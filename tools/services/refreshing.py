"""What a server has now, against what was accepted: found out without a transaction, taken in by one."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from agentops.errors import ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from identities.models import User
from tools.models import ServerDocument, ServerTool, Tool, ToolServer
from tools.services.catalogue import set_aside
from tools.services.documents import Reading
from tools.services.listing import Listed, Listing, list_server

MOST_DOCUMENTS = 10  # that are kept although nothing was accepted from them


def refresh(server: ToolServer, actor: User | None, document: str = "") -> ToolServer:
    """Ask a server, and take in what it says; nobody is the actor where a call has found a change.

    Raises ValidationFailed for a document that somebody has brought and that says nothing.
    """
    listing = list_server(server, document)
    if document and listing.trouble:
        raise ValidationFailed("invalid_document", listing.trouble)
    return _take_in(server, listing, actor)


@transaction.atomic
def _take_in(server: ToolServer, listing: Listing, actor: User | None) -> ToolServer:
    locked = ToolServer.objects.select_for_update(of=("self",)).select_related("team").get(pk=server.pk)
    locked.checked_at, locked.trouble, locked.latency_ms = timezone.now(), listing.trouble, listing.latency_ms
    locked.save(update_fields=["checked_at", "trouble", "latency_ms"])
    if listing.trouble:  # it says nothing about its tools
        return locked
    facts = {} if listing.reading is None else _keep_document(locked, listing.reading)
    for described in listing.tools:
        _keep(locked, described)
    named = [described.name for described in listing.tools]
    ServerTool.objects.filter(server=locked).exclude(name__in=named).update(is_listed=False)
    changed = [row for row in _accepted_rows(locked) if row.is_changed and _quarantine(row, actor)]
    if actor is not None or changed:
        facts |= {"tools": len(named), "quarantined": [str(row.tool_id) for row in changed]}
        actor_id = actor.id if actor is not None else None
        record(locked.id, "server", Draft("server.refreshed", timezone.now(), facts, None, actor_id))
    return locked


def _keep_document(server: ToolServer, reading: Reading) -> dict[str, object]:
    """Keep a document word for word, and the address that was left to the first one; return what the ledger says."""
    ServerDocument.objects.update_or_create(
        server=server,
        digest=reading.digest,
        defaults={"taken_at": timezone.now()},
        create_defaults={"taken_at": timezone.now(), "text": reading.text},
    )
    _forget_documents(server)
    if not server.url:
        server.url = reading.base_url
        server.save(update_fields=["url"])
    return {"document": reading.digest, "url": server.url}


def _forget_documents(server: ToolServer) -> None:
    """Forget documents that nothing was accepted from: one that is another one each time would fill the disk."""
    accepted = ServerTool.objects.filter(server=server).values("accepted_document")
    newest = ServerDocument.objects.filter(server=server).order_by("-taken_at").values("pk")[:MOST_DOCUMENTS]
    kept = [row["pk"] for row in newest]
    ServerDocument.objects.filter(server=server).exclude(digest__in=accepted).exclude(pk__in=kept).delete()


def _keep(server: ToolServer, described: Listed) -> None:
    """Keep a description as it is now; one that cannot be taken over is kept for its faults."""
    faults = described.faults
    values = {"described": described.values, "digest": described.digest, "faults": faults} if not faults else {
        "described": {"name": described.name[:128]}, "digest": "", "faults": [fault[:300] for fault in faults[:10]],
    }  # fmt: skip
    ServerTool.objects.update_or_create(
        server=server,
        name=described.name[:128],
        defaults={**values, "is_listed": True, "seen_at": timezone.now()},
    )


def _accepted_rows(server: ToolServer) -> list[ServerTool]:
    rows = ServerTool.objects.filter(server=server, tool__isnull=False, tool__state=Tool.State.ACTIVE)
    return list(rows.select_related("tool").order_by("tool_id"))


def _quarantine(row: ServerTool, actor: User | None) -> bool:
    """Take a tool out of service, as nobody may refuse to; return whether it was in service."""
    facts = {"server": str(row.server_id), "digest": row.digest}
    return set_aside(row.tool, facts, actor)  # type: ignore[arg-type]  # the rows asked for have one
