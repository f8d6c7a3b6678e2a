"""How the client is let in to its Event Manager: address, credentials, headers, certificates."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes, urlsplit, urlunsplit

from madsci.common.errors import SettingsError
from madsci.common.types.client_config import EventClientConfig


@dataclass(frozen=True)
class ServerAccess:
    """What it takes to talk to a server; equal ones may share connections.

    ``url`` has no credentials and no slash at its end; it may be shown. ``headers`` hold secrets,
    the basic authentication of the credentials among them. Files are PEM.
    """

    url: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    ca_file: str | None = None
    client_cert_file: str | None = None
    client_key_file: str | None = None


def server_access(config: EventClientConfig) -> ServerAccess | None:
    """Return how the configured server is reached; ``None`` without one.

    A header ``Authorization`` among the configured ones wins over the credentials of the URL.

    Raises:
        SettingsError: the credentials cannot be sent.
    """
    if config.event_server_url is None:
        return None
    url, authorization = split_credentials(config.event_server_url)
    headers = dict(config.event_server_headers or {})
    if authorization is not None and "authorization" not in map(str.lower, headers):
        headers["Authorization"] = authorization
    return ServerAccess(
        url=url,
        headers=tuple(headers.items()),
        ca_file=_text(config.event_server_ca_file),
        client_cert_file=_text(config.event_server_client_cert_file),
        client_key_file=_text(config.event_server_client_key_file),
    )


def split_credentials(url: str) -> tuple[str, str | None]:
    """Return a URL without its credentials and slash, and the header ``Authorization`` they make.

    User and password are percent-decoded; a user without a password has an empty one.

    Raises:
        SettingsError: the user holds a colon, which basic authentication cannot tell from its own.
    """
    parts = urlsplit(url)
    credentials, _, host = parts.netloc.rpartition("@")
    plain = urlunsplit((parts.scheme, host, parts.path, "", "")).rstrip("/")
    if not credentials:
        return plain, None
    user, _, password = credentials.partition(":")
    name = unquote_to_bytes(user)
    if b":" in name:
        raise SettingsError(
            f"The user in the URL of the Event Manager at {plain} holds a colon, which basic"
            " authentication cannot carry. Use another user, or event_server_headers."
        )
    pair = name + b":" + unquote_to_bytes(password)
    return plain, "Basic " + base64.b64encode(pair).decode("ascii")


def _text(path: object) -> str | None:
    return None if path is None else str(path)
