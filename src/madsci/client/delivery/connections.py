"""Connections that know their socket again.

A program that becomes a daemon closes all numbers of open files; what it opens next gets them. A
connection that was kept alive must not send events there, nor close it.
"""

from __future__ import annotations

import os

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import HTTPResponse

from madsci.client.delivery.underway import begun
from madsci.common.own_file import fill_streams, identity_of


class _KnowsItsSocket(HTTPConnection):
    _identity: tuple[int, int] | None = None

    def connect(self) -> None:
        fill_streams()
        super().connect()
        self._identity = _identity(self.sock.fileno())

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]
        if self.sock is not None:
            begun(self.sock)
        return super().getresponse()

    @property
    def is_connected(self) -> bool:
        """Whether the connection can be used again; the pool asks before each request."""
        self._let_go_of_strangers()
        return super().is_connected

    def close(self) -> None:
        self._let_go_of_strangers()
        super().close()

    def _let_go_of_strangers(self) -> None:
        sock = self.sock
        if sock is not None and self._identity != _identity(sock.fileno()):
            sock.detach()
            self.sock = None


class _OwnHttpsConnection(_KnowsItsSocket, HTTPSConnection):
    pass


class OwnHttpPool(HTTPConnectionPool):
    """Kept-alive connections without encryption."""

    ConnectionCls = _KnowsItsSocket


class OwnHttpsPool(HTTPSConnectionPool):
    """Kept-alive connections with TLS."""

    ConnectionCls = _OwnHttpsConnection


def _identity(number: int) -> tuple[int, int] | None:
    # Elsewhere sockets are no file numbers.
    return identity_of(number) if os.name == "posix" else None
