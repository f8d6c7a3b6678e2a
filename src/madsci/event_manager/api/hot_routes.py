"""A short cut in front of the web application for the routes that carry the load.

The framework's layers cost more than reading, checking and writing an event. ``POST /event`` and
``POST /events`` are ordinary routes of the application; this short cut calls the same functions without
the layers, for requests that need none of them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from madsci.common.errors import MadsciError
from madsci.event_manager.api.problems import problem_of, unexpected

_logger = logging.getLogger(__name__)


class HotRoutes:
    """ASGI application: exact method and path to a route, everything else to the application behind.

    The border of these routes: an error of ours becomes its problem details, any other is logged and
    answered with 500. Requests of browsers from other origins take the long way, which knows CORS.
    """

    def __init__(self, app: ASGIApp, routes: Mapping[tuple[str, str], ASGIApp]) -> None:
        self._app = app
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a hot route; pass every other request on."""
        route = None
        if scope["type"] == "http":
            route = self._routes.get((scope["method"], scope["path"]))
        if route is None or b"origin" in dict(scope["headers"]):
            await self._app(scope, receive, send)
            return
        try:
            await route(scope, receive, send)
        except MadsciError as error:
            await problem_of(error)(scope, receive, send)
        except ClientDisconnect:
            pass  # half a body is no event, and nobody waits for an answer
        except Exception:
            _logger.exception("Unexpected error while answering %s", scope["path"])
            await unexpected()(scope, receive, send)
