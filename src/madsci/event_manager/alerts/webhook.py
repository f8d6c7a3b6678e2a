"""Messages as JSON to a program, by POST, signed by Standard Webhooks (https://www.standardwebhooks.com)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.util.ssl_match_hostname import CertificateError

from madsci.common.errors import DeliveryError, SettingsError
from madsci.common.types.alerts import WebhookConfig
from madsci.common.types.log_level import EventLogLevel
from madsci.event_manager.alerts.channel import Message
from madsci.event_manager.alerts.reachable import Resolve, address_of, resolved
from madsci.event_manager.alerts.template import Template

_SECONDS: Final = 10.0
"""Until a receiver that says nothing is given up, at each step."""
_SECONDS_IN_ALL: Final = 30.0
"""Until one that says something, byte by byte, is."""
_REPLY: Final = 2_000
"""Bytes of a reply that are looked at, for its reason."""
_SHOWN: Final = 200
_AGAIN: Final = frozenset({408, 425, 429})
"""Statuses below 500 after which another try is of use (RFC 9110, RFC 8470, RFC 6585)."""
_PREFIX: Final = "whsec_"
_PORTS: Final = {"http": 80, "https": 443}


class WebhookChannel:
    """Posts the message's document, with its title, text and key; or what a template makes of them.

    Redirects are not followed, and proxies of the environment not used. Thread-safe.
    """

    recipients: Sequence[str] = ("",)

    def __init__(
        self,
        config: WebhookConfig,
        resolve: Resolve = resolved,
        seconds: float = _SECONDS,
        seconds_in_all: float = _SECONDS_IN_ALL,
    ) -> None:
        """Raises ``SettingsError``: the URL, the secret, a header or the template cannot be used."""
        self.name = config.name
        self._allow_private = config.allow_private
        self._resolve = resolve
        self._seconds = seconds
        self._seconds_in_all = seconds_in_all
        self._url = _checked_url(config)
        self._key = None if config.secret is None else _key_of(config)
        self._headers = _checked_headers(config)
        self._template = None
        if config.template is not None:
            self._template = Template(config.template, f"the webhook {config.name}")

    def send(self, message: Message, recipient: str) -> None:
        """Post a message; see ``Channel``."""
        del recipient
        body = json.dumps(self._content(message)).encode()
        headers = {**self._headers, **self._signed(message.key, body)}
        path = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
        with self._explained(), self._connection() as (connection, is_over):
            connection.request("POST", path, body, headers, preload_content=False)
            with closing(connection.getresponse()) as reply:
                status, reason = reply.status, _text(reply.read(_REPLY))
            if is_over.is_set():  # what was cut off looks like an end
                raise TimeoutError
        _check(self.name, status, reason)

    def _content(self, message: Message) -> Any:
        severity = EventLogLevel.at_or_below(message.severity).name
        values = {
            **message.document, "title": message.title, "text": message.text, "severity": severity,
            "key": message.key, "event_id": message.event_id,
        }  # fmt: skip
        return values if self._template is None else self._template.filled(values)

    def _signed(self, key: str, body: bytes) -> dict[str, str]:
        now = str(int(time.time()))
        headers = {"webhook-id": key, "webhook-timestamp": now}
        if self._key is not None:
            signed = hmac.new(self._key, f"{key}.{now}.".encode() + body, hashlib.sha256).digest()
            headers["webhook-signature"] = f"v1,{base64.b64encode(signed).decode()}"
        return headers

    @contextmanager
    def _connection(self) -> Iterator[tuple[HTTPConnection, threading.Event]]:
        """Connect to the address that was checked; the name goes with it, for TLS and the receiver.

        After all the time that there is the connection is cut, and the event set.
        """
        host = self._url.hostname or ""
        port = self._url.port or _PORTS[self._url.scheme]
        address = address_of(host, port, allow_private=self._allow_private, resolve=self._resolve)
        connection: HTTPConnection
        if self._url.scheme == "https":
            connection = HTTPSConnection(
                address, port, timeout=self._seconds, ssl_context=ssl.create_default_context(),
                server_hostname=host, assert_hostname=host,
            )  # fmt: skip
        else:
            connection = HTTPConnection(address, port, timeout=self._seconds)
        is_over = threading.Event()
        with closing(connection):
            connection.connect()
            watch = threading.Timer(self._seconds_in_all, _cut, [connection, is_over])
            watch.daemon = True
            watch.start()
            try:
                yield connection, is_over
            finally:
                watch.cancel()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (ssl.SSLCertVerificationError, CertificateError) as error:
            raise DeliveryError(
                f"The webhook {self.name} has a certificate that is not trusted"
                f" ({error}). Check its URL, or name its authority with SSL_CERT_FILE."
            ) from error
        except (OSError, HTTPError, http.client.HTTPException) as error:
            is_late = isinstance(error, TimeoutError) or "timed out" in str(error)
            told = "said nothing in time" if is_late else f"could not be spoken with ({error})"
            raise DeliveryError(f"The webhook {self.name} {told}.") from error


def _cut(connection: HTTPConnection, is_over: threading.Event) -> None:
    is_over.set()
    with suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)


def _check(name: str, status: int, reason: str) -> None:
    if status in range(200, 300):
        return
    told = f"The webhook {name} answered {status}{f': {reason}' if reason else ''}."
    if status in range(300, 400):
        raise DeliveryError(f"{told} Redirects are not followed: give the URL itself.", is_final=True)
    raise DeliveryError(told, is_final=status in range(400, 500) and status not in _AGAIN)


def _text(reply: bytes) -> str:
    text = " ".join(reply.decode(errors="replace").split())
    return "".join(one if one.isprintable() else " " for one in text)[:_SHOWN]


def _checked_url(config: WebhookConfig) -> SplitResult:
    try:
        url = urlsplit(config.url.strip())
        is_right = url.scheme in _PORTS and url.hostname and (url.port or 1) > 0
    except ValueError:
        is_right = False
    if not is_right or not config.url.strip().isascii() or any(map(str.isspace, config.url.strip())):
        raise SettingsError(
            f"The url of the webhook {config.name} is none such as https://example.org/alerts."
            " Correct it."
        )
    return url


def _key_of(config: WebhookConfig) -> bytes:
    secret = config.secret or ""
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise SettingsError(
            f"The secret of the webhook {config.name} begins with {_PREFIX}, and is no base64 after it."
            " Copy it whole."
        ) from None


def _checked_headers(config: WebhookConfig) -> dict[str, str]:
    url = urlsplit(config.url.strip())
    headers = {
        "Content-Type": "application/json",
        "Host": url.netloc.rpartition("@")[2],
        "User-Agent": "MADSci-Event-Manager",
    }
    if url.username is not None:
        user = f"{unquote(url.username)}:{unquote(url.password or '')}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(user).decode()}"
    for name, value in config.headers.items():
        if not (name.isascii() and name.replace("-", "").isalnum()) or not (
            value.isascii() and value.isprintable()
        ):
            told = f"The header {name!r:.40} of the webhook {config.name}"
            raise SettingsError(f"{told} is none that HTTP takes. Correct it.")
        headers[name] = value
    return headers
