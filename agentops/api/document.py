"""The OpenAPI document, and a page to read and try it."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import yaml
from django.http import HttpResponse
from django.shortcuts import render
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import (
    OpenApiJsonRenderer,
    OpenApiJsonRenderer2,
    OpenApiYamlRenderer,
    OpenApiYamlRenderer2,
)
from rest_framework.permissions import AllowAny
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from agentops.api.views import ApiView


@cache
def read_document() -> dict[str, Any]:  # Any: an OpenAPI document
    """Return the document; it takes a second to make, and is made once per process."""
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]  # drf-spectacular is untyped
    document = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]  # drf-spectacular is untyped
    # Through JSON: lazy translations and ordered dictionaries become plain values.
    plain: dict[str, Any] = json.loads(OpenApiJsonRenderer().render(document))
    return plain


def render_yaml() -> str:
    """Return the document as YAML, the way it is kept in ``docs/openapi.yaml``."""
    return yaml.safe_dump(read_document(), sort_keys=False, allow_unicode=True, width=110)


class PublicView(ApiView):
    """A view for everybody: the document describes the API, not what is in it."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    schema = None


class OpenApiJson(PublicView):
    renderer_classes = (OpenApiJsonRenderer2, OpenApiJsonRenderer)

    def get(self, request: Request) -> HttpResponse:
        """Return the OpenAPI document as JSON."""
        body = json.dumps(read_document(), indent=1)
        return HttpResponse(body, content_type=request.accepted_renderer.media_type)


class OpenApiYaml(PublicView):
    renderer_classes = (OpenApiYamlRenderer2, OpenApiYamlRenderer)

    def get(self, request: Request) -> HttpResponse:
        """Return the OpenAPI document as YAML."""
        return HttpResponse(render_yaml(), content_type=request.accepted_renderer.media_type)


class PageRenderer(BaseRenderer):
    """Lets the page be asked for; the view renders it."""

    media_type = "text/html"
    format = "html"


class DocsPage(PublicView):
    renderer_classes = (PageRenderer,)

    def get(self, request: Request) -> HttpResponse:
        """Return a page to read and try the API; its scripts come from this server only."""
        return render(request, "api/docs.html")
