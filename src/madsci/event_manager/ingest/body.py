"""Undoing the compression of a request body, within bounds.

A few kilobytes of gzip can unpack to gigabytes, so unpacking stops at the limit, not after it.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from typing import Final

from madsci.common.errors import MalformedJsonError, TooLargeError, UnsupportedBodyError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_GZIP: Final = 31  # zlib's window size, and 16 for the gzip header
_ZLIB: Final = 15


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
    if name not in _UNPACKERS:
        raise UnsupportedBodyError(
            f"Content-Encoding {encoding!r:.40} is not read here. Use gzip, deflate, zstd or none."
        )
    try:
        return _UNPACKERS[name](body, limit)
    except (zlib.error, zstd.ZstdError, EOFError) as error:
        raise MalformedJsonError(f"The body says it is {name}, but is not: {error}.") from error


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(
        f"The body unpacks to more than {limit:,} bytes, which is all that this server takes at once."
        " Send it in parts."
    )


def _unpack_zlib(window: int) -> Callable[[bytes, int], bytes]:
    def unpack_all(body: bytes, limit: int) -> bytes:
        whole = bytearray()
        rest = body
        while rest:  # a gzip file may have several members, one after the other
            member = zlib.decompressobj(window)
            whole += member.decompress(rest, limit + 1 - len(whole))
            if len(whole) > limit:
                raise _too_large(limit)
            if not member.eof:
                raise EOFError("it ends too early")
            rest = member.unused_data
        return bytes(whole)

    return unpack_all


def _unpack_zstd(body: bytes, limit: int) -> bytes:
    whole = bytearray()
    rest = body
    while rest:
        frame = zstd.ZstdDecompressor()
        whole += frame.decompress(rest, limit + 1 - len(whole))
        if len(whole) > limit:
            raise _too_large(limit)
        if not frame.eof:
            raise EOFError("it ends too early")
        rest = frame.unused_data
    return bytes(whole)


_UNPACKERS: Final[dict[str, Callable[[bytes, int], bytes]]] = {
    "gzip": _unpack_zlib(_GZIP),
    "x-gzip": _unpack_zlib(_GZIP),
    "deflate": _unpack_zlib(_ZLIB),
    "zstd": _unpack_zstd,
}
