"""Values whose parts have names arrive as objects, each under its name."""

from __future__ import annotations

import ctypes
import sqlite3
import time
from collections import namedtuple
from pathlib import Path
from typing import NamedTuple

import msgspec

from madsci.common.jsonable import to_jsonable

Reading = namedtuple("Reading", "plate volume")  # noqa: PYI024 - this form, too


class Typed(NamedTuple):
    plate: str
    volume: float = 4.5


class Struct(msgspec.Struct):
    plate: str


class Point(ctypes.Structure):
    _fields_ = (("x", ctypes.c_int), ("name", ctypes.c_char * 8))


class Labelled(Point):
    _fields_ = (
        ("text", ctypes.c_char_p), ("wells", ctypes.c_double * 2), ("flag", ctypes.c_uint8, 1),
    )  # fmt: skip


class Either(ctypes.Union):
    _fields_ = (("number", ctypes.c_uint32), ("bytes", ctypes.c_uint8 * 4))


def test_tuples_with_names():
    assert to_jsonable(Reading("P7", 4.5)) == {"plate": "P7", "volume": 4.5}
    assert to_jsonable([Typed("P7")]) == [{"plate": "P7", "volume": 4.5}]
    assert to_jsonable(Struct("P7")) == {"plate": "P7"}


def test_tuples_of_the_system():
    assert to_jsonable(time.gmtime(0))["tm_year"] == 1970
    assert "st_size" in to_jsonable(Path.cwd().stat())


def test_rows_of_sqlite_keep_columns_of_one_name():
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    row = connection.execute("select 'P7' as plate, 4.5 as volume, 5 as volume").fetchone()
    assert to_jsonable(row) == {"plate": "P7", "volume": 4.5, "volume_": 5}
    connection.close()


def test_structures_of_c():
    told = to_jsonable(Labelled(3, b"P7", None, (1.0, 2.5), 1))
    assert told == {"x": 3, "name": "P7", "text": str(ctypes.c_char_p), "wells": [1.0, 2.5], "flag": 1}
    assert to_jsonable(Either(256)) == {"number": 256, "bytes": [0, 1, 0, 0]}


def test_a_wrong_address_of_a_text_is_not_followed():
    told = Labelled()
    place = ctypes.addressof(told) + Labelled.text.offset
    ctypes.cast(place, ctypes.POINTER(ctypes.c_size_t))[0] = 4
    assert to_jsonable({"told": told, "beside": 1})["beside"] == 1
    assert "4" in to_jsonable(ctypes.c_char_p(4))
    assert isinstance(to_jsonable((ctypes.c_char_p * 2)(4, 4)), str)


def test_numbers_and_arrays_of_c():
    assert to_jsonable(ctypes.c_int(5)) == 5
    assert to_jsonable((ctypes.c_int * 3)(1, 2, 3)) == [1, 2, 3]
    assert to_jsonable((ctypes.c_char * 5)(*b"ab")) == "ab"
