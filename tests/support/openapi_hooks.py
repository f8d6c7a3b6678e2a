"""What schemathesis has to be told; it loads this by the name in its settings."""

from __future__ import annotations

from typing import Any

import schemathesis

LINES = "application/x-ndjson"


@schemathesis.hook
def before_load_schema(_: schemathesis.HookContext, raw_schema: dict[str, Any]) -> None:
    """Leave out bodies of lines: for OpenAPI 3.1 they are any text, and most texts are no events.

    And leave it to the next hook to have streams end.
    """
    for methods in raw_schema["paths"].values():
        for operation in methods.values():
            content = operation.get("requestBody", {}).get("content", {})
            if len(content) > 1:
                content.pop(LINES, None)
            parameters = operation.get("parameters", [])
            parameters[:] = [one for one in parameters if one["name"] != "follow"]


@schemathesis.hook
def before_call(_: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    """Have the streams end that would go on for ever."""
    if case.operation.path.endswith("/events/stream"):
        case.query = {**(case.query or {}), "follow": "false"}
