"""Each kind of value becomes what a reader of the event understands best."""

from __future__ import annotations

import json
import sys
import uuid
from collections import OrderedDict, deque
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import PurePosixPath
from types import MappingProxyType, SimpleNamespace

import pytest
from pydantic import BaseModel, SecretStr

from madsci.common.jsonable import MAX_DEPTH, MAX_ITEMS, MAX_TEXT, MAX_TOTAL, to_jsonable


class Colour(Enum):
    RED = "red"


class Number(IntEnum):
    ONE = 1


@dataclass
class Plate:
    name: str
    wells: object


class Model(BaseModel):
    plate: Plate
    secret: SecretStr = SecretStr("hidden")


class Broken:
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


class BrokenDict(dict):
    def items(self):
        raise RuntimeError("no items")

    __str__ = __repr__ = items


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None), (True, True), (7, 7), (2**70, 2**70), (1.5, 1.5), ("µ", "µ"),
        (float("nan"), "NaN"), (float("inf"), "Infinity"), (float("-inf"), "-Infinity"),
        ("a\ud800", "a\\ud800"), (Colour.RED, "red"), (Number.ONE, 1),
        (b"text", "text"), (b"\xff\x00", "base64:/wA="), (bytearray(b"x"), "x"),
        (Decimal("1.10"), "1.10"), (uuid.UUID(int=1), str(uuid.UUID(int=1))),
        (PurePosixPath("a/b"), "a/b"), (timedelta(minutes=1, milliseconds=5), 60.005),
        (datetime(2026, 1, 2, 3, tzinfo=timezone.utc), "2026-01-02T03:00:00+00:00"),
        (date(2026, 1, 2), "2026-01-02"), (time(3, 4), "03:04:00"),
        ((1, [2]), [1, [2]]), ({3}, [3]), (frozenset({3}), [3]), (deque([1]), [1]),
        (MappingProxyType({"a": 1}), {"a": 1}), (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        (Plate("P7", {"A1"}), {"name": "P7", "wells": ["A1"]}),
        (Model(plate=Plate("P7", 1)), {"plate": {"name": "P7", "wells": 1}, "secret": "**********"}),
        (int, "int"), (OrderedDict, "collections.OrderedDict"), (range(3), "range(0, 3)"),
        ({1: "a", "1": "b", None: "c", 0.5: "d", Colour.RED: "e", (1, 2): "f", int: "g"},
         {"1": "a", "1_": "b", "0.5": "d", "null": "c", "red": "e", "(1, 2)": "f", "int": "g"}),
    ],
)  # fmt: skip
def test_values(value, expected):
    assert to_jsonable(value) == expected


def test_exceptions_tell_type_message_and_traceback():
    try:
        raise KeyError("tip")  # noqa: TRY301 - the traceback is the point
    except KeyError as error:
        told = to_jsonable({"error": error})["error"]
    assert (told["exception_type"], told["exception_message"]) == ("KeyError", "'tip'")
    assert told["traceback"].startswith("Traceback")


@pytest.mark.parametrize("value", [Broken(), BrokenDict(a=1), [Broken()], Plate("x", Broken())])
def test_broken_values_do_not_hurt(value):
    assert "cannot be made" in json.dumps(to_jsonable(value))


def test_cycles_are_cut():
    circle = [1]
    circle.append({"back": circle})
    assert to_jsonable(circle) == [1, {"back": "[cut: refers back to the list that it is in]"}]


def test_what_is_too_deep_is_cut():
    deep = []
    for _ in range(10 * MAX_DEPTH):
        deep = [deep]
    text = json.dumps(to_jsonable(deep))
    assert f"[cut: list deeper than {MAX_DEPTH} levels]" in text


def test_what_is_too_long_is_cut_and_says_so():
    assert to_jsonable("x" * (MAX_TEXT + 5)).endswith("x[cut: 5 more characters]")
    items = to_jsonable(list(range(MAX_ITEMS + 5)))
    assert (items[-2], items[-1]) == (MAX_ITEMS - 1, "[cut: 5 more items]")
    members = to_jsonable(dict.fromkeys(range(MAX_ITEMS + 5)))
    assert members["[cut]"] == "[cut: 5 more members]"
    assert len(json.dumps(to_jsonable(["y" * MAX_TEXT] * 10))) < MAX_TOTAL + 1000


def test_integers_too_long_for_decimal_are_hexadecimal():
    assert to_jsonable(1 << 20_000) == hex(1 << 20_000)


def test_numpy_values_are_known_without_importing_numpy(monkeypatch):
    """numpy is not installed here: classes of the same shape stand in for its own."""

    class Generic:
        def item(self):
            return 3

    class Array:
        size = 2
        shape = (2,)

        def tolist(self):
            return [1.0, float("nan")]

    class Moment:
        def __str__(self):
            return "2026-01-01"

    numpy = SimpleNamespace(
        generic=Generic, ndarray=Array, datetime64=Moment, timedelta64=type("Span", (), {})
    )
    assert isinstance(to_jsonable(Array()), str)
    monkeypatch.setitem(sys.modules, "numpy", numpy)
    assert to_jsonable([Generic(), Array(), Moment()]) == [3, [1.0, "NaN"], "2026-01-01"]
