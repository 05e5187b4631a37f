"""The one-command local stack: bootstrap, embedded PostgreSQL and Valkey, supervision, test runs."""
