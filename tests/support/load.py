"""Programs that send events to a server without end, for drills."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Collection, Sequence

from typing_extensions import Self

from support.server import ServerProcess


class Load:
    """Threads that send events, single and in bulk, and remember which were acknowledged.

    ``name`` begins the ids of the events; ``pause`` is the rest of each thread between two requests;
    every second thread sends ``size`` at once.
    With ``repeats`` each request is sent once more, and one of ten events is an alert then.
    """

    def __init__(
        self,
        server: ServerProcess,
        threads: int = 6,
        name: str = "",
        pause: float = 0.0,
        *,
        repeats: bool = False,
        size: int = 50,
    ) -> None:
        self.server = server
        self.name = name
        self.pause = pause
        self.repeats = repeats
        self.size = size
        self.acknowledged: list[str] = []
        self.sent: set[str] = set()
        self.raised: list[str] = []
        """Those that were acknowledged, and then once more as alerts."""
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
            size = 1 if number % 2 else self.size
            ids = [f"{self.name}{number}-{count + index}" for index in range(size)]
            count += size
            self.sent.update(ids)
            is_there = self._send(connection, ids, ())
            if is_there:
                self.acknowledged.extend(ids)
            if self.repeats:
                alerts = [one for one in ids if one.endswith("7")]
                if self._send(connection, ids, alerts):
                    if is_there:
                        self.raised.extend(alerts)
                    else:
                        self.acknowledged.extend(ids)
            if self.pause:
                self._stopping.wait(self.pause)
        connection.close()

    def _send(
        self, connection: http.client.HTTPConnection, ids: Sequence[str], alerts: Collection[str]
    ) -> bool:
        """Send events; tell whether they were acknowledged."""
        bodies = [
            json.dumps({"event_id": one, "alert": one in alerts, "event_data": {"message": one}})
            for one in ids
        ]
        try:
            connection.request("POST", "/event" if len(ids) == 1 else "/events", "\n".join(bodies))
            reply = connection.getresponse()
            reply.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            self._stopping.wait(0.01)  # the server is away; do not spin
            return False
        return reply.status == 200
