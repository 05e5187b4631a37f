"""Documents of interfaces, with all that is awkward about them."""

from __future__ import annotations

from typing import Any

from tools.openapi import Operation, list_operations, read_document

Node = dict[str, Any]  # Any: JSON

OK = {"200": {"description": "Fine.", "content": {"application/json": {"schema": {"type": "object"}}}}}

SHOP = """
openapi: 3.0.3
info: {title: Shop, version: '1'}
servers:
- url: https://{region}.shop.example/{version}
  variables: {region: {default: eu}, version: {default: v1}}
security:
- key: []
paths:
  /orders/{order-id}:
    parameters:
    - {name: order-id, in: path, required: true, schema: {type: string, pattern: '^A-[0-9]+$'}, description: The order.}
    get:
      operationId: shop.getOrder
      summary: Look an order up
      parameters:
      - {name: fields, in: query, explode: false, schema: {type: array, items: {type: string}}}
      - {name: filter, in: query, style: deepObject, schema: {$ref: '#/components/schemas/Filter'}}
      - {name: X-Region, in: header, schema: {type: string}}
      responses:
        200: {description: It., content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}
    patch:
      operationId: changeOrder
      description: Change an order.
      parameters:
      - {name: Idempotency-Key, in: header, required: true, schema: {type: string}}
      - {name: If-Match, in: header, required: true, schema: {type: string}}
      requestBody:
        required: true
        content:
          application/merge-patch+json:
            schema: {$ref: '#/components/schemas/Order'}
      responses:
        '202': {description: Will be done.}
        '200': {description: It., content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}
  /orders:
    post:
      operationId: makeOrder
      summary: Make an order
      deprecated: true
      requestBody:
        required: true
        content:
          application/x-www-form-urlencoded:
            schema:
              type: object
              required: [sku]
              properties: {sku: {type: string}, tags: {type: array, items: {type: string}}}
      responses:
        '201': {description: Made., content: {application/json: {schema: {type: object}}}}
components:
  securitySchemes:
    key: {type: apiKey, in: header, name: X-Api-Key}
  schemas:
    Filter: {type: object, properties: {state: {type: string}, max: {type: integer}}}
    Money:
      type: object
      required: [amount, currency]
      properties: {amount: {type: string}, currency: {type: string, enum: [EUR, USD]}}
    Order:
      type: object
      required: [id, note]
      properties:
        id: {type: string, readOnly: true}
        note: {type: string, nullable: true, description: A note.}
        discount: {type: integer, minimum: 0, exclusiveMinimum: true, example: 5}
        total:
          nullable: true
          allOf:
          - {$ref: '#/components/schemas/Money'}
        code: {type: string, writeOnly: true}
        parts: {type: array, items: {$ref: '#/components/schemas/Order'}}
"""


def document(paths: Node | None = None, version: str = "3.1.0", **more: Any) -> Node:
    """Return a document with these paths."""
    return {"openapi": version, "info": {"title": "T", "version": "1"}, "paths": paths or {}, **more}


def operation(told: Node, method: str = "get", path: str = "/things", **more: Any) -> Operation:
    """Return the one operation of a document, as it is read."""
    version = more.pop("version", "3.1.0")
    item = {method: {"responses": OK, **told}}
    return list_operations(document({path: item}, version, **more))[0]


def shop() -> dict[str, Operation]:
    """Return the operations of the shop by name."""
    return {each.name: each for each in list_operations(read_document(SHOP))}


def query(schema: object, **more: Any) -> Node:
    """Return an operation with one parameter in the query."""
    return {"parameters": [{"name": "q", "in": "query", "schema": schema, **more}]}


def body(schema: object, kind: str = "application/json", *, required: bool = True) -> Node:
    """Return an operation with a body."""
    return {"requestBody": {"required": required, "content": {kind: {"schema": schema}}}}
