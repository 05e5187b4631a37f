"""Addresses: the console (/admin/, where / leads), the REST API (/api/v1/), tokens (/oauth/), health outside all."""

from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.generic import RedirectView

from agentops.api.document import DocsPage, OpenApiJson, OpenApiYaml
from agentops.api.health import serve_liveness, serve_readiness
from agentops.api.views import UnknownAddress
from runs.metrics.exposing import serve_metrics

api_patterns: list[URLPattern | URLResolver] = [
    path("", include("runs.api.urls")),
    path("", include("approvals.api.urls")),
    path("", include("tools.api.urls")),
    path("", include("identities.api.urls")),
    path("openapi.json", OpenApiJson.as_view(), name="openapi-json"),
    path("openapi.yaml", OpenApiYaml.as_view(), name="openapi-yaml"),
    path("docs", DocsPage.as_view(), name="docs"),
]

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("api/v1/", include((api_patterns, "api"))),
    re_path(r"^api(/|$)", UnknownAddress.as_view()),
    path("", include("identities.oauth.urls")),
    path("", include("identities.sso.urls")),
    path("healthz", serve_liveness),
    path("readyz", serve_readiness),
    path("metrics", serve_metrics),
]

handler400 = "agentops.api.fallbacks.bad_request"
handler403 = "agentops.api.fallbacks.permission_denied"
handler404 = "agentops.api.fallbacks.not_found"
handler500 = "agentops.api.fallbacks.server_error"
