"""Values whose parts have names, of any library, taken apart without importing the library.

Each function returns ``None`` for values that it does not know. They run code of the value's class and
let its exceptions pass: ``common.jsonable`` calls them where those are caught.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Iterable
from types import SimpleNamespace
from typing import Any, Final

from pydantic import BaseModel

TEXT_POINTERS: Final = ("z", "Z")
"""What ctypes calls the pointers ``c_char_p`` and ``c_wchar_p``."""
_STRUCTURES: Final = frozenset({"Structure", "Union"})


def attribute_names(value: Any, kind: type) -> Iterable[str] | None:
    """Return the attributes that make up a value of this class, in their order.

    Knows dataclasses, attrs, pydantic, msgspec and ``SimpleNamespace``.
    """
    if issubclass(kind, BaseModel):
        return _model_names(value, kind)
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    attributes = getattr(kind, "__attrs_attrs__", None)
    if isinstance(attributes, tuple):
        return [attribute.name for attribute in attributes]
    members = getattr(kind, "__struct_fields__", None)  # msgspec
    if isinstance(members, tuple):
        return members
    return list(vars(value)) if issubclass(kind, SimpleNamespace) else None


def free_name(name: str, taken: Container[object]) -> str:
    """Return the name, or the next with underscores after it that is not taken: no value is lost."""
    while name in taken:
        name += "_"
    return name


def row(value: Any, kind: type) -> dict[str, Any] | None:
    """Return what a row of a database, a named tuple or a structure of C holds, by names."""
    if issubclass(kind, tuple):
        names = getattr(kind, "_fields", None)
        if names is None and hasattr(kind, "n_sequence_fields"):  # os.stat_result, time.struct_time
            names = getattr(kind, "__match_args__", None)
        return dict(_distinct(zip(names, value, strict=False))) if isinstance(names, tuple) else None
    root, name = kind.__module__.partition(".")[0], kind.__name__
    if (root, name) == ("sqlite3", "Row"):
        return dict(_distinct(zip(value.keys(), tuple(value), strict=True)))
    if (root, name) == ("asyncpg", "Record"):
        return dict(_distinct(value.items()))
    if root == "sqlalchemy" and hasattr(kind, "_mapping"):
        return dict(_distinct(zip(value._fields, tuple(value), strict=True)))
    return _structure(value, kind)


def has_own_form(kind: type[BaseModel]) -> bool:
    """Tell whether a model's author said how it, or a member of it, is written."""
    decorators = kind.__pydantic_decorators__
    return bool(
        decorators.field_serializers
        or decorators.model_serializers
        or any(
            type(item).__name__.endswith("Serializer")
            for info in kind.model_fields.values()
            for item in info.metadata
        )
    )


def _model_names(value: Any, kind: type[BaseModel]) -> list[str]:
    names = [name for name, info in kind.model_fields.items() if info.exclude is not True]
    return [*names, *(value.__pydantic_extra__ or ()), *kind.model_computed_fields]


def _structure(value: Any, kind: type) -> dict[str, Any] | None:
    if not any(base.__name__ in _STRUCTURES and base.__module__ == "_ctypes" for base in kind.__mro__):
        return None
    members: list[tuple[str, Any]] = []
    is_structure = False
    for base in reversed(kind.__mro__):
        is_structure |= base.__module__ == "_ctypes" and base.__name__ in _STRUCTURES
        members.extend(field[:2] for field in vars(base).get("_fields_", ()) if is_structure)
    return {
        # The address of a text may be wrong, and reading there ends the program.
        name: str(of) if getattr(of, "_type_", None) in TEXT_POINTERS else getattr(value, name)
        for name, of in members
    }


def _distinct(pairs: Iterable[tuple[Any, Any]]) -> Iterable[tuple[str, Any]]:
    """Keep every value where a query gave two columns one name."""
    taken: set[str] = set()
    for given, value in pairs:
        name = free_name(str(given), taken)
        taken.add(name)
        yield name, value
