"""What the database should look like: the collections and indexes of ``schema.json``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pymongo import IndexModel
from pymongo.errors import OperationFailure

from madsci.common.errors import SettingsError
from madsci.event_manager.stores.mongo.connection import Collection, Database

EVENTS: Final = "events"
"""The name of the collection of events in a schema; a lab may have given it another one."""
UNREADABLE: Final = "unreadable_events"
"""Where a migration puts documents that cannot be read as events, as they are."""
_NOT_IMPLEMENTED: Final = 238
_INDEX_NOT_FOUND: Final = 27
_CONFLICTS: Final = frozenset({85, 86})
"""Codes of a server that has an index of the same name, or for the same keys, already."""
_OWN_INDEX: Final = "_id_"


def schema_file() -> Path:
    """Return the file of the schema of this version."""
    return Path(str(files("madsci.event_manager").joinpath("schema.json")))


class Index(BaseModel):
    """An index; options beyond ``unique`` are those of MongoDB's ``createIndexes``."""

    model_config = ConfigDict(extra="allow", frozen=True)

    keys: list[tuple[str, int | str]]
    name: str
    unique: bool = False
    background: bool = True
    description: str | None = None

    @field_validator("keys", mode="before")
    @classmethod
    def _pairs(cls, keys: Any) -> Any:
        if not isinstance(keys, list):
            return keys
        return [
            (key.get("field"), key.get("direction", 1)) if isinstance(key, dict) else key
            for key in keys
        ]

    @property
    def is_text(self) -> bool:
        """Whether it is an index of words."""
        return any(direction == "text" for _, direction in self.keys)

    @property
    def is_simple(self) -> bool:
        """Whether all servers that speak MongoDB's protocol have such indexes."""
        return not self.is_text and "partialFilterExpression" not in (self.model_extra or {})

    def model(self) -> IndexModel:
        """Return the index as the driver takes it."""
        options = dict(self.model_extra or {})
        if self.unique:
            options["unique"] = True
        return IndexModel(self.keys, name=self.name, **options)

    def described(self) -> dict[str, Any]:
        """Return what is compared with an index that is there."""
        keys = (
            sorted(name for name, _ in self.keys) if self.is_text else [list(key) for key in self.keys]
        )
        return {"keys": keys, "unique": self.unique}


class CollectionSchema(BaseModel):
    """A collection and its indexes."""

    description: str | None = None
    indexes: list[Index] = Field(default_factory=list)

    def known_indexes(self, *, is_mongodb: bool) -> list[Index]:
        """Return the indexes of the kinds that the server has."""
        return [one for one in self.indexes if is_mongodb or one.is_simple]


class Schema(BaseModel):
    """The content of a schema file."""

    database: str = "madsci_events"
    schema_version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    description: str | None = None
    collections: dict[str, CollectionSchema]

    @classmethod
    def read(cls, path: Path) -> Schema:
        """Read a schema file.

        Raises:
            SettingsError: it cannot be read, or is no schema.
        """
        try:
            return cls.model_validate(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, ValidationError) as error:
            raise _unusable(path, str(error)) from error

    @classmethod
    def of_events(cls, path: Path) -> Schema:
        """Read a schema file that this version can bring a database of events to.

        Raises:
            SettingsError: it is none.
        """
        schema, version = cls.read(path), cls.own().schema_version
        if EVENTS not in schema.collections:
            raise _unusable(path, f"it has no collection {EVENTS!r}, so it is not that of events")
        if schema.schema_version != version:
            raise _unusable(
                path, f"it is of version {schema.schema_version}, and this program works with {version}"
            )
        return schema

    @classmethod
    def own(cls) -> Schema:
        """Return the schema of this version."""
        return cls.read(schema_file())

    def indexes_of(self, events: str, *, is_mongodb: bool) -> list[Index]:
        """Return the indexes of the events, of the kinds that the server has."""
        return self.named(events)[events].known_indexes(is_mongodb=is_mongodb)

    def named(self, events: str) -> dict[str, CollectionSchema]:
        """Return the collections, that of events under its name in the database."""
        return {events if name == EVENTS else name: one for name, one in self.collections.items()}


