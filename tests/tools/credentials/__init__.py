"""Just-in-time credentials."""
