"""Arrays, series, frames and quantities of numeric libraries, as lists and dicts.

The libraries are not imported: what a value is says the name of its class. So logging costs nothing
where they are not used, and a library that is new here needs a line in the table at the end.

====================================  ==============================================================
arrays, tensors                       (nested) list
arrays with named members             object of columns
series                                list; with labels object of ``index`` and ``values``
frames, tables                        object of columns; with labels ``index`` is one
quantities                            object of ``value`` and ``unit``
xarray                                object of ``dims``, ``values``, ``attrs``, ``coords``
====================================  ==============================================================

What has more items than there is room is a flat list of the first, or columns of the first rows:
a text that begins with ``[cut`` is the last item. What would have to be computed or read from a file
first is left to its ``str()``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, Final

from madsci.common.named_values import TEXT_POINTERS, free_name


def plain_array(value: Any, kind: type, room: int) -> Any:
    """Return an array-like value as lists and dicts of at most about ``room`` items.

    ``None`` where the class is not known. Exceptions of its library pass.
    """
    for base in kind.__mro__:
        reader = _READERS.get((base.__module__.partition(".")[0], base.__name__))
        if reader is not None:
            return reader(value, max(room, 2))
    return None


def _cut(values: list[Any], total: int, whole: str) -> list[Any]:
    return [*values, f"[cut: {total - len(values)} more items of {whole}]"]


def _columns(columns: Iterable[tuple[Any, Any]], read: Callable[[Any], Any]) -> dict[Any, Any]:
    result: dict[Any, Any] = {}
    for given, column in columns:
        result[given if given not in result else free_name(str(given), result)] = read(column)
    return result


def _sequence(value: Any, room: int) -> Any:
    """Read what has a length, slices and ``tolist``."""
    if len(value) <= room:
        return value.tolist()
    return _cut(value[: room - 1].tolist(), len(value), "an array")


def _numpy_array(array: Any, room: int) -> Any:
    numpy = sys.modules["numpy"]
    names = array.dtype.names
    if names:
        share = max(room // len(names), 2)
        return {name: _numpy_array(array[name], share) for name in names}
    unit = None
    if type(array) is not numpy.ndarray and not isinstance(array, numpy.ma.MaskedArray):
        unit, array = _unit(array), numpy.asarray(array)
    total, shape = array.size, array.shape
    is_cut = total > room
    if is_cut:
        array = array.flat[: room - 1]
    if array.dtype.kind == "M":
        array = array.astype("U")
    elif array.dtype.kind == "m":
        array = array / numpy.timedelta64(1, "s")
    values = array.tolist()
    if is_cut:
        values = _cut(values, total, f"an array of shape {shape}")
    return values if unit is None else {"value": values, "unit": unit}


def _unit(value: Any) -> str | None:
    """Return the unit of a quantity as text: of astropy, pint, quantities, unyt and their like."""
    text = getattr(getattr(value, "dimensionality", None), "string", None)  # quantities
    for name in ("unit", "units"):
        if text is None:
            text = getattr(value, name, None)
    return None if text is None else str(text) or None


def _numpy_scalar(value: Any, _room: int) -> Any:
    numpy = sys.modules["numpy"]
    if isinstance(value, numpy.datetime64):
        return str(value)
    if isinstance(value, numpy.timedelta64):
        try:
            return float(value / numpy.timedelta64(1, "s"))
        except TypeError:  # months and years have no length in seconds
            return str(value)
    if value.dtype.names:
        return {name: value[name] for name in value.dtype.names}
    plain = value.item()
    return None if isinstance(plain, numpy.generic) else plain


def _quantity(value: Any, _room: int) -> Any:
    return {"value": value.magnitude, "unit": str(value.units)}


def _pandas_rows(values: Any, room: int) -> list[Any]:
    total = len(values)
    if total > room:
        values = values[: room - 1]
    if type(values).__name__ in _OF_NUMPY:
        values = values.to_numpy()
    rows = list(values.tolist())
    return rows if total <= room else _cut(rows, total, "a column")


_OF_NUMPY: Final = ("NumpyExtensionArray", "PandasArray")
"""What pandas calls its wrapper of a numpy array, now and before 2.1. Its own ``tolist`` is of numpy's
scalars, each of which costs fifty times what a number of Python does."""


def _has_labels(index: Any) -> bool:
    return not (type(index).__name__ == "RangeIndex" and index.start == 0 and index.step == 1)


def _pandas_series(series: Any, room: int) -> Any:
    if not _has_labels(series.index):
        return _pandas_rows(series.array, room)
    return {
        "index": _pandas_rows(series.index, room // 2),
        "values": _pandas_rows(series.array, room // 2),
    }


def _pandas_frame(frame: Any, room: int) -> Any:
    columns = [(name, frame.iloc[:, place].array) for place, name in enumerate(frame.columns)]
    if _has_labels(frame.index):
        columns.insert(0, ("index", frame.index))
    share = max(room // max(len(columns), 1), 2)
    return _columns(columns, lambda column: _pandas_rows(column, share))


def _polars_series(series: Any, room: int) -> list[Any]:
    if len(series) <= room:
        return list(series.to_list())
    return _cut(series.head(room - 1).to_list(), len(series), "a Series")


def _polars_frame(frame: Any, room: int) -> Any:
    share = max(room // max(frame.width, 1), 2)
    columns = [(column.name, column) for column in frame.get_columns()]
    return _columns(columns, lambda column: _polars_series(column, share))


def _arrow_array(array: Any, room: int) -> list[Any]:
    if len(array) <= room:
        return list(array.to_pylist())
    return _cut(array.slice(0, room - 1).to_pylist(), len(array), "an Array")


def _arrow_table(table: Any, room: int) -> Any:
    share = max(room // max(table.num_columns, 1), 2)
    columns = [(name, table.column(place)) for place, name in enumerate(table.schema.names)]
    return _columns(columns, lambda column: _arrow_array(column, share))


def _xarray_variable(variable: Any, room: int) -> dict[str, Any] | None:
    if not variable._in_memory:  # noqa: SLF001 - to read or compute it could take hours
        return None
    return {
        "dims": list(variable.dims),
        "values": _numpy_array(variable.values, room),
        "attrs": dict(variable.attrs),
    }


def _xarray_coordinates(value: Any, room: int) -> dict[Any, Any]:
    share = max(room // (4 * max(len(value.coords), 1)), 2)
    return {
        name: _numpy_array(coordinate.values, share)
        for name, coordinate in value.coords.items()
        if coordinate.variable._in_memory  # noqa: SLF001 - see _xarray_variable
    }


def _xarray_array(array: Any, room: int) -> Any:
    coordinates = _xarray_coordinates(array, room)
    taken = sum(coordinate.size for coordinate in array.coords.values())
    variable = _xarray_variable(array.variable, max(room - taken, room // 2))
    return None if variable is None else {**variable, "coords": coordinates}


def _xarray_dataset(dataset: Any, room: int) -> Any:
    share = max(room // (2 * max(len(dataset.data_vars), 1)), 2)
    return {
        "variables": {
            name: _xarray_variable(array.variable, share) or str(array)
            for name, array in dataset.data_vars.items()
        },
        "coords": _xarray_coordinates(dataset, room),
        "attrs": dict(dataset.attrs),
    }


def _torch_tensor(tensor: Any, room: int) -> Any:
    total, shape = tensor.numel(), tuple(tensor.shape)
    tensor = tensor.detach()
    if total <= room:
        return tensor.cpu().tolist()
    first = tensor.reshape(-1)[: room - 1].cpu().tolist()
    return _cut(first, total, f"a tensor of shape {shape}")


def _array_in_memory(value: Any, room: int) -> Any:
    return _numpy_array(sys.modules["numpy"].asarray(value), room)


def _ctypes_scalar(value: Any, _room: int) -> Any:
    return None if value._type_ in TEXT_POINTERS else value.value


def _ctypes_array(array: Any, room: int) -> Any:
    if getattr(array._type_, "_type_", None) in TEXT_POINTERS:
        return None
    values = array[:room]
    if isinstance(values, bytes):
        return values.rstrip(b"\0")
    if isinstance(values, str):
        return values.rstrip("\0")
    return values if len(array) <= room else _cut(values[:-1], len(array), "an array")


_READERS: Final[dict[tuple[str, str], Callable[[Any, int], Any]]] = {
    ("numpy", "ndarray"): _numpy_array,
    ("numpy", "generic"): _numpy_scalar,
    ("pandas", "Series"): _pandas_series,
    ("pandas", "DataFrame"): _pandas_frame,
    ("pandas", "Index"): _pandas_rows,
    ("pandas", "ExtensionArray"): _pandas_rows,
    ("polars", "Series"): _polars_series,
    ("polars", "DataFrame"): _polars_frame,
    ("pyarrow", "Array"): _arrow_array,
    ("pyarrow", "ChunkedArray"): _arrow_array,
    ("pyarrow", "Table"): _arrow_table,
    ("pyarrow", "RecordBatch"): _arrow_table,
    ("pyarrow", "Scalar"): lambda value, _room: value.as_py(),
    ("xarray", "Variable"): _xarray_variable,
    ("xarray", "DataArray"): _xarray_array,
    ("xarray", "Dataset"): _xarray_dataset,
    ("torch", "Tensor"): _torch_tensor,
    ("jaxlib", "ArrayImpl"): _array_in_memory,
    ("tensorflow", "EagerTensor"): _array_in_memory,
    ("pint", "Quantity"): _quantity,
    ("pint", "PlainQuantity"): _quantity,
    ("array", "array"): _sequence,
    ("_ctypes", "Array"): _ctypes_array,
    ("_ctypes", "_SimpleCData"): _ctypes_scalar,
}
"""Readers by the library and the name of a class or of one of its bases."""
