"""Undoing the compression of a request body, within bounds.

A few kilobytes of gzip can unpack to gigabytes, so unpacking stops at the limit, not after it.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from typing import Final, Protocol

from madsci.common.errors import MalformedJsonError, TooLargeError, UnsupportedBodyError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_GZIP: Final = 31  # zlib's window size, and 16 for the gzip header
_ZLIB: Final = 15
_PIECE: Final = 65_536
_MAX_MEMBERS: Final = 10_000
"""Members of one body; tools that compress in parallel write one for every 64 KB."""


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def unpack(body: bytes, encoding: str, limit: int) -> bytes:
    """Return the body without its ``Content-Encoding`` (gzip, deflate, zstd, identity or none).

    Raises:
        TooLargeError: it unpacks to more than ``limit`` bytes.
        UnsupportedBodyError: the encoding is another one.
        MalformedJsonError: the body is not in that encoding.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return body
    if name not in _DECOMPRESSORS:
        raise UnsupportedBodyError(
            f"Content-Encoding {encoding!r:.40} is not read here. Use gzip, deflate, zstd or none."
        )
    try:
        return _unpack(body, limit, _DECOMPRESSORS[name])
    except (zlib.error, zstd.ZstdError, EOFError) as error:
        raise MalformedJsonError(f"The body says it is {name}, but is not: {error}.") from error


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(
        f"The body unpacks to more than {limit:,} bytes, which is all that this server takes at once."
        " Send it in parts."
    )


def _unpack(body: bytes, limit: int, new: Callable[[], _Decompressor]) -> bytes:
    """Unpack all members of a body: compressed files may be strung together."""
    whole = bytearray()
    member = new()
    start = members = 0
    while start < len(body):
        # In pieces, since what a member leaves of its input is copied.
        piece = body[start : start + _PIECE]
        whole += member.decompress(piece, limit + 1 - len(whole))
        if len(whole) > limit:
            raise _too_large(limit)
        start += len(piece)
        if member.eof:
            start -= len(member.unused_data)
            member = new()
            members += 1
            if members > _MAX_MEMBERS:
                raise EOFError(f"it has more than {_MAX_MEMBERS:,} parts")
            ended = True
        else:
            ended = False
    if body and not ended:
        raise EOFError("it ends too early")
    return bytes(whole)


_DECOMPRESSORS: Final[dict[str, Callable[[], _Decompressor]]] = {
    "gzip": lambda: zlib.decompressobj(_GZIP),
    "x-gzip": lambda: zlib.decompressobj(_GZIP),
    "deflate": lambda: zlib.decompressobj(_ZLIB),
    "zstd": zstd.ZstdDecompressor,
}
