"""One POST to one receiver, at addresses that were checked, in a bounded time."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Final

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from madsci.event_manager.alerts.receiver import Receiver

SECONDS: Final = 15.0
"""From the first connection to the answer; services ask that receivers answer within ten."""
_CONNECT_SECONDS: Final = 5.0
"""For each address, and once more for the TLS with it: beyond, the machine is off or a firewall
drops."""
_MOST_ADDRESSES: Final = 4
"""Addresses that are tried: two of each kind."""
_MOST_BYTES: Final = 4_000
"""Of an answer that says no: a reason has a line or two."""
_DELIVERED: Final = range(200, 300)
_BROKEN: Final = (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError)


@dataclass(frozen=True)
class Answer:
    """What a receiver answered: the text is the beginning of a reply that is no success."""

    status: int
    text: str = ""


def post(
    receiver: Receiver,
    addresses: Sequence[str],
    headers: Mapping[str, str],
    body: bytes,
    seconds: float = SECONDS,
) -> Answer:
    """Send one request to the first address that can be connected to, and return what is answered.

    Nothing is looked up, redirects are not followed and no proxy is used. The certificate has to be
    that of the receiver's name, by what the system trusts or the file that ``SSL_CERT_FILE`` names. It
    takes ``seconds`` at most, and five more where a TLS handshake is under way then. Thread-safe.

    Raises:
        DeliveryError: no address could be connected to, or no answer came.
    """
    request = _Request(receiver, headers, body, seconds)
    for address in addresses[:_MOST_ADDRESSES]:
        with suppress(NewConnectionError, ConnectTimeoutError):
            return request.at(address)
        if request.seconds_left <= 0:
            break
    raise receiver.failure(
        f"cannot be connected to, at {' and '.join(addresses[:_MOST_ADDRESSES]) or 'no address'}",
        "Check its host and port, and that a firewall lets this machine reach it.",
    )


class _Request:
    """A request that ends in time, however slowly the receiver takes it and answers."""

    def __init__(
        self, receiver: Receiver, headers: Mapping[str, str], body: bytes, seconds: float
    ) -> None:
        self._receiver = receiver
        self._headers = {**headers, "Host": receiver.authority}
        self._body = body
        self._seconds = seconds
        self._end = time.monotonic() + seconds
        self._is_cut = False

    @property
    def seconds_left(self) -> float:
        return self._end - time.monotonic()

    def at(self, address: str) -> Answer:
        """Raises what connecting raises, so that another address can be tried."""
        with self._explained(), closing(self._connection(address)) as connection:
            connection.connect()
            with self._cut_in_time(connection.sock):
                return self._exchange(connection)

    def _connection(self, address: str) -> HTTPConnection:
        port, seconds = self._receiver.port, min(_CONNECT_SECONDS, max(self.seconds_left, 0.01))
        if self._receiver.scheme == "http":
            return HTTPConnection(address, port, timeout=seconds)
        return HTTPSConnection(
            address,
            port,
            timeout=seconds,
            ssl_context=ssl.create_default_context(),
            server_hostname=self._receiver.host,
        )

    def _exchange(self, connection: HTTPConnection) -> Answer:
        # Who refuses a request may close before he has read all of it: his answer can still be read.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.request(
                "POST",
                self._receiver.target,
                body=self._body,
                headers=self._headers,
                preload_content=False,
                decode_content=False,
            )
        with closing(connection.getresponse()) as answer:
            if self._is_cut:  # which looks like the end of its headers
                raise TimeoutError
            return Answer(answer.status, "" if answer.status in _DELIVERED else _beginning(answer))

    @contextmanager
    def _cut_in_time(self, sock: socket.socket) -> Iterator[None]:
        """End the connection when the time is over: a timeout of sockets begins anew with each byte."""
        left = max(self.seconds_left, 0.01)
        sock.settimeout(left)
        timer = threading.Timer(left, self._cut, (sock,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _cut(self, sock: socket.socket) -> None:
        self._is_cut = True
        with suppress(OSError):  # it has been closed meanwhile
            # Not the method of a TLS socket: it would make the reader take cipher for text.
            socket.socket.shutdown(sock, socket.SHUT_RDWR)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (NewConnectionError, ConnectTimeoutError):
            raise
        except ssl.SSLCertVerificationError as error:
            raise self._receiver.failure(
                f"has a certificate that is not trusted ({error.verify_message})",
                "Name it as its certificate does, and its authority's file with SSL_CERT_FILE.",
            ) from None
        except (*_BROKEN, RuntimeError) as error:  # the latter: no thread can be started any more
            if self._is_cut or isinstance(error, TimeoutError):
                waited = self._seconds - self.seconds_left
                raise self._receiver.failure(f"did not answer in time ({waited:.2g} s)") from None
            raise self._receiver.failure(
                f"broke off ({type(error).__name__})",
                "Check that its port speaks the protocol of its URL.",
            ) from None


def _beginning(answer: urllib3.BaseHTTPResponse) -> str:
    try:
        return answer.read(_MOST_BYTES, decode_content=False).decode(errors="replace")
    except _BROKEN:
        return ""  # the status says what is needed
