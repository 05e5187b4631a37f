"""Change sets."""
