"""Steps of followers in a database that has no transactions: a step is one document, and done again.

The document of a follower's place holds the changes of its last step until they are made. It moves from
place to place with a compare, so of several servers one makes a step, and its changes with it. Who dies
before they are all made leaves them there; whoever reads the place next makes them first.

A server that stands still amid a step, and goes on when others have made further ones, changes nothing
that these have put: a document knows the last step that changed it, and an earlier one of the same
follower passes it over. What was deleted since it may bring back, if it stood still for longer than the
lease of the followers just there. Servers that only speak MongoDB's protocol compare and move in two
moments; there the lease alone keeps two from making the same step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from pymongo import DeleteOne, InsertOne, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from madsci.common.ids import new_ulid
from madsci.event_manager.model.feed import START
from madsci.event_manager.model.tables import (
    FOLLOWERS,
    Change,
    Step,
    Way,
    kept_position,
    position_of,
)
from madsci.event_manager.stores.mongo.connection import Collection, Document
from madsci.event_manager.stores.mongo.faults import DUPLICATE_KEY, refusals

_SERIES: Final = "series"
_NUMBER: Final = "number"
_CHANGES: Final = "changes"
"""Members of a follower's place: its steps since it began, by a name that none had before; the how
many-th of them it is at; and changes that may not be made yet."""
_STEP: Final = "step"
"""Member of a document, beside the series: at which step it was changed last."""
_NAME_ENDS: Final = "0"
"""Comes behind the slash that ends the name of a table."""
_IN_A_STEP: Final = 1_000_000
"""Changes of one step at most: those of a step are told apart by numbers below this."""


def document_id(table: str, key: str) -> str:
    """Return the id of a document."""
    return f"{table}/{key}"


def place_id(follower: str) -> str:
    """Return the id of the document that says where a follower is."""
    return document_id(FOLLOWERS, follower)


def make_step(documents: Collection, changes: Sequence[Change], step: Step) -> bool:
    """Make a step if the follower is where it begins; tell whether it was.

    Raises the driver's errors.
    """
    place = documents.find_one({"_id": place_id(step.follower)})
    if (START if place is None else position_of(str(place["value"]))) != step.before:
        return False
    if place is not None:
        finish_step(documents, place)
    then = {
        "_id": place_id(step.follower),
        "value": kept_position(step.after),
        _SERIES: (place or {}).get(_SERIES) or new_ulid(),
        _NUMBER: _number(place) + 1,
        _CHANGES: [
            {"name": document_id(one.table, one.key), "way": one.way.value, "value": one.value}
            for one in changes
        ],
    }
    if not _move(documents, place, then):
        return False
    finish_step(documents, then)
    return True


def finish_step(documents: Collection, place: Document) -> None:
    """Make the changes of the last step to a follower's place that may not be made yet.

    Made again, they change nothing.
    """
    changes = place.get(_CHANGES)
    if changes is None:
        return
    number = _number(place)
    _make(
        documents,
        [
            StampedChange(
                one["name"],
                Way(one["way"]),
                one["value"],
                {_SERIES: place[_SERIES], _STEP: number * _IN_A_STEP + index},
            )
            for index, one in enumerate(changes)
        ],
    )
    same = {"_id": place["_id"], _SERIES: place[_SERIES], _NUMBER: number}
    documents.update_one(same, {"$unset": {_CHANGES: ""}})


def begin_series(documents: Collection) -> None:
    """Begin the series of all followers anew, in a database that is restored.

    Its documents may be of several moments: what is concluded from now on is later than all of them.
    """
    places = {"_id": {"$gte": f"{FOLLOWERS}/", "$lt": f"{FOLLOWERS}{_NAME_ENDS}"}}
    for place in list(documents.find(places, {"_id": 1})):
        documents.update_one(place, {"$set": {_SERIES: new_ulid()}})


def _number(place: Document | None) -> int:
    return 0 if place is None else int(place.get(_NUMBER) or 0)


def _move(documents: Collection, place: Document | None, then: Document) -> bool:
    if place is None:
        try:
            documents.insert_one(then)
        except DuplicateKeyError:
            return False
        return True
    where = {name: place.get(name) for name in ("_id", "value", _SERIES, _NUMBER)}
    changed = {name: value for name, value in then.items() if name != "_id"}
    return documents.update_one(where, {"$set": changed}).matched_count == 1


@dataclass(frozen=True)
class StampedChange:
    """A change of the document of a name, with the stamp of the step that it is of, if it is of one."""

    name: str
    way: Way
    value: str | None
    stamp: Document = field(default_factory=dict)

    @property
    def where(self) -> Document:
        """What finds the document, unless a later step of its series has changed it."""
        if not self.stamp:
            return {"_id": self.name}
        series, step = self.stamp[_SERIES], self.stamp[_STEP]
        return {"_id": self.name, "$or": [{_SERIES: {"$ne": series}}, {_STEP: {"$lt": step}}]}

    @property
    def update(self) -> Document:
        """What makes the document as it is to be."""
        return {"$set": {"value": self.value, **self.stamp}}

    @property
    def document(self) -> Document:
        """The document that is made where there is none."""
        return {"_id": self.name, "value": self.value, **self.stamp}


def _make(documents: Collection, changes: Sequence[StampedChange]) -> None:
    """Make changes in their order with a few commands, or one by one where others change the same."""
    try:
        if _made_at_once(documents, changes):
            return
    except BulkWriteError as error:
        if set(refusals(error).values()) != {DUPLICATE_KEY}:
            raise
    except KeyError:  # some servers do not say of a refused update what the driver looks for
        pass
    for one in changes:
        make_change(documents, one)


def _made_at_once(documents: Collection, changes: Sequence[StampedChange]) -> bool:
    """Make changes in their order; tell whether all found what was there when they were begun.

    Raises the driver's errors: what was made up to there, made again, changes nothing.
    """
    names = list({one.name for one in changes})
    there = {one["_id"] for one in documents.find({"_id": {"$in": names}}, {"_id": 1})}
    writes: list[InsertOne[Document] | UpdateOne | DeleteOne] = []
    updates = 0
    for one in changes:
        if one.way is Way.DELETE:
            writes.append(DeleteOne(one.where))
            there.discard(one.name)
        elif one.name not in there:
            writes.append(InsertOne(one.document))
            there.add(one.name)
        elif one.way is Way.PUT:
            writes.append(UpdateOne(one.where, one.update))
            updates += 1
    return not writes or documents.bulk_write(writes).matched_count == updates


def make_change(documents: Collection, change: StampedChange) -> None:
    """Make a change of a document, unless a later one of its series was made.

    Raises the driver's errors.
    """
    if change.way is Way.DELETE:
        documents.delete_one(change.where)
        return
    is_put = change.way is Way.PUT
    if is_put and documents.update_one(change.where, change.update).matched_count:
        return
    try:
        documents.insert_one(change.document)
    except DuplicateKeyError:  # it is there: as it should be, or as somebody put it just now
        if is_put:
            documents.update_one(change.where, change.update)
