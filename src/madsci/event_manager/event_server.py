"""The Event Manager as a program: ``python -m madsci.event_manager.event_server``."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import faulthandler
import gc
import ipaddress
import logging
import math
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from types import FrameType
from typing import Final

import uvicorn
from fastapi import FastAPI

from madsci.common.errors import MadsciError, SettingsError
from madsci.common.memory import return_large_blocks
from madsci.common.settings import settings_of_flags
from madsci.common.types.manager_settings import EventManagerSettings
from madsci.event_manager.app import Parts, build_app, package_version
from madsci.event_manager.feed.follower import Follower
from madsci.event_manager.wire.bounds import ACCEPTED_AT_ONCE, STREAMS, WAITING_TO_BE_ACCEPTED, Bounds
from madsci.event_manager.wire.connections import Connections
from madsci.event_manager.wire.open_files import connections_that_fit
from madsci.event_manager.wire.protocol import BoundedProtocol

_logger = logging.getLogger(__name__)

_COLLECT_AFTER = 20_000
"""New containers between two collections: a large body makes thousands of them, and none is a cycle."""
_STREAMS_OF_FEW: Final = 8
"""Where few files may be open, one of so many connections may be a stream."""
_TURN = 0.001
"""Seconds after which a thread of Python gives way to another that waits. An event passes through two
threads, and met the usual 5 ms in each while bodies of others were unpacked or their replies made."""
_TO_LEAVE: Final = 5.0
"""Seconds for what works at answers that nobody will get."""
_OPEN: Final = (
    "\n  open to       everybody who reaches this machine: they can read and delete events. Keep it in"
    "\n                the lab's own network, or behind a proxy that asks who somebody is"
)


class EventManager:
    """An Event Manager made from its settings; making it opens the store.

    ``follows`` conclude something of a lab's own from the events that are committed; see
    ``madsci.event_manager.feed.follower``.

    Raises:
        SettingsError: a setting cannot be used.
        StoreError: the store cannot be opened.
    """

    def __init__(
        self, settings: EventManagerSettings | None = None, follows: Sequence[Follower] = ()
    ) -> None:
        self.settings = settings or EventManagerSettings()
        self.parts = Parts.join(self.settings, follows)

    def create_server(self) -> FastAPI:
        """Return the web application, for a server of your own or a test client."""
        return build_app(self.parts)

    def run_server(self) -> None:
        """Serve until the process is told to stop; then finish what was accepted.

        Raises:
            SettingsError: host or port cannot be served at.
        """
        try:
            sockets = bind(self.settings.host, self.settings.port, self.settings.server_url)
        except SettingsError:
            self.parts.close(time.monotonic())
            raise
        connections = Connections(_bounds(self.settings))
        patience = self.settings.shutdown_timeout_seconds
        config = uvicorn.Config(
            self.create_server(),
            proxy_headers=False,
            http=partial(BoundedProtocol, connections=connections),  # type: ignore[arg-type]
            ws="none",
            backlog=ACCEPTED_AT_ONCE,
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="on",
            timeout_graceful_shutdown=math.ceil(patience + _TO_LEAVE),
        )
        server = _Server(config, self._announcement(), self.parts.end_streams, connections, patience)
        # What was made up to here lives as long as the process. Without this, every full collection
        # looks at all of it again and holds up all requests for tens of milliseconds.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_COLLECT_AFTER, 20, 50)
        sys.setswitchinterval(_TURN)
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=sockets)

    def _announcement(self) -> str:
        store, url = self.parts.store, self.settings.server_url
        return (
            f"MADSci Event Manager {package_version()}\n"
            f"  listening on  {url}\n"
            f"  events        {store.count():,} in {store.location} ({store.engine})\n"
            f"  pages         {url}docs  {url}redoc  {url}health"
            f"{'' if _is_loopback(self.settings.host) else _OPEN}"
        )


class _Server(uvicorn.Server):
    """Says that it listens once it does, and ends what would go on for ever before it stops.

    Whoever asks it a second time to stop at a terminal need not wait for others who wait for answers.
    ``patience`` is how many seconds they have otherwise.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        announcement: str,
        end_streams: Callable[[], None],
        connections: Connections,
        patience: float,
    ) -> None:
        super().__init__(config)
        self._announcement = announcement
        self._end_streams = end_streams
        self._connections = connections
        self._patience = patience
        self._loop: asyncio.AbstractEventLoop | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if not self.should_exit:
            super().handle_exit(sig, frame)
        elif sig == signal.SIGINT and self._loop is not None:  # somebody does not want to wait
            self._loop.call_soon_threadsafe(self._connections.cut)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._end_streams()
        self._connections.stop()
        asyncio.get_running_loop().call_later(self._patience, self._connections.cut)
        await super().shutdown(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        for listening in sockets or []:  # how many may wait is not how many are accepted at once
            listening.listen(WAITING_TO_BE_ACCEPTED)
        if self.started:
            print(self._announcement, flush=True)  # noqa: T201 - for the person at the terminal


def _is_loopback(host: str) -> bool:
    """Tell whether only this machine itself reaches a host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _bounds(settings: EventManagerSettings) -> Bounds:
    fit = connections_that_fit(settings.max_connections + STREAMS)
    streams = min(STREAMS, max(fit // _STREAMS_OF_FEW, fit - settings.max_connections))
    return Bounds(
        connections=min(settings.max_connections, fit - streams),
        streams=streams,
        head_seconds=settings.head_timeout_seconds,
        body_seconds=settings.body_timeout_seconds,
        reply_seconds=settings.reply_timeout_seconds,
        idle_seconds=settings.idle_timeout_seconds,
    )


def bind(host: str, port: int, url: str) -> list[socket.socket]:
    """Return listening sockets for every address of the host.

    Raises:
        SettingsError: the host is not one of this machine, or the port is taken.
    """
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise SettingsError(
            f"server_url is {url}, but {host!r} is not a host this machine can serve at ({error})."
            " Use localhost, or 0.0.0.0 for every network."
        ) from error
    sockets: list[socket.socket] = []
    failure: OSError | None = None
    for family, kind, protocol, _, address in addresses:
        listening = socket.socket(family, kind, protocol)
        try:
            if sys.platform != "win32":  # there, the option would let two servers share a port
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listening.bind(address)
            sockets.append(listening)
        except OSError as error:
            listening.close()
            failure = error
    taken = failure is not None and failure.errno == errno.EADDRINUSE
    if not sockets or taken:
        for listening in sockets:
            listening.close()
        raise SettingsError(
            f"The server cannot listen on {url}: {failure}. Stop the program that uses port {port}, or"
            " choose another one with EVENT_SERVER_URL=http://localhost:8101/."
        )
    return sockets


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server with the settings of the command line; return the exit code."""
    # SQLite's shared index is mapped: a disk that fails, or has no room for a page, ends the process.
    if sys.__stderr__ is not None:
        faulthandler.enable(sys.__stderr__)
    return_large_blocks()
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)-8s %(name)s: %(message)s"
    )
    try:
        settings = settings_of_flags(
            EventManagerSettings, sys.argv[1:] if arguments is None else arguments
        )
        logging.getLogger("madsci").setLevel(int(settings.server_log_level))
        for sentence in settings.warnings():
            _logger.warning(sentence)
        EventManager(settings).run_server()
    except MadsciError as error:
        print(f"The Event Manager did not start.\n{error.message}", file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:  # before it served
        return 128 + signal.SIGINT
    return 0


if __name__ == "__main__":
    sys.exit(main())
