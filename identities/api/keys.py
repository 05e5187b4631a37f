"""What clients prove themselves with: API keys of applications, and key sets for the token endpoint.

A secret is in the one answer to the request that made it. It is not kept: not even for a repetition.
"""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.views.decorators.debug import sensitive_variables
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.idempotency import Answer, Body, Operation, answer_once
from agentops.api.openapi import IDEMPOTENCY_KEY
from agentops.api.serializers import Fields, read_body, read_query, render_row, render_rows
from agentops.api.views import ApiView, ListView
from agentops.errors import NotFound
from identities.api.applications import find_application
from identities.api.authentication import caller
from identities.api.client_serializers import (
    ApiKeySerializer,
    IssuedApiKeySerializer,
    IssuedKeySetSerializer,
    IssueKeyBody,
    IssueKeySetBody,
    KeySetQuery,
    KeySetSerializer,
)
from identities.api.views import find_agent
from identities.models import ApiKey, Credential, User
from identities.services import (
    issue_api_key,
    issue_credential,
    revoke_api_key,
    revoke_credential,
    rotate_credential,
)
from identities.services.credentials import client_key, has_key_set, new_client_secret

CLIENT = ("owner__agent_identity", "owner__application")


class ApplicationKeys(ListView):
    """The API keys of an application."""

    @extend_schema(
        operation_id="listApplicationKeys", tags=["applications"], responses=ApiKeySerializer(many=True)
    )
    def get(self, request: Request, application_id: UUID) -> Response:
        """List an application's keys, newest first."""
        found = find_application(caller(request), application_id)
        return self.answer_page(
            request, found.service_account.api_keys.all(), partial(render_rows, ApiKeySerializer)
        )

    @extend_schema(
        operation_id="issueApplicationKey",
        tags=["applications"],
        parameters=[IDEMPOTENCY_KEY],
        request=IssueKeyBody,
        responses={201: IssuedApiKeySerializer},
    )
    def post(self, request: Request, application_id: UUID) -> Response:
        """Issue a key to an application, and show its text, this once; takes a fresh second factor."""
        actor, body = caller(request), read_body(IssueKeyBody, request)
        account = find_application(actor, application_id).service_account

        @sensitive_variables("plaintext")
        def act() -> Answer:
            made, plaintext = issue_api_key(actor=actor, user=account, **body)
            place = reverse("api:application-key", args=[application_id, made.pk])
            return Answer(201, _with(IssuedApiKeySerializer, made, key=plaintext), place)

        return answer_once(request, Operation(request.path, conceal=_without_secret), act)


class ApplicationKey(ApiView):
    """One key of an application."""

    @extend_schema(operation_id="getApplicationKey", tags=["applications"], responses=ApiKeySerializer)
    def get(self, request: Request, application_id: UUID, api_key_id: UUID) -> Response:
        """Return a key, without its text."""
        return Response(render_row(ApiKeySerializer, _find_key(caller(request), application_id, api_key_id)))


class RevokeApplicationKey(ApiView):
    """A key that is to work no more."""

    @extend_schema(
        operation_id="revokeApplicationKey",
        tags=["applications"],
        parameters=[IDEMPOTENCY_KEY],
        request=None,
        responses=ApiKeySerializer,
    )
    def post(self, request: Request, application_id: UUID, api_key_id: UUID) -> Response:
        """Stop an application's key at once; takes a fresh second factor. Doing it twice is fine."""
        actor = caller(request)
        found = _find_key(actor, application_id, api_key_id)

        def act() -> Answer:
            return Answer(200, render_row(ApiKeySerializer, revoke_api_key(actor=actor, key=found)))

        return answer_once(request, Operation(request.path), act)


class KeySets(ListView):
    """The key sets of the agents and applications of the caller's teams, generation by generation."""

    query = KeySetQuery

    @extend_schema(operation_id="listKeySets", tags=["key sets"], responses=KeySetSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List generations of key sets, newest first."""
        rows = _visible(caller(request)).filter(**read_query(self.query, request))
        return self.answer_page(request, rows, partial(render_rows, KeySetSerializer))

    @extend_schema(
        operation_id="issueKeySet",
        tags=["key sets"],
        parameters=[IDEMPOTENCY_KEY],
        request=IssueKeySetBody,
        responses={201: IssuedKeySetSerializer},
    )
    def post(self, request: Request) -> Response:
        """Give an agent or application its key set, or the next generation of it; takes a fresh second factor.

        The generation before works until this one is used, and for an hour at most. A private key is refused.
        """
        actor, body = caller(request), read_body(IssueKeySetBody, request)
        owner = _find_owner(actor, body)

        @sensitive_variables("material", "shown")
        def act() -> Answer:
            material = client_key(body["public_key"]) if body["public_key"] else new_client_secret()
            issue = rotate_credential if has_key_set(owner) else issue_credential
            made = issue(actor=actor, owner=owner, material=material, expires_at=body["expires_at"])
            shown = _with(IssuedKeySetSerializer, made, secret=material.plaintext or None)
            return Answer(201, shown, reverse("api:key-set", args=[made.pk]))

        return answer_once(request, Operation(request.path, conceal=_without_secret), act)


class KeySet(ApiView):
    """One generation."""

    @extend_schema(operation_id="getKeySet", tags=["key sets"], responses=KeySetSerializer)
    def get(self, request: Request, key_set_id: UUID) -> Response:
        """Return a generation of a key set."""
        return Response(render_row(KeySetSerializer, _find(caller(request), key_set_id)))


class RevokeKeySet(ApiView):
    """A generation that is to work no more."""

    @extend_schema(
        operation_id="revokeKeySet",
        tags=["key sets"],
        parameters=[IDEMPOTENCY_KEY],
        request=None,
        responses=KeySetSerializer,
    )
    def post(self, request: Request, key_set_id: UUID) -> Response:
        """Stop a generation at once: whoever has it gets no more tokens. Takes a fresh second factor."""
        actor = caller(request)
        found = _find(actor, key_set_id)

        def act() -> Answer:
            ended = revoke_credential(actor=actor, credential=found)
            return Answer(200, render_row(KeySetSerializer, ended))

        return answer_once(request, Operation(request.path), act)


def _find_key(actor: User, application_id: UUID, api_key_id: UUID) -> ApiKey:
    account = find_application(actor, application_id).service_account
    found = ApiKey.objects.filter(user=account, pk=api_key_id).first()
    if found is None:
        raise NotFound("unknown_key", "This application has no such key.")
    return found


def _find_owner(actor: User, body: Fields) -> User:
    if "agent" in body:
        return find_agent(actor, pk=body["agent"]).service_account
    return find_application(actor, body["application"]).service_account


def _visible(user: User) -> Any:  # Any: the queryset's own methods are lost on related names
    return Credential.objects.visible_to(user).select_related(*CLIENT)


def _find(user: User, key_set_id: UUID) -> Credential:
    found: Credential | None = _visible(user).filter(pk=key_set_id).first()
    if found is None:
        raise NotFound("unknown_key_set", "There is no such key set, or it is not for you to see.")
    return found


@sensitive_variables()
def _with(kind: type[serializers.Serializer[Any]], row: object, **secret: str | None) -> Body:
    return {**render_row(kind, row), **secret}


def _without_secret(body: Body) -> Body:
    return {**body, **dict.fromkeys(body.keys() & {"key", "secret"})}
