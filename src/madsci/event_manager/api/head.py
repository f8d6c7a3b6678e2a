"""HEAD for every route that has GET: monitors and proxies ask with it."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadRequests:
    """ASGI application: answers HEAD as the application behind answers GET, without the body.

    What would be a long body is broken off, as if the client had gone away.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request with HEAD; pass every other one on."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        is_over = False

        async def receive_until_over() -> Message:
            return {"type": "http.disconnect"} if is_over else await receive()

        async def send_head(message: Message) -> None:
            nonlocal is_over
            if is_over:
                return
            if message["type"] == "http.response.body":
                is_over = True
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        await self._app({**scope, "method": "GET"}, receive_until_over, send_head)
