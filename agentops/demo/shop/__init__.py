"""A small online shop that the demo's support desk works in: 12 customers, 15 products, 30 orders.

Start it with ``python -m agentops.demo.shop --port 8010 [--state shop.sqlite3]``; without a state file it
starts anew from its seed data every time. ``POST /tools/<name>`` takes the arguments as a JSON object;
`catalogue` says which. A refusal is an RFC 9457 problem with status 409 or 422 and a `code`. Effects honour
``Idempotency-Key`` (the stored answer comes back with ``Idempotent-Replay: true``), ``GET /effects/{key}``
reads one back, and ``GET /effects`` lists them with the end user (``X-Principal``) and the trace
(``traceparent``) of each.
"""
