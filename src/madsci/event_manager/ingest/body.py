"""Undoing the compression of a request body, within bounds.

A few kilobytes of gzip can unpack to gigabytes, so unpacking stops at the limit, not after it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from madsci.common.errors import MalformedJsonError, TooLargeError, UnsupportedBodyError
from madsci.common.zstandard import zstd

_GZIP: Final = 31  # zlib's window size, and 16 for the gzip header
_ZLIB: Final = 15
_PIECE: Final = 16_384
FULL_PIECE: Final = 262_144
"""Bytes that are unpacked at once, in less than a millisecond; the next piece may have their room."""
_MAX_MEMBERS: Final = 10_000
"""Members of one body; tools that compress in parallel write one for every 64 KB."""


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Zlib:
    """zlib's decompressor, which keeps what it had no room for, as the others do."""

    def __init__(self, window: int) -> None:
        self._inner = zlib.decompressobj(window)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        return self._inner.decompress(data or self._inner.unconsumed_tail, max_length)


def unpacked(body: bytes, encoding: str, limit: int) -> Iterator[bytes]:
    """Return the body without its ``Content-Encoding`` (gzip, deflate, zstd), in pieces.

    Each piece is unpacked when it is asked for, so that what comes of a body can be counted meanwhile;
    one that is shorter than ``FULL_PIECE`` is the last.

    Raises:
        TooLargeError: it unpacks to more than ``limit`` bytes.
        UnsupportedBodyError: the encoding is another one; raised before the first piece.
        MalformedJsonError: the body is not in that encoding.
    """
    name = encoding.strip().lower()
    if name not in _DECOMPRESSORS:
        raise UnsupportedBodyError(
            f"Content-Encoding {encoding!r:.40} is not read here. Use gzip, deflate, zstd or none."
        )
    return _translated(name, _members(body, limit, _DECOMPRESSORS[name]))


def _translated(name: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from pieces
    except (zlib.error, zstd.ZstdError, EOFError) as error:
        raise MalformedJsonError(f"The body says it is {name}, but is not: {error}.") from error


def _members(body: bytes, limit: int, new: Callable[[], _Decompressor]) -> Iterator[bytes]:
    """Unpack all members of a body: compressed files may be strung together."""
    if not body:
        return
    ready = bytearray()
    member = new()
    start = members = total = 0
    while start < len(body) or not member.eof:
        # In pieces, since what a member leaves of its input is copied.
        piece = body[start : start + _PIECE] if member.needs_input else b""
        start += len(piece)
        some = member.decompress(piece, FULL_PIECE)
        total += len(some)
        if total > limit:
            raise _too_large(limit)
        if member.eof:
            start -= len(member.unused_data)
            members += 1
            if members > _MAX_MEMBERS:
                raise EOFError(f"it has more than {_MAX_MEMBERS:,} parts")
            if start < len(body):
                member = new()
        elif not some and not piece:
            raise EOFError("it ends too early")
        if len(some) == FULL_PIECE and not ready:
            yield some
            continue
        ready += some
        if len(ready) >= FULL_PIECE:
            yield bytes(ready)
            ready.clear()
    yield bytes(ready)


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(
        f"The body unpacks to more than {limit:,} bytes, which is all that this server takes at once."
        " Send it in parts, or store large data elsewhere and send a reference."
    )


_DECOMPRESSORS: Final[dict[str, Callable[[], _Decompressor]]] = {
    "gzip": lambda: _Zlib(_GZIP),
    "x-gzip": lambda: _Zlib(_GZIP),
    "deflate": lambda: _Zlib(_ZLIB),
    "zstd": zstd.ZstdDecompressor,
}
