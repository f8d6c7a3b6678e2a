"""HTTP to an Event Manager: requests, their failures in words, and sending events.

Loaded when the first client with a server is made, together with all that a request may need: a program
may go into another root, drop its rights or lose its packages before it logs.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401 - looking up a name needs it, and imports it late
import gzip
import json
import os
import ssl
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import urllib3
from typing_extensions import Self

from madsci.client.delivery.access import ServerAccess
from madsci.client.delivery.connections import OwnHttpPool, OwnHttpsPool
from madsci.client.delivery.replies import Reply, StreamedReply, describe_cause
from madsci.client.delivery.retry import is_temporary, parse_retry_after
from madsci.client.delivery.transport import Rejection, SendReport
from madsci.client.delivery.underway import Underway, seen_by
from madsci.client.spool import SpooledEvent
from madsci.common.errors import ServerRefusedError, ServerUnreachableError, SettingsError
from madsci.common.types.client_config import EventClientConfig

_COMPRESS_FROM: Final = 16_000
"""Bytes from which on a body is compressed: below, a packet or two more cost less than the work."""
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_OK, _NOT_FOUND, _NO_METHOD = 200, 404, 405
_UNSUPPORTED, _UNPROCESSABLE = 415, 422


class HttpTransport:
    """HTTP with kept-alive connections to one server. Thread-safe, and safe to take through a fork."""

    def __init__(
        self,
        access: ServerAccess,
        *,
        timeout: float = 10.0,
        pool_connections: int = 10,
        pool_maxsize: int = 10,
    ) -> None:
        """Raises ``SettingsError`` if the certificates cannot be used."""
        self.url = access.url
        self._headers = {"Content-Type": "application/json", **dict(access.headers)}
        self._tls = _tls_context(access) if access.url.startswith("https") else None
        self._timeout = timeout
        self._pool_size = (pool_connections, pool_maxsize)
        self._pool: urllib3.PoolManager | None = None
        self._pid = os.getpid()
        self._compress = (urlsplit(self.url).hostname or "") not in _LOOPBACK
        self._one_by_one = False

    @classmethod
    def configured(cls, access: ServerAccess, config: EventClientConfig) -> Self:
        """Return one with the timeout and the pool that a client is configured with."""
        return cls(
            access,
            timeout=config.timeout_default,
            pool_connections=config.pool_connections,
            pool_maxsize=config.pool_maxsize,
        )

    def send(self, events: Sequence[SpooledEvent], timeout: float | None = None) -> SendReport:
        """Send events as one batch, or one by one to servers that know no batches."""
        send = self._send_singly if self._one_by_one else self._send_batch
        try:
            return send(events, timeout)
        except ServerUnreachableError as error:
            self._one_by_one = False  # what comes up again may be a newer release
            return SendReport(0, failure=error)

    def ask(  # noqa: PLR0913 - the parts of a request
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Reply:
        """Make one request and return the reply, whatever it says.

        Raises:
            ServerUnreachableError: no reply came, or none in time.
        """
        reply = self._request(method, path, params, body, headers, timeout)
        return Reply(reply.status, reply.data, reply.headers)

    def stream(  # noqa: PLR0913 - the parts of a request
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        underway: Underway | None = None,
    ) -> StreamedReply:
        """Make one request and return the reply as soon as it begins; the caller closes it.

        The timeout (in seconds) bounds each wait for more of the reply, not the whole. ``underway``
        may end the request from another thread.

        Raises:
            ServerUnreachableError: no reply came, or none in time.
        """
        with seen_by(underway):
            reply = self._request(method, path, params, body, headers, timeout, streamed=True)
        return StreamedReply(reply, self.url)

    def post_lines(self, path: str, body: bytes, timeout: float | None = None) -> Reply:
        """Post newline-delimited JSON, compressed where it is long and goes to another machine.

        Raises:
            ServerUnreachableError: no reply came, or none in time.
        """
        headers = {"Content-Type": "application/x-ndjson"}
        compressed = self._compress and len(body) >= _COMPRESS_FROM
        if not compressed:
            return self.ask("POST", path, body=body, headers=headers, timeout=timeout)
        headers["Content-Encoding"] = "gzip"
        packed = gzip.compress(body, compresslevel=1)
        reply = self.ask("POST", path, body=packed, headers=headers, timeout=timeout)
        if reply.status != _UNSUPPORTED:
            return reply
        self._compress = False
        return self.post_lines(path, body, timeout)

    def refusal(self, reply: Reply, method: str, path: str) -> ServerRefusedError:
        """Return the error that says what the reply says."""
        document = reply.document()
        problem = document if isinstance(document, dict) else {}
        detail = (
            problem.get("detail") or problem.get("title") or reply.body[:200].decode(errors="replace")
        )
        if not isinstance(detail, str):
            detail = json.dumps(detail)[:500]
        return ServerRefusedError(
            f"The Event Manager at {self.url} answered {method} /{path.lstrip('/')} with status"
            f" {reply.status}: {detail or 'no reason given'}{_advice(reply)}",
            status=reply.status,
            problem=problem,
            retry_after=parse_retry_after(reply.headers.get("Retry-After")),
        )

    def close(self) -> None:
        """Close the connections."""
        pool, self._pool = self._pool, None
        if pool is not None and self._pid == os.getpid():
            pool.clear()

    def _request(  # noqa: PLR0913, PLR0917 - the parts of a request
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None,
        body: bytes | None,
        headers: Mapping[str, str] | None,
        timeout: float | None,
        *,
        streamed: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        seconds = self._timeout if timeout is None else timeout
        if seconds <= 0:
            raise ServerUnreachableError(
                f"A timeout of {seconds} s leaves the Event Manager at {self.url} no time to answer."
                " Give a larger one, or None for the configured default."
            )
        url = f"{self.url}/{path.lstrip('/')}" + (f"?{urlencode(params)}" if params else "")
        limits = {"connect": seconds, "read": seconds} if streamed else {"total": seconds}
        try:
            return self._connections().request(
                method,
                url,
                body=body,
                headers={**self._headers, **(headers or {})},
                timeout=urllib3.Timeout(**limits),
                preload_content=not streamed,
                retries=False,
                redirect=False,
            )
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise ServerUnreachableError(
                f"The Event Manager at {self.url} does not answer ({describe_cause(error)}). Check that"
                " it runs (python -m madsci.event_manager.event_server) and that event_server_url is"
                " its address."
            ) from None

    def _connections(self) -> urllib3.PoolManager:
        if self._pool is None or self._pid != os.getpid():
            # Sockets that came through a fork are the parent's: they are left alone, not closed.
            self._pid = os.getpid()
            pools, size = self._pool_size
            self._pool = urllib3.PoolManager(num_pools=pools, maxsize=size, ssl_context=self._tls)
            self._pool.pool_classes_by_scheme = {"http": OwnHttpPool, "https": OwnHttpsPool}
        return self._pool

    def _send_batch(self, events: Sequence[SpooledEvent], timeout: float | None) -> SendReport:
        reply = self.post_lines("events", b"\n".join([event.body for event in events]), timeout)
        if reply.status in (_NOT_FOUND, _NO_METHOD):
            return self._send_singly(events, timeout)
        document = reply.document() if reply.status in (_OK, _UNPROCESSABLE) else None
        if isinstance(document, dict) and "received" in document:
            return _read_batch_reply(document, len(events))
        return SendReport(0, failure=self.refusal(reply, "POST", "events"))

    def _send_singly(self, events: Sequence[SpooledEvent], timeout: float | None) -> SendReport:
        duplicate = 0
        rejected: list[Rejection] = []
        for index, event in enumerate(events):
            try:
                reply = self.ask("POST", "event", body=event.body, timeout=timeout)
            except ServerUnreachableError as error:
                return SendReport(index, duplicate, tuple(rejected), error)
            if reply.status == _OK:
                self._one_by_one = True
                duplicate += reply.headers.get("X-Event-Duplicate") == "true"
                continue
            refusal = self.refusal(reply, "POST", "event")
            if is_temporary(reply.status):
                return SendReport(index, duplicate, tuple(rejected), refusal)
            rejected.append(Rejection(index, refusal.message))
        return SendReport(len(events), duplicate, tuple(rejected))


def _tls_context(access: ServerAccess) -> ssl.SSLContext:
    """Read the certificates now: a program may go where their files are not."""
    try:
        context = ssl.create_default_context(cafile=access.ca_file)
        if access.client_cert_file is not None:
            context.load_cert_chain(access.client_cert_file, access.client_key_file)
    except OSError as error:  # of ssl, too
        raise SettingsError(
            f"The certificates for {access.url} cannot be used: {error}. See event_server_ca_file,"
            " event_server_client_cert_file and event_server_client_key_file."
        ) from None
    return context


def _advice(reply: Reply) -> str:
    target = reply.headers.get("Location")
    if target:
        return f" It points to {target}: set event_server_url to that."
    if reply.status in (_NOT_FOUND, _NO_METHOD):
        return (
            " Check that event_server_url is the address of an Event Manager, and that its release is"
            " not older than this client's."
        )
    return ""


def _read_batch_reply(document: dict[str, Any], sent: int) -> SendReport:
    """Read the reply to a batch: which lines need not be sent again."""
    rejected: list[Rejection] = []
    errors = document.get("errors") or []
    for error in sorted(errors, key=lambda error: int(error.get("line", 0))):
        index = int(error.get("line", 0)) - 1
        if not 0 <= index < sent:
            continue
        status = int(error.get("status", _UNPROCESSABLE))
        reason = str(error.get("detail") or error.get("code") or f"status {status}")
        if is_temporary(status):
            failure = ServerRefusedError(reason, status=status, problem=error)
            return SendReport(index, 0, tuple(rejected), failure)
        rejected.append(Rejection(index, reason))
    duplicate = int(document.get("duplicate", 0))
    if document.get("errors_omitted") and rejected:
        # Not every refused line is listed. Those after the last listed one go again, so that each
        # refusal gets its reason; what the server already has it knows by its id.
        return SendReport(rejected[-1].index + 1, 0, tuple(rejected))
    return SendReport(sent, duplicate, tuple(rejected))
