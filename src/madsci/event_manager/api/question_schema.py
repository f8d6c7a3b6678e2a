"""What OpenAPI says of a question: a selector alone, or with what goes with it around it."""

from __future__ import annotations

from typing import Any, Final

from madsci.common.types.members import NAMES, OBJECTS
from madsci.event_manager.model.query import MAX_PAGE
from madsci.event_manager.model.sorting import MAX_KEYS

_SCHEMAS: Final = "#/components/schemas/"
SELECTOR: Final = f"{_SCHEMAS}Selector"
FIELD: Final = (
    rf"({'|'.join(sorted(NAMES.difference(OBJECTS)))}"
    rf"|({'|'.join(sorted(OBJECTS))})(\.[A-Za-z_][A-Za-z0-9_]*)*)"
)
"""The usual paths, for generated clients; others are written as an error says."""
SELECTOR_EXAMPLE: Final = {"log_level": {"$gte": 20}}


def _of_paths(value: dict[str, Any], **bounds: int) -> dict[str, Any]:
    """Return the schema of an object whose names are paths."""
    names = {"pattern": f"^{FIELD}$"}
    return {"type": "object", "propertyNames": names, "additionalProperties": value, **bounds}


ORDER_PATTERN: Final = f"-?({FIELD}|committed)"
"""A path, or the order in which events were committed."""
_ORDER: Final = {"type": "string", "pattern": f"^{ORDER_PATTERN}$"}
_ORDER_OF_ONE: Final = {"type": "string", "pattern": f"^-?{FIELD}$"}
"""One of several: beside the order of commits there is no other."""
_DIRECTION: Final = {"enum": [1, -1]}
_PART: Final = _of_paths(_DIRECTION, minProperties=1, maxProperties=1)
_SORT: Final = [
    _ORDER,
    _of_paths(_DIRECTION, minProperties=1, maxProperties=MAX_KEYS),
    {"type": "array", "items": _ORDER, "minItems": 1, "maxItems": 1},
    {
        "type": "array",
        "items": {"anyOf": [_ORDER_OF_ONE, _PART]},
        "minItems": 1,
        "maxItems": MAX_KEYS,
    },
]
QUESTION_SCHEMAS: Final[dict[str, Any]] = {
    "Selector": {
        "title": "Selector",
        "type": "object",
        "description": "A MongoDB-style selector: members by dotted paths, operators with `$`. An empty"
        " one matches every event.",
        "additionalProperties": True,
    },
    "Question": {
        "title": "Question",
        "type": "object",
        "description": "A selector, and what goes with it. All of them may be left out.",
        "additionalProperties": False,
        "required": ["selector"],
        "properties": {
            "selector": {"$ref": SELECTOR},
            "sort": {
                "description": "A path, with `-` before it for descending, `{path: 1 or -1}`, or a list"
                " of these; or `committed`, by itself.",
                "anyOf": _SORT,
            },
            "limit": {
                "type": "integer",
                "minimum": 0,
                "description": f"Events in the reply; 0 for as many as a page holds ({MAX_PAGE:,}).",
            },
            "cursor": {"type": "string", "description": "The `X-Next-Cursor` of the last reply."},
            "fields": {
                "description": "Paths of the members to take, or `{path: 0}` for all but these.",
                "anyOf": [
                    {"type": "array", "items": {"type": "string", "pattern": f"^{FIELD}$"}},
                    _of_paths({"const": 1}),
                    _of_paths({"const": 0}),
                ],
            },
            "include_archived": {
                "type": "boolean",
                "default": True,
                "description": "Whether archived events are found too.",
            },
        },
    },
}

_CONTENT: Final[dict[str, Any]] = {
    "application/json": {
        "schema": {"anyOf": [{"$ref": SELECTOR}, {"$ref": f"{_SCHEMAS}Question"}]},
        "examples": {
            "node": {
                "summary": "Everything of one node from INFO upwards",
                "value": {
                    "source.node_id": "01JJ4S0WNGEF5FQAZG5KDGJRBV",
                    "log_level": {"$gte": 20},
                },
            },
            "time": {
                "summary": "Failed steps and errors of one night",
                "value": {
                    "event_timestamp": {"$gte": "2026-11-23T20:00:00Z"},
                    "$or": [
                        {"event_type": "workflow_step_failed"},
                        {"log_level": {"$gte": "ERROR"}},
                    ],
                },
            },
            "words": {
                "summary": "The slowest steps in which something jammed",
                "value": {
                    "selector": {"$text": {"$search": "jam jammed"}},
                    "sort": {"event_data.duration_ms": -1},
                    "limit": 10,
                    "fields": ["event_timestamp", "event_data.message"],
                },
            },
        },
    }
}
QUESTION_BODY: Final[dict[str, Any]] = {"requestBody": {"required": True, "content": _CONTENT}}
SELECTOR_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": False,
        "content": {
            "application/json": {"schema": {"$ref": SELECTOR}, "example": SELECTOR_EXAMPLE},
        },
    }
}
"""Where nothing goes with a selector."""
OPTIONAL_BODY: Final[dict[str, Any]] = {"requestBody": {"required": False, "content": _CONTENT}}
"""Where the selector may stand in the URL instead, or be left out."""
