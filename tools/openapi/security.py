"""By what an operation lets its callers in: never a value, only in which header, and with which word before it."""

from __future__ import annotations

from tools.openapi.references import Node, References, Unusable

MOST_WAYS = 10

Ways = list[dict[str, str]]


def read_security(references: References, document: Node, operation: Node) -> Ways | None:
    """Return the ways in, most preferred first: none for an open door, None where the document does not say.

    Raises Unusable if there are some, and none of them can be gone.
    """
    told = operation.get("security", document.get("security"))
    if told is None:
        return None
    if not isinstance(told, list):
        raise Unusable("its security is no list")
    ways: Ways = []
    obstacles = []
    for requirement in told[:MOST_WAYS]:
        if requirement == {}:
            return []
        try:
            ways.append(_read_way(references, document, requirement))
        except Unusable as problem:
            obstacles.append(str(problem))
    if told and not ways:
        raise Unusable(f"it lets in only who sends what is not sent: {'; '.join(obstacles)}")
    return ways


def _read_way(references: References, document: Node, requirement: object) -> dict[str, str]:
    if not isinstance(requirement, dict) or len(requirement) != 1:
        raise Unusable("several credentials at once")
    name = str(next(iter(requirement)))
    components = document.get("components")
    schemes = components.get("securitySchemes") if isinstance(components, dict) else None
    if not isinstance(schemes, dict) or name not in schemes:
        raise Unusable(f"{name[:60]!r}, which it does not describe")
    scheme = references.resolve(schemes[name], "a security scheme")
    match scheme.get("type"), str(scheme.get("scheme", "")).lower(), scheme.get("in"):
        case "http", "bearer", _:
            return {"name": name, "header": "Authorization", "scheme": "Bearer"}
        case "http", "basic", _:
            return {"name": name, "header": "Authorization", "scheme": "Basic"}
        case (("oauth2" | "openIdConnect"), _, _):
            return {"name": name, "header": "Authorization", "scheme": "Bearer"}
        case "apiKey", _, "header" if isinstance(scheme.get("name"), str):
            return {"name": name, "header": scheme["name"], "scheme": ""}
        case "apiKey", _, place:
            raise Unusable(f"a key in the {str(place)[:20]}")
    raise Unusable(f"the scheme {str(scheme.get('type'))[:40]}")
