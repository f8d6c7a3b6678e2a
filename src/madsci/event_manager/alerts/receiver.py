"""Where a webhook goes: its URL, taken apart once, so that what is checked is what is called."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, quote, unquote_to_bytes, urlsplit

from madsci.common.errors import DeliveryError, SettingsError

_PORTS: Final = {"http": 80, "https": 443}
_LONGEST: Final = 8_000
"""Characters of a URL: what the usual servers take as the first line of a request."""
_HOST: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?")
"""Names of hosts, with the underscores that containers have."""
_IN_TARGET: Final = "%/:@!$&'()*+,;=?~"
"""What stays as it is in a path and a query, beside letters, digits and ``_.-`` (RFC 3986, 3.3 and
3.4)."""


@dataclass(frozen=True)
class Receiver:
    """Who gets the messages of one webhook.

    ``name`` is the webhook's, ``host`` is ASCII without brackets. ``target`` (path and query) and
    ``authorization`` (a header's value) hold secrets and are never shown.
    """

    name: str
    scheme: str
    host: str
    port: int
    target: str = field(repr=False)
    authorization: str | None = field(default=None, repr=False)

    @property
    def authority(self) -> str:
        """Its host, and the port where that is not the usual one: the header ``Host``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def shown(self) -> str:
        """What people may see of it."""
        return f"webhook {self.name!r} ({self.scheme}://{self.authority})"

    def failure(self, what: str, remedy: str = "", *, is_final: bool = False) -> DeliveryError:
        """Return the error that says what it did, and what to do next."""
        return DeliveryError(f"The {self.shown} {what}. {remedy}".rstrip(), is_final=is_final)


def receiver_of(name: str, url: str) -> Receiver:
    """Take the URL of a webhook apart.

    Raises:
        SettingsError: it is none of http or https. The message does not quote it, for secrets are in
        it.
    """
    try:
        parts = _parts(url)
        port = parts.port
        host = _ascii(parts.hostname or "")
    except ValueError:  # whose message quotes what may belong to a password
        raise _unusable(name) from None
    if parts.scheme not in _PORTS or port == 0:
        raise _unusable(name)
    target = quote(parts.path or "/", safe=_IN_TARGET)
    if parts.query:
        target += "?" + quote(parts.query, safe=_IN_TARGET)
    return Receiver(
        name=name,
        scheme=parts.scheme,
        host=host,
        port=port or _PORTS[parts.scheme],
        target=target,
        authorization=_basic(name, parts),
    )


def _parts(url: str) -> SplitResult:
    if len(url) > _LONGEST or not url.isprintable() or " " in url:
        raise ValueError
    parts = urlsplit(url)
    if "[" in parts.netloc and ":" not in (parts.hostname or ""):  # which older Pythons let pass
        raise ValueError
    return parts


def _ascii(host: str) -> str:
    """Return a host as it is looked up.

    Raises:
        ValueError: it is no name and no address.
    """
    if ":" in host:
        return str(ip_address(host))
    name = host if host.isascii() else host.encode("idna").decode("ascii")
    if not _HOST.fullmatch(name):
        raise ValueError
    return name


def _basic(name: str, parts: SplitResult) -> str | None:
    credentials, at, _ = parts.netloc.rpartition("@")
    if not at:
        return None
    user, _, password = credentials.partition(":")
    if b":" in unquote_to_bytes(user):
        raise SettingsError(
            f"The user in the url of the webhook {name!r} holds a colon, which basic authentication"
            " cannot carry. Use another user, or headers."
        )
    pair = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
    return "Basic " + base64.b64encode(pair).decode("ascii")


def _unusable(name: str) -> SettingsError:
    return SettingsError(
        f"The url of the webhook {name!r} cannot be used. Write one such as https://hooks.example.org/lab,"
        " in which blanks and / ? # and @ of a user or password are %20 %2F %3F %23 and %40."
    )
