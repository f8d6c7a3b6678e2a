"""Whatever events a database holds: what is restored from its backup is the same, on both engines."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from madsci.common.ids import new_ulid
from madsci.event_manager.backup.keeping import Keeping
from madsci.event_manager.backup.service import BackupService
from madsci.event_manager.model.query import Query
from madsci.event_manager.model.selector import And
from madsci.event_manager.model.stored_event import StoredEvent, encode_event, encode_json
from madsci.event_manager.stores.factory import StoreAddress, open_store, open_upkeep
from madsci.event_manager.stores.mongo.connection import connect
from support.questions import events

some = settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
# A NUL in a name is escaped before a store gets it.
names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(names, inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


def numbered(listed: list[StoredEvent], data: list) -> list[StoredEvent]:
    """The same events with ids; the first of them hold the data."""
    made = []
    for place, one in enumerate(listed):
        members = {name: getattr(one, name) for name in one.__struct_fields__}
        if place < len(data):
            members["event_data"] = encode_json(data[place])
        made.append(StoredEvent(**{**members, "event_id": f"e{place:02}"}))
    return made


def content(place: StoreAddress) -> dict[str, bytes]:
    with closing(open_store(place)) as store:
        found = store.find(Query(And(()), 1_000)).events
    return {event.event_id: encode_event(event) for event in found}


def check_round_trip(place: StoreAddress, folder: Path, kept: list[StoredEvent]) -> None:
    with closing(open_store(place)) as store:
        store.append(kept)
    before = content(place)
    assert len(before) == len(kept)
    with closing(open_upkeep(place)) as upkeep:
        service = BackupService(upkeep, folder / "backups", keeping=Keeping(3))
        made = service.create()
        assert made.events == len(kept)
        with closing(open_store(place)) as store:
            store.append(numbered(kept[:1] * 50, [])[49:])
            ids = [event.event_id for event in kept[::2]]
            store.archive(ids, 0)
            store.delete(ids)
        assert content(place) != before
        assert service.restore(made.path) == len(kept)
    assert content(place) == before


@some
@given(st.lists(events, min_size=1, max_size=8), st.lists(values, max_size=8))
def test_a_restored_file_holds_the_same_events(listed, data):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        check_round_trip(
            StoreAddress(f"sqlite:///{folder / 'events.db'}", folder), folder, numbered(listed, data)
        )


@pytest.fixture(scope="module")
def mongo_client(mongo_url):
    with closing(connect(mongo_url)) as client:
        yield client


@pytest.mark.slow
@some
@given(st.lists(events, min_size=1, max_size=8), st.lists(values, max_size=8))
def test_a_restored_mongodb_database_holds_the_same_events(mongo_url, mongo_client, listed, data):
    database = f"identity_{new_ulid().lower()}"
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            check_round_trip(
                StoreAddress(mongo_url, folder, database=database), folder, numbered(listed, data)
            )
    finally:
        mongo_client.drop_database(database)
