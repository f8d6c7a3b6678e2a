"""What schemathesis has to be told; it loads this by the name in its settings."""

from __future__ import annotations

from typing import Any

import schemathesis

LINES = "application/x-ndjson"


@schemathesis.hook
def before_load_schema(_: schemathesis.HookContext, raw_schema: dict[str, Any]) -> None:
    """Leave out bodies of lines: for OpenAPI 3.1 they are any text, and most texts are no events.

    And have the streams end that would go on for ever.
    """
    for methods in raw_schema["paths"].values():
        for operation in methods.values():
            content = operation.get("requestBody", {}).get("content", {})
            if len(content) > 1:
                content.pop(LINES, None)
            for parameter in operation.get("parameters", []):
                if parameter["name"] == "follow":
                    parameter.update(required=True, schema={"const": False})
