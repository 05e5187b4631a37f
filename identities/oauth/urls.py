from __future__ import annotations

from django.urls import path

from identities.oauth import views

urlpatterns = [
    path("oauth/token", views.serve_token, name="oauth-token"),
    path("oauth/introspect", views.serve_introspection, name="oauth-introspection"),
    path("oauth/revoke", views.serve_revocation, name="oauth-revocation"),
    path("oauth/jwks", views.serve_jwks, name="oauth-jwks"),
    path(".well-known/oauth-authorization-server", views.serve_metadata, name="oauth-metadata"),
    path(
        ".well-known/oauth-protected-resource/mcp",
        views.serve_gateway_metadata,
        name="oauth-gateway-metadata",
    ),
]
