"""Programs that send events to a server without end, for drills."""

from __future__ import annotations

import http.client
import json
import threading

from typing_extensions import Self

from support.server import ServerProcess


class Load:
    """Threads that send events, single and in bulk, and remember which were acknowledged.

    ``name`` begins the ids of the events; ``pause`` is the rest of each thread between two requests.
    """

    def __init__(
        self, server: ServerProcess, threads: int = 6, name: str = "", pause: float = 0.0
    ) -> None:
        self.server = server
        self.name = name
        self.pause = pause
        self.acknowledged: list[str] = []
        self.sent: set[str] = set()
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(number,)) for number in range(threads)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)

    def _run(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        count = 0
        while not self._stopping.is_set():
            size = 1 if number % 2 else 50
            ids = [f"{self.name}{number}-{count + index}" for index in range(size)]
            count += size
            bodies = [json.dumps({"event_id": one, "event_data": {"message": one}}) for one in ids]
            self.sent.update(ids)
            try:
                connection.request("POST", "/event" if size == 1 else "/events", "\n".join(bodies))
                reply = connection.getresponse()
                reply.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                self._stopping.wait(0.01)  # the server is away; do not spin
                continue
            if reply.status == 200:
                self.acknowledged.extend(ids)
            if self.pause:
                self._stopping.wait(self.pause)
        connection.close()
