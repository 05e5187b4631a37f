from __future__ import annotations

from django.urls import path

from tools.api import (
    breakers,
    proposals,  # noqa: F401  says what may be proposed
    servers,
    tables,
    views,
)

SERVER = "tool-servers/<uuid:server_id>"
VERSION = "tables/<uuid:table_id>/versions/<int:number>"

urlpatterns = [
    path("tools", views.Tools.as_view(), name="tools"),
    path("tools/<uuid:tool_id>", views.ToolDetail.as_view(), name="tool"),
    path("tools/<uuid:tool_id>/accept", views.AcceptTool.as_view(), name="tool-acceptance"),
    path("tools/<uuid:tool_id>/breaker", breakers.ToolBreaker.as_view(), name="tool-breaker"),
    path("tool-servers", servers.ToolServers.as_view(), name="tool-servers"),
    path(SERVER, servers.ToolServerDetail.as_view(), name="tool-server"),
    path(f"{SERVER}/refresh", servers.RefreshToolServer.as_view(), name="tool-server-refresh"),
    path(f"{SERVER}/retire", servers.RetireToolServer.as_view(), name="tool-server-retire"),
    path(f"{SERVER}/tools", servers.ServerTools.as_view(), name="server-tools"),
    path(
        f"{SERVER}/tools/<uuid:server_tool_id>/import",
        servers.ImportTool.as_view(),
        name="server-tool-import",
    ),
    path("tables", tables.Tables.as_view(), name="tables"),
    path("tables/<uuid:table_id>", tables.Table.as_view(), name="table"),
    path("tables/<uuid:table_id>/import", tables.TableImport.as_view(), name="table-import"),
    path("tables/<uuid:table_id>/decide", tables.Decide.as_view(), name="table-decide"),
    path("tables/<uuid:table_id>/versions", tables.TableVersions.as_view(), name="table-versions"),
    path(f"{VERSION}", tables.TableVersion.as_view(), name="table-version"),
    path(f"{VERSION}/dmn", tables.TableDocument.as_view(), name="table-document"),
    path(f"{VERSION}/publish", tables.PublishTable.as_view(), name="table-publish"),
    path(f"{VERSION}/retire", tables.RetireTable.as_view(), name="table-retire"),
]
