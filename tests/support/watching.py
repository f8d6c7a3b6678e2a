"""Programs that watch a server's events, and connect again whenever they are cut off."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Sequence
from urllib.parse import quote

from typing_extensions import Self

from support.server import ServerProcess


class Watcher:
    """A thread that notes each event that a server shows, for the length of a block.

    Cut off, it goes on at the next of its ``servers``, from the last position that it was given.
    """

    def __init__(
        self, servers: Sequence[ServerProcess], since: str = "start", selector: str = "{}"
    ) -> None:
        self.servers = servers
        self.seen: list[str] = []
        """The ids, with a sign where it is an alert."""
        self.ends: list[str] = []
        self.connections = 0
        self.position = since
        self.missed = 0
        self.is_live = False
        self.failure: BaseException | None = None
        self._selector = quote(selector)
        self._over = threading.Event()
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._socket is not None:
            with contextlib.suppress(OSError):  # it is closed already
                self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(60)
        assert self.failure is None, self.failure

    def _run(self) -> None:
        at = 0
        while not self._over.is_set():
            try:
                self._read(self.servers[at % len(self.servers)])
            except (OSError, http.client.HTTPException, json.JSONDecodeError):
                self._over.wait(0.05)  # half a line is what a killed server leaves
            except BaseException as error:
                self.failure = error
                raise
            self.is_live = False
            at += 1

    def _read(self, server: ServerProcess) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=15)
        try:
            connection.connect()
            self._socket = connection.sock
            connection.request(
                "GET",
                f"/events/stream?since={quote(self.position)}&selector={self._selector}",
                headers={"Accept": "application/x-ndjson"},
            )
            reply = connection.getresponse()
            if reply.status == 503:
                self._over.wait(0.05)
                return
            assert reply.status == 200, reply.read()
            self.connections += 1
            while not self._over.is_set():
                line = reply.readline()
                if not line:
                    return
                self._take(json.loads(line))
        finally:
            connection.close()

    def _take(self, line: dict) -> None:
        if "event" in line:
            event = line["event"]
            self.seen.append(event["_id"] + "!" * event["alert"])
        elif "end" in line:
            self.ends.append(line["end"])
        else:
            self.is_live = line["is_live"]
            self.missed += line["missed"]
        self.position = line["position"]
