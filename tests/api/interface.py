"""An interface as people describe theirs: one operation, in YAML."""

INTERFACE = """
openapi: 3.1.0
info: {title: Shop, version: "1"}
servers: [{url: "https://shop.example/api"}]
paths:
  /orders/{id}:
    get:
      operationId: getOrder
      description: Look an order up.
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses: {"200": {description: An order., content: {application/json: {schema: {type: object}}}}}
"""
