"""Decision tables: read, drafted, published and retired by the services that the console calls, and asked what if."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from uuid import UUID

from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.idempotency import Answer, Operation, answer_once
from agentops.api.openapi import IDEMPOTENCY_KEY
from agentops.api.pagination import NumberedPage
from agentops.api.serializers import Fields, read_body, read_query, render_row, render_rows
from agentops.api.views import ApiView, ListView
from agentops.errors import NotFound, StateConflict
from identities.api.authentication import caller
from identities.models import Team, User
from tools.api.table_bodies import (
    CreateTableBody,
    DecideBody,
    DraftBody,
    ImportBody,
    PublishBody,
    RetireBody,
    TableQuery,
)
from tools.api.table_serializers import (
    DocumentSerializer,
    MadeDecisionSerializer,
    TableDetailSerializer,
    TableSerializer,
    TableVersionDetailSerializer,
    TableVersionSerializer,
)
from tools.models import DecisionTable, DecisionTableVersion
from tools.services.tables import (
    TableDraft,
    create_table,
    export_table,
    import_table,
    publish_table,
    retire_table,
    save_table,
)
from tools.tables.what_if import decide_as

VERSION = TableVersionSerializer


class Tables(ListView):
    """The decision tables of the caller's teams."""

    query = TableQuery

    @extend_schema(operation_id="listTables", tags=["tables"], responses=TableSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List decision tables, newest first."""
        rows = DecisionTable.objects.visible_to(caller(request)).select_related("team")
        rows = rows.filter(**read_query(self.query, request))
        return self.answer_page(request, rows, partial(render_rows, TableSerializer))

    @extend_schema(
        operation_id="createTable",
        tags=["tables"],
        parameters=[IDEMPOTENCY_KEY],
        request=CreateTableBody,
        responses={201: TableDetailSerializer},
    )
    def post(self, request: Request) -> Response:
        """Name a decision that a team makes by rules; it decides nothing until a version is published."""
        actor, body = caller(request), read_body(CreateTableBody, request)
        team = Team.objects.visible_to(actor).filter(slug=body["team"]).first()
        if team is None:
            raise NotFound("unknown_team", "There is no such team, or you are not on it.")

        def act() -> Answer:
            made = create_table(actor=actor, team=team, slug=body["slug"], name=body["name"])
            return Answer(201, render_row(TableDetailSerializer, made), reverse("api:table", args=[made.pk]))

        return answer_once(request, Operation(request.path), act)


class Table(ApiView):
    """One decision table."""

    @extend_schema(operation_id="getTable", tags=["tables"], responses=TableDetailSerializer)
    def get(self, request: Request, table_id: UUID) -> Response:
        """Return a table, with the number of the version that decides now."""
        return Response(render_row(TableDetailSerializer, find_table(caller(request), table_id)))


class TableVersions(ListView):
    """What a table says, and has said."""

    pagination_class = NumberedPage

    @extend_schema(operation_id="listTableVersions", tags=["tables"], responses=VERSION(many=True))
    def get(self, request: Request, table_id: UUID) -> Response:
        """List the versions of a table, the first one first."""
        rows = find_table(caller(request), table_id).versions.all()
        return self.answer_page(request, rows, partial(render_rows, VERSION))

    @extend_schema(
        operation_id="saveTableDraft",
        tags=["tables"],
        parameters=[IDEMPOTENCY_KEY],
        request=DraftBody,
        responses={200: TableVersionDetailSerializer},
    )
    def post(self, request: Request, table_id: UUID) -> Response:
        """Keep a draft: the table's one draft, changed, or its next version.

        It may be wrong: `problems`, `doubts` and `cases` say what keeps it from being published. 409 `draft_changed`
        when somebody has changed the draft that `seen` names.
        """
        actor, body = caller(request), read_body(DraftBody, request)
        table, seen = find_table(actor, table_id), body.pop("seen")
        return _keep(
            request, lambda: save_table(actor=actor, table=table, draft=TableDraft(**body), seen=seen)
        )


class TableImport(ApiView):
    """A table that was written elsewhere."""

    @extend_schema(
        operation_id="importTable",
        tags=["tables"],
        parameters=[IDEMPOTENCY_KEY],
        request=ImportBody,
        responses={200: TableVersionDetailSerializer},
    )
    def post(self, request: Request, table_id: UUID) -> Response:
        """Make a draft of a DMN document, 1.3 to 1.5; the test cases of the draft before it stay."""
        actor, body = caller(request), read_body(ImportBody, request)
        table, document = find_table(actor, table_id), body["document"].encode()
        given = {"document": document, "decides": body["decides"], "seen": body["seen"]}
        return _keep(request, lambda: import_table(actor=actor, table=table, **given))


class TableVersion(ApiView):
    """One version of a table."""

    @extend_schema(operation_id="getTableVersion", tags=["tables"], responses=TableVersionDetailSerializer)
    def get(self, request: Request, table_id: UUID, number: int) -> Response:
        """Return a version with its rules and test cases, and what is to be said of them."""
        found = find_version(caller(request), table_id, number)
        return Response(render_row(TableVersionDetailSerializer, found))


class TableDocument(ApiView):
    """A version for other programs."""

    @extend_schema(operation_id="exportTable", tags=["tables"], responses=DocumentSerializer)
    def get(self, request: Request, table_id: UUID, number: int) -> Response:
        """Return a version as a DMN 1.5 document."""
        document = export_table(find_version(caller(request), table_id, number))
        return Response(render_row(DocumentSerializer, {"document": document.decode()}))


class PublishTable(ApiView):
    """A draft that is to decide."""

    @extend_schema(
        operation_id="publishTable",
        tags=["tables"],
        parameters=[IDEMPOTENCY_KEY],
        request=PublishBody,
        responses={200: VERSION},
    )
    def post(self, request: Request, table_id: UUID, number: int) -> Response:
        """Let a draft decide from its effective date on, after its test cases have come out as expected.

        Where this takes two people it is answered with 409 `second_person_needed`: propose
        `decision_table.publish` then. 422 `gaps_or_overlaps` asks for an acknowledgement.
        """
        actor, body = caller(request), read_body(PublishBody, request)
        version, words = find_version(actor, table_id, number), body["acknowledgement"]
        return _change(request, lambda: publish_table(actor=actor, version=version, acknowledgement=words))


class RetireTable(ApiView):
    """A version that is to decide no longer."""

    @extend_schema(
        operation_id="retireTable",
        tags=["tables"],
        parameters=[IDEMPOTENCY_KEY],
        request=RetireBody,
        responses={200: VERSION},
    )
    def post(self, request: Request, table_id: UUID, number: int) -> Response:
        """Take a published version out of use; earlier ones do not come back."""
        actor, body = caller(request), read_body(RetireBody, request)
        version = find_version(actor, table_id, number)
        return _change(request, lambda: retire_table(actor=actor, version=version, reason=body["reason"]))


class Decide(ApiView):
    """What a table would decide."""

    @extend_schema(
        operation_id="foreseeDecision",
        tags=["tables"],
        request=DecideBody,
        responses={200: MadeDecisionSerializer},
    )
    def post(self, request: Request, table_id: UUID) -> Response:
        """Decide about inputs by a version, or by the one in force, now or at a time; nothing is kept.

        `outputs` is null where no rule covers the inputs. 409 `no_decision` when no version is in force; 422
        `invalid_inputs` names every input that is wrong.
        """
        actor, body = caller(request), read_body(DecideBody, request)
        table = find_table(actor, table_id)
        version = find_version(actor, table_id, body["version"]) if "version" in body else None
        made = decide_as(table, version, body["inputs"], body.get("at") or timezone.now())
        if made is None:
            raise StateConflict("no_decision", "No version of this table is in force then.")
        return Response(render_row(MadeDecisionSerializer, made))


def find_table(user: User, table_id: UUID) -> DecisionTable:
    """Return the table if the user may see it; raises NotFound."""
    visible = DecisionTable.objects.visible_to(user).select_related("team")
    found: DecisionTable | None = visible.filter(pk=table_id).first()
    if found is None:
        raise NotFound("unknown_table", "There is no such table, or it is not for you to see.")
    return found


def find_version(user: User, table_id: UUID, number: int) -> DecisionTableVersion:
    """Return a version of a table that the user may see; raises NotFound."""
    versions = find_table(user, table_id).versions.select_related("table__team")
    found: DecisionTableVersion | None = versions.filter(number=min(number, 2**31 - 1)).first()
    if found is None:
        raise NotFound("unknown_version", "This table has no such version.")
    return found


def _keep(request: Request, act: Callable[[], DecisionTableVersion]) -> Response:
    return _answer(request, lambda: render_row(TableVersionDetailSerializer, act()))


def _change(request: Request, act: Callable[[], DecisionTableVersion]) -> Response:
    return _answer(request, lambda: render_row(VERSION, act()))


def _answer(request: Request, act: Callable[[], Fields]) -> Response:
    return answer_once(request, Operation(request.path), lambda: Answer(200, act()))
