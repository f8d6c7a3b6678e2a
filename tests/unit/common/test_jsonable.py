"""Each kind of value becomes what a reader of the event understands best."""

from __future__ import annotations

import json
import uuid
from collections import OrderedDict, deque
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from itertools import pairwise
from pathlib import PurePosixPath
from types import MappingProxyType, SimpleNamespace
from unittest.mock import MagicMock, Mock

import pytest
from pydantic import BaseModel, Field, RootModel, SecretStr, computed_field, field_serializer

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
    assert to_jsonable(circle) == [1, {"back": "[cut: this list is the one that this is in]"}]


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


def linked(kind, count=60):
    """Steps that know their neighbours and, through a workflow, all others."""
    steps = [kind(str(number)) for number in range(count)]
    for one, next_one in pairwise(steps):
        one.after, next_one.before = next_one, one
    for step in steps:
        step.workflow = {"steps": steps}
    return steps


@dataclass
class Step:
    name: str
    before: object = None
    after: object = None
    workflow: object = None


class ModelStep(BaseModel):
    name: str
    before: object = None
    after: object = None
    workflow: object = None

    def __init__(self, name):
        super().__init__(name=name)


class AttrsStep:
    """A class as attrs makes it: its attributes stand in ``__attrs_attrs__``."""

    __attrs_attrs__ = tuple(
        SimpleNamespace(name=name) for name in ("name", "before", "after", "workflow")
    )

    def __init__(self, name):
        self.name = name
        self.before = self.after = self.workflow = None


@pytest.mark.parametrize("kind", [Step, ModelStep, AttrsStep, lambda name: SimpleNamespace(name=name)])
def test_linked_objects_are_bounded_and_cost_nothing_beside_them(kind):
    told = to_jsonable({"step": linked(kind)[30], "plate": "P7", "wells": list(range(100))})
    text = json.dumps(told)
    assert len(text) < 100_000
    assert "[cut" in text
    assert all(f'"name": "{number}"' in text for number in range(60))
    assert (told["plate"], told["wells"]) == ("P7", list(range(100)))


def test_objects_that_are_named_several_times_are_told_each_time():
    plate = Plate("P7", [1, 2])
    told = {"name": "P7", "wells": [1, 2]}
    assert to_jsonable({"from": plate, "to": [plate, plate]}) == {"from": told, "to": [told, told]}


def test_a_greedy_value_does_not_cut_its_neighbours():
    told = to_jsonable(
        {"image": list(range(10 * MAX_ITEMS)), "wells": list(range(5_000)), "log": "x" * MAX_TEXT}
    )
    assert told["image"][-1].startswith("[cut")
    assert len(told["image"]) > MAX_ITEMS - 5_100
    assert told["wells"] == list(range(5_000))
    assert told["log"] == "x" * MAX_TEXT


def test_models_are_written_as_their_authors_say():
    class Reading(BaseModel):
        value: float
        raw: str = Field("internal", exclude=True)

        @field_serializer("value")
        def with_unit(self, value):
            return f"{value} mL"

    class Wells(RootModel[list[int]]):
        pass

    class Open(BaseModel, extra="allow"):
        hidden: int = Field(0, exclude=True)

        @computed_field
        def double(self) -> int:
            return 2

    assert to_jsonable(Reading(value=1.5)) == {"value": "1.5 mL"}
    assert to_jsonable({"wells": Wells([1, 2])}) == {"wells": [1, 2]}
    assert to_jsonable(Open(more=1)) == {"more": 1, "double": 2}


class Proxy:
    """Says that it is of the class of what it stands for, as Werkzeug's and wrapt's proxies do."""

    def __init__(self, value):
        object.__setattr__(self, "_value", value)

    __class__ = property(lambda self: type(object.__getattribute__(self, "_value")))
    __str__ = lambda self: str(self._value)  # noqa: E731
    __int__ = lambda self: int(self._value)  # noqa: E731
    __float__ = lambda self: float(self._value)  # noqa: E731
    __bool__ = lambda self: bool(self._value)  # noqa: E731
    __len__ = lambda self: len(self._value)  # noqa: E731
    __iter__ = lambda self: iter(self._value)  # noqa: E731
    __getattr__ = lambda self, name: getattr(object.__getattribute__(self, "_value"), name)  # noqa: E731


@pytest.mark.parametrize(
    "value",
    [
        "P7",
        5,
        2.5,
        True,
        False,
        {"a": 1},
        [1, 2],
        Plate("P7", 1),
        datetime(2026, 1, 2, tzinfo=timezone.utc),
    ],
)
def test_proxies_arrive_as_what_they_stand_for(value):
    told = to_jsonable({"proxy": Proxy(value), "beside": 1})
    assert told == {"proxy": to_jsonable(value), "beside": 1}
    assert type(told["proxy"]) is type(to_jsonable(value))


@pytest.mark.parametrize(
    "kind", [int, str, float, bool, bytes, list, dict, tuple, set, datetime, timedelta, type, Plate,
             Model, Colour, ValueError],
)  # fmt: skip
def test_impostors_are_told_as_json(kind):
    """Mocks say that they are of a class and do little of what it does."""
    for impostor in (Mock(spec=kind), MagicMock(spec=kind)):
        told = to_jsonable({"impostor": impostor, "beside": [1]})
        assert told["beside"] == [1]
        json.dumps(told, allow_nan=False)


def test_values_whose_class_cannot_be_asked_do_not_hurt():
    class Unbound:
        @property
        def __class__(self):
            raise RuntimeError("working outside of a request")

    told = to_jsonable({"request": Unbound(), "keys": {Unbound(): 1}, "plate": "P7"})
    assert "Unbound" in told["request"]
    assert told["plate"] == "P7"


def test_what_can_be_read_only_once_is_not_read():
    numbers = iter([1, 2])
    generator = (number for number in (1, 2))
    to_jsonable({"numbers": numbers, "generator": generator, "map": (mapped := map(int, "12"))})
    assert [list(numbers), list(generator), list(mapped)] == [[1, 2]] * 3
