"""The least that uvicorn can do: read a body, answer as many bytes. ``bare_asgi.py PORT``."""

from __future__ import annotations

import sys
from typing import Any

import uvicorn

_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"480")],
}
_BODY = {"type": "http.response.body", "body": b" " * 480}


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        while (await receive()).get("more_body"):
            pass
        await send(_START)
        await send(_BODY)


if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="warning",
        access_log=False,
        lifespan="off",
    )
