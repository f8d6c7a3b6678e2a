"""What comes back from an Event Manager: HTTP replies, whole or still to come; what broke, in words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import Self

from madsci.common.errors import ServerUnreachableError

if TYPE_CHECKING:
    import urllib3

_PIECE: Final = 65_536
"""Bytes taken from the network at once."""
_MAX_REFUSAL: Final = 100_000
"""Bytes read of a body that explains a refusal."""
_OK: Final = 200


@dataclass(frozen=True)
class Reply:
    """An HTTP reply, whatever its status."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> Any:
        """Return the body decoded from JSON, or ``None`` where it is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


class StreamedReply:
    """An HTTP reply whose body is still to come. For one thread; to be closed at any end.

    A reply with another status than 200 is read at once: ``refused`` holds it whole. ``trouble`` says
    in a few words why the body broke off, if it did.
    """

    def __init__(self, reply: urllib3.BaseHTTPResponse, url: str) -> None:
        """Raises ``ServerUnreachableError`` if the body of a refusal breaks off."""
        self.status = reply.status
        self.headers: Mapping[str, str] = reply.headers
        self.refused: Reply | None = None
        self.trouble = ""
        self._reply = reply
        self._url = url
        if self.status != _OK:
            with self:
                self.refused = Reply(self.status, self._beginning(), self.headers)

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it arrives.

        Raises:
            ServerUnreachableError: it broke off, or nothing came within the timeout.
        """
        from urllib3.exceptions import HTTPError  # noqa: PLC0415 - loaded with the request

        received = 0
        try:
            for chunk in self._reply.stream(_PIECE, decode_content=True):
                received += len(chunk)
                yield chunk
        except (HTTPError, OSError) as error:
            self.trouble = describe_cause(error)
            raise ServerUnreachableError(
                f"The reply of the Event Manager at {self._url} broke off when {received:,} bytes of it"
                f" had been read ({self.trouble}). Ask again. If it breaks off again, the"
                " server's log says why; after a timeout a larger one helps."
            ) from None

    def close(self) -> None:
        """Let go of the connection. One whose reply was read to its end can be used again."""
        self._reply.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _beginning(self) -> bytes:
        body = bytearray()
        for chunk in self.chunks():
            body += chunk
            if len(body) >= _MAX_REFUSAL:
                break
        return bytes(body)


def describe_cause(error: BaseException) -> str:
    """Say in a few words what broke, below the layers of the HTTP library."""
    inner = _inner(error)
    while inner is not None:
        error, inner = inner, _inner(inner)
    text = str(error).rpartition(": ")[2] or type(error).__name__
    return text[:200]


def _inner(error: BaseException) -> BaseException | None:
    reason = getattr(error, "reason", None) or (error.args[-1] if error.args else None)
    return reason if isinstance(reason, BaseException) else None
