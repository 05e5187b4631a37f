"""Preflight: what is missing before a version is published, an agent comes back, and production starts.

One list, the same in the console, ``apply``, ``manage.py check --deploy`` and the API.
"""

from runs.preflight.activation import refuse_unsafe_activation
from runs.preflight.advice import advise, advise_installation
from runs.preflight.findings import Finding
from runs.preflight.installation import check_installation, refuse_unsafe_start
from runs.preflight.versions import check_version

__all__ = [
    "Finding",
    "advise",
    "advise_installation",
    "check_installation",
    "check_version",
    "refuse_unsafe_activation",
    "refuse_unsafe_start",
]
