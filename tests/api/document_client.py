"""A client that knows nothing of the API but ``docs/openapi.yaml``: it checks whatever it sends and gets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx2
import jsonschema_rs
import yaml

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml"

Json = dict[str, Any]  # Any: JSON


class DocumentClient:
    """Calls operations by their operationId; `used` are those that were answered with a success."""

    def __init__(self, address: str) -> None:
        self.document: Json = yaml.safe_load(DOCUMENT.read_text())
        self.operations = {
            operation["operationId"]: (method, path, operation)
            for path, item in self.document["paths"].items()
            for method, operation in item.items()
        }
        self.used: set[str] = set()
        self.http = httpx2.Client(base_url=address, timeout=30)

    def call(self, bearer: str, name: str, body: Json | None = None, **parameters: Any) -> Json:
        """Call an operation and return its answer, which fits the schema that the document declares for it."""
        request = self._request(bearer, name, body, parameters, "application/json")
        answer = self.http.send(request)
        declared = self._declared(name, answer)
        assert answer.status_code < 300, answer.text
        shown = cast(Json, answer.json())
        self.check(declared["content"]["application/json"]["schema"], shown)
        self.used.add(name)
        return shown

    def pages(self, bearer: str, name: str, **parameters: Any) -> Iterator[Json]:
        """Yield the rows of all pages."""
        more, place = True, parameters
        while more:
            page = self.call(bearer, name, **place)
            yield from page["data"]
            more, place = page["has_more"], {**parameters, "cursor": page["next_cursor"]}

    def follow(self, bearer: str, **parameters: Any) -> Iterator[Json]:
        """Yield the events of a run's stream until it ends."""
        request = self._request(bearer, "listEvents", None, parameters, "text/event-stream")
        answer = self.http.send(request, stream=True)
        declared = self._declared("listEvents", answer)
        assert "text/event-stream" in declared["content"]
        try:
            for line in answer.iter_lines():
                if line.startswith("data:"):
                    event: Json = json.loads(line.removeprefix("data:"))
                    self.check({"$ref": "#/components/schemas/Event"}, event)
                    yield event
        finally:
            answer.close()

    def check(self, schema: Json, value: object) -> None:
        """Check a value against a schema of the document."""
        whole = {**schema, "components": self.document["components"]}
        jsonschema_rs.Draft202012Validator(whole, validate_formats=True).validate(value)

    def _request(self, bearer: str, name: str, body: Json | None, given: Json, accept: str) -> httpx2.Request:
        method, path, operation = self.operations[name]
        assert {"apiKey": []} in operation["security"]
        query: dict[str, str] = {}
        headers = {"Authorization": f"Bearer {bearer}", "Accept": accept}
        declared = {each["name"].replace("-", "_"): each for each in operation.get("parameters", ())}
        assert set(given) <= set(declared)
        assert {name for name, each in declared.items() if each.get("required")} <= set(given)
        for parameter, value in given.items():
            self.check(declared[parameter]["schema"], value)
            where, wire = declared[parameter]["in"], declared[parameter]["name"]
            if where == "path":
                path = path.replace(f"{{{wire}}}", str(value))
            else:
                (headers if where == "header" else query)[wire] = json.dumps(value).strip('"')
        if body is not None:
            self.check(operation["requestBody"]["content"]["application/json"]["schema"], body)
        return self.http.build_request(method, path, params=query, headers=headers, json=body)

    def _declared(self, name: str, answer: httpx2.Response) -> Json:
        """Return the declared response; its media type and every header field in it came indeed."""
        declared = cast(Json, self.operations[name][2]["responses"][str(answer.status_code)])
        assert answer.headers["Content-Type"].split(";")[0] in declared["content"]
        assert [field for field in declared["headers"] if field not in answer.headers] in (
            [],
            ["Idempotent-Replayed"],  # only on a repetition
        )
        return declared
