"""Prometheus metrics: sums of what the ledger says, kept in PostgreSQL, and how things stand when they are asked for.

No process keeps figures of its own: none is lost with one, whichever process answers says the same, and workers on any
number of machines need no port and no shared folder.
"""
