"""What undoes a call: the arguments that its tool declares, filled in from what is recorded of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentops.errors import ValidationFailed

JsonObject = Mapping[str, Any]  # Any: JSON
_RECORDED = {"$arguments": "what it was called with", "$result": "what it answered"}


def fill_in(templates: JsonObject, arguments: JsonObject | None, result: Any) -> dict[str, Any]:
    """Return the arguments of the compensation; ``arguments`` and ``result`` are the call's own, None once erased.

    Raises ValidationFailed where what is to be taken was not recorded.
    """
    recorded = {"$arguments": arguments, "$result": result}
    return {name: _fill(template, recorded) for name, template in templates.items()}


def _fill(template: Any, recorded: JsonObject) -> Any:  # Any: JSON
    if not (isinstance(template, str) and template.startswith("$")):
        return template
    source, *path = template.split(".")
    if recorded.get(source) is None:
        raise ValidationFailed("not_recorded", f"{_RECORDED.get(source, template)} is not on record any more")
    value = recorded[source]
    for name in path:
        if not isinstance(value, dict) or name not in value:
            raise ValidationFailed("not_recorded", f"its record holds no {template}")
        value = value[name]
    return value
