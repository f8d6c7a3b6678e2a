"""What OpenAPI says of the operations by which events come in, which no framework reads."""

from __future__ import annotations

from typing import Any, Final

from madsci.event_manager.api.openapi import SCHEMAS, json_reply

_EVENT: Final[dict[str, Any]] = {
    "anyOf": [
        {"$ref": SCHEMAS + "Event"},
        {
            "type": "object",
            "title": "AnyObject",
            "description": "Anything else is kept, too: members that events do not have, and values"
            " that cannot be read, which the reply tells.",
        },
    ]
}

POST_EVENT: Final[dict[str, Any]] = {
    "description": (
        "Stores an event and answers with it once it is on disk. An event whose id is stored already"
        " stays as it was, except that `alert` is raised; the reply is the stored event, with the"
        " header `X-Event-Duplicate: true`. What cannot be read is kept under `extra` and told in"
        " `X-Event-Warning` headers."
    ),
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": _EVENT,
                "example": {
                    "event_type": "LOG_INFO",
                    "log_level": 20,
                    "event_data": "Event message or data",
                    "alert": False,
                },
            }
        },
    },
    "responses": {
        "200": json_reply(
            "StoredEventReply",
            "The stored event.",
            links={
                "StoredEvent": {
                    "operationId": "get_event",
                    "parameters": {"event_id": "$response.body#/_id"},
                }
            },
            headers={
                "X-Event-Duplicate": {
                    "description": "`true` if the id was stored before.",
                    "schema": {"type": "string"},
                },
                "X-Event-Warning": {
                    "description": "What could not be read and where it was kept.",
                    "schema": {"type": "string"},
                },
            },
        ),
    },
}

POST_EVENTS: Final[dict[str, Any]] = {
    "description": (
        "Stores the events of a JSON array, or of newline-delimited JSON with one event a line, and"
        " answers once they are on disk. The body may be compressed with gzip, deflate or zstd."
        " Broken lines are listed, the others are stored. Sending a body again stores nothing twice."
    ),
    "requestBody": {
        "required": True,
        "content": {
            "application/x-ndjson": {
                "schema": {"type": "string"},
                "example": '{"event_type":"log_info","event_data":"first"}\n{"event_data":"second"}\n',
            },
            "application/json": {"schema": {"anyOf": [{"type": "array", "items": _EVENT}, _EVENT]}},
        },
    },
    "responses": {
        "200": json_reply("BulkReply", "What became of the events; some may be rejected."),
        "422": json_reply("BulkReply", "Every event was rejected."),
    },
}

POST_IMPORT: Final[dict[str, Any]] = {
    **POST_EVENTS,
    "description": (
        "Stores exported events as they are: with their ids, their times and when they were received"
        " then; nobody is alerted about them. Otherwise like `POST /events`: importing a file again"
        " stores nothing twice."
    ),
}
