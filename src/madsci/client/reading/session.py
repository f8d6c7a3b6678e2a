"""``EventClient.session``: requests of their own, for programs written for MADSci's client.

The little that such programs use of a session of ``requests`` or ``httpx``. It asks the client's own
server only, so that its credentials and headers, which go along, reach nobody else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import Self

from madsci.common.errors import EventServerError, ServerRefusedError
from madsci.common.settings import mask_url

if TYPE_CHECKING:
    from madsci.client.delivery.http import HttpTransport

_FIRST_ERROR: Final = 400


@dataclass(frozen=True)
class SessionReply:
    """A reply under the names that ``requests`` has for its parts."""

    url: str
    status_code: int
    content: bytes
    headers: Mapping[str, str]

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self.status_code < _FIRST_ERROR

    @property
    def text(self) -> str:
        """The body as text."""
        return self.content.decode(errors="replace")

    def json(self) -> Any:
        """Return the body decoded from JSON; raises ``ValueError`` where it is none."""
        return json.loads(self.content)

    def raise_for_status(self) -> None:
        """Raise ``ServerRefusedError`` if the status is an error."""
        if not self.ok:
            raise ServerRefusedError(
                f"{self.url} answered with status {self.status_code}: {self.text[:200]}",
                status=self.status_code,
            )


class Session:
    """Requests to the client's server, each made once. Thread-safe.

    Every request raises ``ServerUnreachableError`` where no reply comes in time, and
    ``EventServerError`` where the client has no server.
    """

    def __init__(self, connection: HttpTransport | None) -> None:
        self._connection = connection

    def request(  # noqa: PLR0913 - the parts of a request
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        data: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> SessionReply:
        """Make a request to a URL below the server's address, or to a path.

        Raises:
            ValueError: the URL is that of another server.
        """
        if self._connection is None:
            raise EventServerError("This client has no Event Manager: set event_server_url.")
        address = f"{self._connection.url}/"
        path = url.removeprefix(address)
        if "://" in path.partition("?")[0]:
            raise ValueError(f"{mask_url(url)!r:.200} is not below {address}, the client's server.")
        body = data.encode() if isinstance(data, str) else data
        if json is not None:
            body = _encoded(json)
        reply = self._connection.ask(
            method, path, params=params, body=body, headers=headers, timeout=timeout
        )
        return SessionReply(address + path.lstrip("/"), reply.status, reply.body, reply.headers)

    def get(self, url: str, **parts: Any) -> SessionReply:
        """Make a request with GET."""
        return self.request("GET", url, **parts)

    def post(self, url: str, **parts: Any) -> SessionReply:
        """Make a request with POST."""
        return self.request("POST", url, **parts)

    def delete(self, url: str, **parts: Any) -> SessionReply:
        """Make a request with DELETE."""
        return self.request("DELETE", url, **parts)

    def close(self) -> None:
        """Do nothing: the connections are the client's, and end with it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def _encoded(document: Any) -> bytes:
    return json.dumps(document).encode()
