"""An Event Manager in somebody's own program, with a middleware around it.

Runs like the server itself, at the address of the settings.
"""

from __future__ import annotations

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from madsci.event_manager.event_server import EventManager

MARK = "x-seen-by"


class Marking:
    """Marks each reply that passes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def mark(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (MARK.encode(), b"middleware")]}
            await send(message)

        await self._app(scope, receive, mark if scope["type"] == "http" else send)


def main() -> None:
    manager = EventManager()
    app = manager.create_server()
    app.add_middleware(Marking)
    settings = manager.settings
    uvicorn.run(app, host=settings.host, port=settings.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
