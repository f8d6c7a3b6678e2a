"""An optional limit of requests per address, for labs that want it. Off by default.

It never stands before sending: a flight recorder that turns evidence away because there is much of it
fails when it is needed most. Overload is what the ingest queue's bound is for.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from madsci.event_manager.api.problems import problem

_MAX_ADDRESSES: Final = 10_000
"""Addresses remembered; beyond that the one that was quiet longest is forgotten."""


@dataclass(frozen=True)
class Window:
    """At most so many requests in so many seconds."""

    requests: int
    seconds: int
    name: str = ""


class RateLimit:
    """ASGI middleware that counts requests per address in fixed windows.

    Answers 429 with ``Retry-After``; every reply tells what is left in ``X-RateLimit-*`` headers. The
    first window given is the long one, a second one is for bursts.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        windows: list[Window],
        exempt: frozenset[str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._app = app
        self._windows = windows
        self._exempt = exempt
        self._clock = clock
        self._counts: OrderedDict[str, list[tuple[int, int]]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 429."""
        address = scope["client"][0] if scope.get("client") else ""
        if scope["type"] != "http" or address in self._exempt:
            await self._app(scope, receive, send)
            return
        counts, exceeded = self._count(address)
        headers = self._headers(counts)
        if exceeded is not None:
            await self._refuse(exceeded, headers)(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", []),
                    *((name.encode(), value.encode()) for name, value in headers.items()),
                ]
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _count(self, address: str) -> tuple[list[tuple[int, int]], Window | None]:
        """Count a request; return (window number, requests in it) per window, and the one exceeded."""
        now = self._clock()
        before = self._counts.pop(address, [(-1, 0)] * len(self._windows))
        counts: list[tuple[int, int]] = []
        exceeded = None
        for window, (number, count) in zip(self._windows, before, strict=True):
            current = int(now // window.seconds)
            counts.append((current, count + 1 if number == current else 1))
            if counts[-1][1] > window.requests:
                exceeded = window
        self._counts[address] = counts
        while len(self._counts) > _MAX_ADDRESSES:
            self._counts.popitem(last=False)
        return counts, exceeded

    def _headers(self, counts: list[tuple[int, int]]) -> dict[str, str]:
        headers: dict[str, str] = {}
        for window, (number, count) in zip(self._windows, counts, strict=True):
            left = str(max(0, window.requests - count))
            if window.name:
                headers[f"X-RateLimit-{window.name}-Limit"] = str(window.requests)
                headers[f"X-RateLimit-{window.name}-Remaining"] = left
            else:
                headers["X-RateLimit-Limit"] = str(window.requests)
                headers["X-RateLimit-Remaining"] = left
                headers["X-RateLimit-Reset"] = str((number + 1) * window.seconds)
        return headers

    def _refuse(self, window: Window, headers: dict[str, str]) -> ASGIApp:
        wait = window.seconds - self._clock() % window.seconds
        suffix = f" ({window.name.lower()} limit)" if window.name else ""
        detail = f"Rate limit exceeded: {window.requests} requests per {window.seconds} seconds{suffix}"
        retry = {"Retry-After": str(max(1, round(wait)))}
        return problem(429, detail, headers={**headers, **retry})
