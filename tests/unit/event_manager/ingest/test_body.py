"""Compressed bodies: unpacked whole, or refused before they take the memory."""

from __future__ import annotations

import gzip
import random
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madsci.common.errors import MalformedJsonError, TooLargeError, UnsupportedBodyError
from madsci.common.zstandard import zstd
from madsci.event_manager.ingest.body import unpacked

LIMIT = 1_000_000
MAX_MEMBERS = 10_000
PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstd.compress,
}


def unpack(body: bytes, name: str, limit: int) -> bytes:
    return b"".join(unpacked(body, name, limit))


encodings = pytest.mark.parametrize("name", PACK)
NOISE = random.Random(7).randbytes(200_000)
"""Does not shrink, so that it is read in several pieces."""


@given(st.binary(max_size=300), st.sampled_from(sorted(PACK)))
def test_whatever_is_packed_comes_back(data, name):
    assert unpack(PACK[name](data), name, LIMIT) == data


@encodings
def test_a_body_of_several_pieces_comes_back(name):
    assert unpack(PACK[name](NOISE), name, LIMIT) == NOISE


@pytest.mark.parametrize("name", ["GZIP", " gzip ", "x-gzip"])
def test_the_name_of_the_encoding_is_read_in_its_usual_spellings(name):
    assert unpack(gzip.compress(b"{}"), name, LIMIT) == b"{}"


@pytest.mark.parametrize("name", ["br", "gzip, gzip", "utf-8", "x" * 5000])
def test_another_encoding_is_refused_with_those_that_are_read(name):
    with pytest.raises(UnsupportedBodyError, match="gzip, deflate, zstd") as caught:
        unpack(b"{}", name, LIMIT)
    assert len(caught.value.message) < 200


@encodings
def test_members_that_are_strung_together_are_one_body(name):
    parts = [b"one\n", b"", NOISE, b"\nthree", NOISE[:70_000]]
    assert unpack(b"".join(PACK[name](part) for part in parts), name, LIMIT) == b"".join(parts)


@encodings
@pytest.mark.parametrize("size", [20, 65_536, 200_000])
def test_a_truncated_body_is_refused_wherever_it_ends(name, size):
    packed = PACK[name](NOISE[:size])
    for end in {1, 5, len(packed) // 2, len(packed) - 4, len(packed) - 1, min(65_536, len(packed) - 1)}:
        with pytest.raises(MalformedJsonError, match=name):
            unpack(packed[:end], name, LIMIT)


@encodings
@pytest.mark.parametrize("garbage", [b"x", b"\x1f", b"{}\n", b"garbage" * 20_000])
def test_garbage_after_the_end_is_refused(name, garbage):
    with pytest.raises(MalformedJsonError, match=name):
        unpack(PACK[name](b"{}") + garbage, name, LIMIT)


@encodings
def test_a_body_that_is_damaged_or_in_no_encoding_is_refused(name):
    packed = bytearray(PACK[name](b"{}" * 5000))
    packed[len(packed) // 2] ^= 0xFF
    packed[0] ^= 0xFF
    for body in (b'{"event_data": 1}', bytes(packed)):
        with pytest.raises(MalformedJsonError, match=name):
            unpack(body, name, LIMIT)


@encodings
def test_an_empty_body_is_empty_in_every_encoding(name):
    assert unpack(b"", name, LIMIT) == b""


@encodings
@pytest.mark.parametrize("size", [1, 1000, 200_000])
def test_a_body_may_unpack_to_exactly_the_limit_and_not_to_one_byte_more(name, size):
    data = NOISE[:size]
    packed = PACK[name](data)
    assert unpack(packed, name, size) == data
    with pytest.raises(TooLargeError, match="Send it in parts"):
        unpack(packed, name, size - 1)


@encodings
def test_the_limit_holds_for_all_members_together(name):
    packed = PACK[name](b"x" * 400)
    assert len(unpack(packed * 2, name, 800)) == 800
    assert len(unpack(packed * 2 + PACK[name](b""), name, 800)) == 800
    with pytest.raises(TooLargeError):
        unpack(packed * 2 + PACK[name](b"x"), name, 800)


@encodings
def test_a_bomb_takes_a_few_times_the_limit_of_memory_and_no_more(name):
    packed = PACK[name](bytes(100 * LIMIT))
    tracemalloc.start()
    try:
        with pytest.raises(TooLargeError):
            unpack(packed, name, LIMIT)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 6 * LIMIT


@encodings
def test_as_many_members_as_the_cap_are_read_and_one_more_is_refused(name):
    empty = PACK[name](b"")
    assert unpack(empty * MAX_MEMBERS, name, LIMIT) == b""
    with pytest.raises(MalformedJsonError, match="parts"):
        unpack(empty * (MAX_MEMBERS + 1), name, LIMIT)
