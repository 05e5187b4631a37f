"""Preflight: what is missing before an agent version may be published, and before production may start.

One list, the same in the console, ``apply``, ``manage.py check --deploy`` and the API.
"""

from runs.preflight.findings import Finding
from runs.preflight.installation import check_installation, refuse_unsafe_start
from runs.preflight.versions import check_version

__all__ = ["Finding", "check_installation", "check_version", "refuse_unsafe_start"]
