"""Arrays, series, frames and quantities arrive with all values, or with a text that says what was cut.

Libraries that are not installed here are stood in for by classes of the same names that behave alike.
"""

from __future__ import annotations

import array
import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from madsci.common.jsonable import MAX_ITEMS, to_jsonable

WELLS = [round(0.1 + number / 1000, 3) for number in range(96)]
MANY = range(3 * MAX_ITEMS)


def of_library(module: str):
    """Say that a class belongs to a library."""

    def place(kind):
        kind.__module__ = module
        return kind

    return place


class Quantity(np.ndarray):
    """An array with a unit, as unyt and astropy make them."""

    def __new__(cls, value, unit):
        made = np.asarray(value, dtype=float).view(cls)
        made.unit = unit
        return made


@of_library("pint.registry")
class Measure:
    def __init__(self, magnitude, units):
        self.magnitude, self.units = magnitude, units


Measure.__name__ = "Quantity"


@of_library("torch")
class Tensor:
    def __init__(self, values):
        self.values = np.asarray(values)
        self.shape = self.values.shape

    def numel(self):
        return self.values.size

    def detach(self):
        return self

    cpu = detach

    def reshape(self, count):
        return Tensor(self.values.reshape(count))

    def __getitem__(self, places):
        return Tensor(self.values[places])

    def tolist(self):
        return self.values.tolist()

    def __str__(self):
        return "tensor([...])"


class Variable:
    def __init__(self, values, dims, attrs=None, *, in_memory=True):
        self._values, self.dims, self.attrs, self._in_memory = values, dims, attrs or {}, in_memory
        self.size = len(values)

    @property
    def values(self):
        assert self._in_memory, "it would be read from its file"
        return np.asarray(self._values)


@of_library("xarray.core.dataarray")
class DataArray:
    def __init__(self, variable, coords):
        self.variable, self.coords = variable, coords

    values = property(lambda self: self.variable.values)  # noqa: PD011
    size = property(lambda self: self.variable.size)

    def __str__(self):
        return "<DataArray of a file>"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.array(WELLS), WELLS),
        (np.array([[1, 2], [3, 4]], np.uint8), [[1, 2], [3, 4]]),
        (np.array(5), 5), (np.int8(5), 5), (np.bool_(True), True), (np.float32(0.5), 0.5),
        (np.array([1.5, np.nan]), [1.5, "NaN"]), (np.ma.array([1, 2], mask=[0, 1]), [1, None]),
        (np.datetime64("2026-01-01"), "2026-01-01"),
        (np.array(["2026-01-01T00:00"], "M8[m]"), ["2026-01-01T00:00"]),
        (np.array([1, 2500], "m8[ms]"), [0.001, 2.5]), (np.timedelta64(5, "s"), 5.0),
        (np.timedelta64(5, "M"), "5 months"),
        (np.array([(1, "a"), (2, "b")], [("n", "i4"), ("s", "U3")]), {"n": [1, 2], "s": ["a", "b"]}),
        (np.array([(1, "a")], [("n", "i4"), ("s", "U3")])[0], {"n": 1, "s": "a"}),
        (np.rec.array([(1, 2.5)], names="a,unit"), {"a": [1], "unit": [2.5]}),
        (pd.Series(WELLS), WELLS),
        (pd.Series([1, 2], index=["A1", "A1"]), {"index": ["A1", "A1"], "values": [1, 2]}),
        (pd.DataFrame({"od": WELLS}), {"od": WELLS}),
        (pd.DataFrame({"index": [1]}, index=["A1"]), {"index": ["A1"], "index_": [1]}),
        (pd.DataFrame([[1, 2]], columns=["od", "od"]), {"od": [1], "od_": [2]}),
        (pd.Series(pd.to_datetime(["2026-01-01", None])), ["2026-01-01T00:00:00", "NaT"]),
        (pd.Categorical(["a", "b"]), ["a", "b"]),
        (pd.Index([1, 2]), [1, 2]),
        (pl.Series("od", WELLS), WELLS),
        (pl.DataFrame({"od": [1, None], "w": ["A1", "A2"]}), {"od": [1, None], "w": ["A1", "A2"]}),
        (pa.table({"od": [1, None]}), {"od": [1, None]}), (pa.array([1, None]), [1, None]),
        (array.array("d", WELLS), WELLS),
        (Tensor([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (Quantity(5, "uL"), {"value": 5.0, "unit": "uL"}),
        (Quantity([1, 2], "mg"), {"value": [1.0, 2.0], "unit": "mg"}),
        (Quantity([1, 2], None), [1.0, 2.0]),
        (Measure(np.array([1, 2]), "milligram"), {"value": [1, 2], "unit": "milligram"}),
        (
            DataArray(Variable([1.5], "x", {"units": "AU"}), {"x": DataArray(Variable([7], "x"), {})}),
            {"dims": ["x"], "values": [1.5], "attrs": {"units": "AU"}, "coords": {"x": [7]}},
        ),
        (DataArray(Variable([1.5], ("x",), in_memory=False), {}), "<DataArray of a file>"),
    ],
)  # fmt: skip
def test_values_of_real_size_arrive_whole(value, expected):
    assert to_jsonable({"value": value, "plate": "P7"}) == {"value": expected, "plate": "P7"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "value",
    [
        np.arange(len(MANY)), np.arange(len(MANY)).reshape(-1, 100), pd.Series(MANY),
        pd.DataFrame({"a": MANY, "b": MANY}), pd.Series(MANY, index=reversed(MANY)), pl.Series(MANY),
        pl.DataFrame({"a": MANY}), pa.table({"a": MANY}), array.array("l", MANY), Tensor(MANY),
        np.zeros(len(MANY), [("a", "i4"), ("b", "i4")]), Quantity(MANY, "s"),
        Measure(np.array(MANY), "s"),
        DataArray(Variable(MANY, ("x",)), {}),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_is_too_large_is_cut_and_says_so(value):
    told = to_jsonable({"value": value, "wells": WELLS})
    text = json.dumps(told)
    assert "[cut: " in text
    assert 0.5 * MAX_ITEMS < text.count(",") < 1.1 * MAX_ITEMS
    assert told["wells"] == WELLS


def test_a_plate_readers_frame_fits_beside_other_data():
    frame = np.zeros(MAX_ITEMS - 5_000)
    told = to_jsonable({"frame": frame, "wells": list(range(3_000)), "plate": "P7", "n": 1})
    assert "[cut" not in json.dumps(told)
