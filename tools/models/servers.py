"""Servers that tools are taken over from."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from agentops.identifiers import new_id
from identities.models import Team
from tools.models.catalogue import Tool
from tools.querysets import ServerToolQuerySet, ToolServerQuerySet


class ToolServer(models.Model):
    """A server of tools that speaks MCP, or is described by an OpenAPI document, a module of our own, or an agent.

    Where it is never changes: approvals are bound to it. An address that is left to the document is written once, when
    that is read first.
    """

    class Transport(models.TextChoices):
        HTTP = "http", "streamable HTTP"
        STDIO = "stdio", "a command on our own hosts"
        OPENAPI = "openapi", "an interface with an OpenAPI document"
        PYTHON = "python", "functions of a module of this installation"
        A2A = "a2a", "an agent elsewhere that speaks A2A"

    class State(models.TextChoices):
        ACTIVE = "active"
        RETIRED = "retired"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="tool_servers")
    slug = models.SlugField(max_length=64)
    transport = models.CharField(max_length=8, choices=Transport)
    url = models.CharField(max_length=500, blank=True)
    document_url = models.CharField(
        max_length=500, blank=True, help_text="Where its document is; empty for one that people bring."
    )
    command = models.CharField(max_length=64, blank=True, help_text="A name in the operator's MCP_COMMANDS.")
    module = models.CharField(
        max_length=200, blank=True, default="", db_default="",
        help_text="A module that the operator allows in TOOLS_PYTHON_MODULES.",
    )  # fmt: skip
    audience = models.CharField(max_length=500, blank=True)
    credential = models.CharField(max_length=64, blank=True, help_text="The slug of a secret of the team.")
    allow_private = models.BooleanField(default=False)
    state = models.CharField(max_length=16, choices=State, default=State.ACTIVE)
    checked_at = models.DateTimeField(null=True, editable=False)
    trouble = models.CharField(max_length=200, blank=True, editable=False)
    latency_ms = models.PositiveIntegerField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ToolServerQuerySet.as_manager()

    class Meta:
        verbose_name = "server of tools"
        verbose_name_plural = "servers of tools"
        ordering: ClassVar = ["slug"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["team", "slug"], name="tool_server_slug_once_per_team"),
        ]

    def __str__(self) -> str:
        return self.slug


class ServerDocument(models.Model):
    """A document that a server was described by, word for word, each once."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    server = models.ForeignKey(ToolServer, on_delete=models.PROTECT, related_name="documents")
    digest = models.CharField(max_length=64)
    text = models.TextField()
    taken_at = models.DateTimeField(help_text="When it was read last.")

    class Meta:
        ordering: ClassVar = ["-taken_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["server", "digest"], name="server_document_once_per_server"),
        ]

    def __str__(self) -> str:
        return self.digest[:12]


class ServerTool(models.Model):
    """What a server says about one of its tools: as it is now, and as it was accepted, if it was."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    server = models.ForeignKey(ToolServer, on_delete=models.PROTECT, related_name="listed")
    name = models.CharField(max_length=128)
    described = models.JSONField()
    digest = models.CharField(max_length=64, blank=True)
    faults = models.JSONField(default=list, blank=True)
    is_listed = models.BooleanField(default=True)
    seen_at = models.DateTimeField()
    tool = models.ForeignKey(Tool, on_delete=models.PROTECT, null=True, related_name="origins")
    accepted = models.JSONField(null=True, blank=True)
    accepted_digest = models.CharField(max_length=64, blank=True)
    accepted_document = models.CharField(
        max_length=64, blank=True, help_text="The digest of the document that it was accepted from."
    )

    objects = ServerToolQuerySet.as_manager()

    class Meta:
        verbose_name = "tool of a server"
        verbose_name_plural = "tools of servers"
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["server", "name"], name="server_tool_once_per_server"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_changed(self) -> bool:
        """Whether it was accepted, and is not listed as it was."""
        return self.tool_id is not None and (not self.is_listed or self.digest != self.accepted_digest)
