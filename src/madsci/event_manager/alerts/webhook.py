"""Alerts to programs: a signed POST of JSON to a URL."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from madsci.common.clock import utc_now
from madsci.common.errors import SettingsError
from madsci.common.types.alerts import WebhookConfig
from madsci.event_manager.alerts.addresses import Resolve, is_private, system_addresses
from madsci.event_manager.alerts.channel import Message
from madsci.event_manager.alerts.posting import SECONDS, Answer, post
from madsci.event_manager.alerts.quoting import Quoting, pieces_of
from madsci.event_manager.alerts.receiver import receiver_of
from madsci.event_manager.alerts.signing import KEY_PREFIX, signature_headers, signing_key
from madsci.event_manager.alerts.template import Template, shortened

_LARGEST: Final = 1_000_000
"""Bytes of a body: more is refused nearly everywhere, and events may have sixteen times as much."""
_HEADERS: Final = {
    "Content-Type": "application/json",
    "User-Agent": "madsci-event-manager",
    "Accept-Encoding": "identity",
}
_TEMPORARY: Final = frozenset({408, 425, 429})
"""Refusals that are about the moment (RFC 9110, RFC 8470, RFC 6585)."""
_GONE: Final = 410
_REDIRECTED: Final = range(300, 400)
_REFUSED: Final = range(400, 500)


class WebhookChannel:
    """Posts messages to one URL. Thread-safe.

    The body is the message's document with four members of its own, which win over those of the same
    name: ``title`` and ``text`` (each up to 20,000 characters), ``severity`` (the number of the level)
    and ``key`` (the same whenever a message is sent again). Where that makes more than a megabyte, the
    document is left out and ``truncated`` is true. With a template the body is that, filled
    (``alerts.template``).

    Headers are those of Standard Webhooks; ``webhook-id`` is the key, with odd characters as in URLs.
    """

    def __init__(
        self, config: WebhookConfig, *, resolve: Resolve = system_addresses, seconds: float = SECONDS
    ) -> None:
        """``seconds`` bound a request from its first connection on; looking up the host comes before.

        Raises:
            SettingsError: the URL, the secret or the template cannot be used, or the URL has a private
                address and none is allowed.
        """
        self._receiver = receiver_of(config.name, config.url)
        self._allows_private = config.allow_private
        self._resolve = resolve
        self._seconds = seconds
        self._secret = None if config.secret is None else signing_key(config.name, config.secret)
        self._template = None if config.template is None else Template(config.name, config.template)
        basic = self._receiver.authorization
        own = {} if basic is None else {"Authorization": basic}
        self._headers = _merged(_HEADERS, own, config.headers)
        self._quoting = Quoting(_secrets_of(config, self._headers))
        self._refuse_private_literals()

    @property
    def name(self) -> str:
        """By which it is configured."""
        return self._receiver.name

    @property
    def recipients(self) -> Sequence[str]:
        """One empty text: who reads what is posted, only the receiver knows."""
        return ("",)

    def send(self, message: Message, recipient: str) -> None:  # noqa: ARG002 - there is one only
        """Post a message; returning, the receiver has answered with a status of 200 to 299.

        Raises:
            DeliveryError: it was not taken. Refusals (3xx and 4xx, but for 408, 425 and 429), private
                addresses and templates that do not fit are final.
        """
        body = self._body(message)
        headers = {
            **self._headers,
            **signature_headers(message.key, body, int(utc_now().timestamp()), self._secret),
        }
        answer = post(self._receiver, self._addresses(), headers, body, self._seconds)
        self._judge(answer)

    def _body(self, message: Message) -> bytes:
        if self._template is not None:
            return self._encoded(self._template.filled(message))
        own = {
            "title": shortened(message.title),
            "text": shortened(message.text),
            "severity": message.severity,
            "key": message.key,
        }
        body = self._encoded({**message.document, **own})
        return body if len(body) <= _LARGEST else self._encoded({**own, "truncated": True})

    def _encoded(self, value: Any) -> bytes:
        try:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        except (ValueError, TypeError, RecursionError) as error:
            raise self._receiver.failure(
                f"gets JSON only, and this message has what JSON does not ({error})", is_final=True
            ) from None
        return text.encode("utf-8", "replace")  # half a character of UTF-16 is in some events

    def _addresses(self) -> list[str]:
        host, port = self._receiver.host, self._receiver.port
        try:
            addresses = list(self._resolve(host, port))
        except (OSError, UnicodeError) as error:
            raise self._receiver.failure(
                f"has a host that cannot be looked up ({error})", "Check its url, and the network."
            ) from None
        private = [] if self._allows_private else [one for one in addresses if is_private(one)]
        if private:
            raise self._receiver.failure(
                f"is at the private address {private[0]}", _PRIVATE_REMEDY, is_final=True
            )
        return addresses

    def _refuse_private_literals(self) -> None:
        """Find at the start what would be found with the first alert."""
        host = self._receiver.host
        is_address = ":" in host or host.replace(".", "").isdecimal()
        if is_address and not self._allows_private and is_private(host):
            raise SettingsError(
                f"The {self._receiver.shown} is at a private address. {_PRIVATE_REMEDY}"
            )

    def _judge(self, answer: Answer) -> None:
        status = answer.status
        if 200 <= status < 300:  # noqa: PLR2004 - delivered
            return
        reason = self._quoting.line(answer.text)
        what = f"answered {status}" + (f": {reason}" if reason else "")
        raise self._receiver.failure(what, _remedy(status), is_final=_is_final(status))


_PRIVATE_REMEDY: Final = (
    "If that machine is meant to get alerts, set allow_private: true for this webhook."
)


def _is_final(status: int) -> bool:
    return status in _REDIRECTED or (status in _REFUSED and status not in _TEMPORARY)


def _remedy(status: int) -> str:
    if status in _REDIRECTED:
        return "Redirects are not followed: set url to where it points."
    if status == _GONE:
        return "It wants no messages any more: remove this webhook, or set its new url."
    if _is_final(status):
        return "Check its url, secret, headers and template."
    return ""


def _merged(*layers: dict[str, str]) -> dict[str, str]:
    """Return headers of several layers; the later one wins, in any letter case."""
    merged: dict[str, tuple[str, str]] = {}
    for layer in layers:
        merged.update({name.lower(): (name, value) for name, value in layer.items()})
    return dict(merged.values())


def _secrets_of(config: WebhookConfig, headers: dict[str, str]) -> Iterator[str]:
    parts = urlsplit(config.url)
    yield from (parts.username or "", parts.password or "", *pieces_of(config.url))
    secret = config.secret or ""
    yield from (secret, secret.removeprefix(KEY_PREFIX))
    for name, value in headers.items():
        if name not in _HEADERS:
            yield value
            yield from value.split()[1:]  # after Basic or Bearer
