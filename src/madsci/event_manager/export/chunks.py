"""Pieces of any size as chunks that are worth a system call and still leave memory in peace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

USUAL: Final = 256 * 1024
"""Bytes that are waited for before a chunk goes out."""
LARGEST: Final = 1024 * 1024
"""Bytes of a chunk at most."""


def chunked(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the bytes of the pieces in their order, in chunks that are never empty."""
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= USUAL:
            yield from _cut(b"".join(waiting))
            waiting, size = [], 0
    if size:
        yield from _cut(b"".join(waiting))


def _cut(data: bytes) -> Iterator[bytes]:
    if len(data) <= LARGEST:
        yield data
        return
    for start in range(0, len(data), LARGEST):
        yield data[start : start + LARGEST]