def _unusable(path: Path, reason: str) -> SettingsError:
    return SettingsError(
        f"The schema file {path} cannot be used: {reason}. Name another one with --schema-file, or"
        " leave it out for the one of this version."
    )


def ensure_indexes(database: Database, schema: Schema, events: str) -> list[str]:
    """Make the collections and indexes that are missing; return a sentence for each that cannot be.

    Servers that speak MongoDB's protocol do not know all kinds of indexes. One with the name of ours
    and other keys is replaced; one for the keys of ours under another name does its work.
    """
    there = set(database.list_collection_names())
    notes: list[str] = []
    for name, wanted in schema.named(events).items():
        if name not in there:
            _create(database, name)
        for index in wanted.indexes:
            note = _make(database[name], index)
            if note:
                notes.append(f"The index {name}.{index.name} was not made: {note}.")
    return notes


def _make(collection: Collection, index: Index) -> str:
    """Make an index unless it is there; return why it cannot be."""
    try:
        collection.create_indexes([index.model()])
    except OperationFailure as error:
        if error.code in {_NOT_IMPLEMENTED, _INDEX_NOT_FOUND}:
            return "the server does not know this kind"
        if error.code not in _CONFLICTS:
            raise
        there = collection.index_information().get(index.name)
        if there is None:
            return "there is one for the same"
        collection.drop_index(index.name)
        collection.create_indexes([index.model()])
    return ""


def _create(database: Database, name: str) -> None:
    try:
        database.command("create", name)
    except OperationFailure:
        if name not in database.list_collection_names():  # else another server was quicker
            raise


@dataclass
class Differences:
    """How a database differs from a schema; the form of its JSON is that of earlier releases."""

    missing_collections: list[str] = field(default_factory=list)
    extra_collections: list[str] = field(default_factory=list)
    collection_differences: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return bool(self.missing_collections or self.extra_collections or self.collection_differences)


def compare(database: Database, schema: Schema, events: str, *, is_mongodb: bool) -> Differences:
    """Compare a database with a schema, but for indexes of a kind that the server does not have."""
    wanted = schema.named(events)
    there = set(database.list_collection_names())
    found = Differences(
        sorted(wanted.keys() - there),
        sorted(one for one in there - wanted.keys() - {UNREADABLE} if not one.startswith("system.")),
    )
    for name in sorted(wanted.keys() & there):
        known = wanted[name].known_indexes(is_mongodb=is_mongodb)
        difference = compare_indexes(database[name], known)
        if any(difference.values()):
            found.collection_differences[name] = difference
    return found


def compare_indexes(collection: Collection, wanted: list[Index]) -> dict[str, Any]:
    """Compare the indexes of a collection with those it should have; their names do not matter."""
    actual = {one["name"]: _described(one) for one in collection.list_indexes()}
    actual.pop(_OWN_INDEX, None)
    expected = {one.name: one.described() for one in wanted}
    missing, extra = expected.keys() - actual.keys(), actual.keys() - expected.keys()
    for name in sorted(missing):
        same = next((one for one in sorted(extra) if actual[one] == expected[name]), None)
        if same is not None:
            missing, extra = missing - {name}, extra - {same}
    return {
        "missing_indexes": sorted(missing),
        "extra_indexes": sorted(extra),
        "different_indexes": list(_different(expected, actual)),
    }


def _described(index: Any) -> dict[str, Any]:
    keys: list[Any] = [list(key) for key in index["key"].items()]
    if "weights" in index:
        keys = sorted(index["weights"])
    return {"keys": keys, "unique": bool(index.get("unique", False))}


def _different(expected: dict[str, Any], actual: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name in sorted(expected.keys() & actual.keys()):
        if expected[name] != actual[name]:
            yield {"name": name, "expected": expected[name], "actual": actual[name]}
