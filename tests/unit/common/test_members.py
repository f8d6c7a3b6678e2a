"""There is one table of the members of events, and everything agrees with it."""

from __future__ import annotations

import dataclasses

import msgspec

from madsci.common.types.event_reading import EventReading
from madsci.common.types.event_types import Event
from madsci.common.types.members import MEMBERS, NAMES
from madsci.event_manager.ingest.intake import Intake
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.stores.mongo.codec import to_document
from madsci.event_manager.stores.sqlite.columns import COLUMNS

NAMED = [member.name for member in MEMBERS]


def test_the_models_and_the_stored_event_have_the_members_of_the_table():
    assert sorted(Event.model_fields) == sorted(NAMED)
    assert sorted(StoredEvent.__struct_fields__) == sorted(NAMED)
    read = {field.name for field in dataclasses.fields(EventReading)} - {"repairs"}
    assert read == set(NAMED)


def test_the_documents_and_columns_of_stores_have_all_of_them():
    event = Intake({}).read(b'{"sender":{"name":"arm"},"colour":1}').event
    named_by_id = NAMES - {"event_id"}
    assert event.document().keys() == to_document(event).keys() == named_by_id
    own = {"seq", "node_id", "checksum"}
    assert {column.name for column in COLUMNS} - own == set(NAMED)


def test_only_what_may_lack_is_lacking_in_the_least_event():
    least = Intake({}).read(b"{}").event
    lacking = {name for name, value in msgspec.structs.asdict(least).items() if value is None}
    assert lacking == {member.name for member in MEMBERS if member.may_lack}
