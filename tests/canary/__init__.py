"""Secrets and personal data that are canaries: looked for wherever the platform writes."""
