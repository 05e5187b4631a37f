"""The crash campaign: processes are killed while runs make effects, and every effect is accounted for.

It stands outside of the platform: it sees the REST API, the database, and what the tools' servers have
written down. Nothing in the platform knows that it exists.
"""
