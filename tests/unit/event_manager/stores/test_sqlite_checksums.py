"""Each event's row has a checksum that stays right, and that no damage leaves right."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path
from zlib import crc32

import apsw
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from madsci.event_manager.model.query import Query
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.stores.sqlite.codec import to_event, to_row
from madsci.event_manager.stores.sqlite.damage import rows as damage
from madsci.event_manager.stores.sqlite.damage.checksums import checksum_of
from madsci.event_manager.stores.sqlite.store import SqliteStore
from support.questions import events

EVENT = StoredEvent(
    "01", "log", 20, False, 1_700_000_000_000_000, 1_700_000_000_000_001, {"node_id": "n"},
    '{"message":"pump","n":1.50}', "trace", None, False, None, {"colour": "red"},
)  # fmt: skip
ROW = to_row(EVENT, 7)


def values_like(value: object) -> st.SearchStrategy[object]:
    others = st.none() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=8) | st.binary(max_size=8)
    if isinstance(value, str):
        others |= st.integers(0, len(value)).map(lambda at: value[:at] + "x" + value[at + 1 :])
    elif type(value) is int:
        others |= st.integers(0, 62).map(lambda bit: value ^ (1 << bit))
    return others


SENT = msgspec.structs.replace(EVENT, sender='{"name":"arm","host":"pc-1","process":7}')


class TestRow:
    def test_a_row_without_a_sender_has_the_checksum_that_it_had_before_there_were_senders(self):
        assert ROW[-1] == checksum_of((*ROW[:12], None)) == crc32(msgspec.msgpack.encode(ROW[:12]))

    @given(st.none() | st.text(max_size=8) | st.integers(0, 40))
    def test_no_sender_can_change_come_or_go_unnoticed(self, sender):
        sent = to_row(SENT, 7)
        assert to_event(sent) == SENT
        if isinstance(sender, int):
            sender = SENT.sender[:sender] + "~" + SENT.sender[sender + 1 :]
        assert to_event((*sent[:12], sender, *sent[13:])) is None
        if sender is not None:
            assert to_event((*ROW[:12], sender, *ROW[13:])) is None

    def test_a_row_of_an_earlier_version_has_no_sender(self):
        assert to_event((*to_row(SENT, 7)[:-1], None)) is None

    def test_a_row_is_read_back_as_the_event_that_it_was_made_of(self):
        assert to_event(ROW) == EVENT

    @given(st.data())
    def test_no_value_of_a_row_can_change_unnoticed(self, data):
        place = data.draw(st.integers(0, len(ROW) - 2))
        value = data.draw(values_like(ROW[place]))
        changed = (*ROW[:place], value, *ROW[place + 1 :])
        if value == ROW[place]:
            assert to_event(changed) == EVENT
        else:
            assert to_event(changed) is None

    @given(
        st.booleans(), st.booleans(), st.none() | st.integers(-(2**63), 2**63 - 1), st.integers(0, 62)
    )
    def test_what_may_change_is_covered_too(self, alert, archived, archived_at, bit):
        event = msgspec.structs.replace(EVENT, alert=alert, archived=archived, archived_at=archived_at)
        row = to_row(event, 7)
        assert row[-1] in range(2**63)
        assert to_event(row) == event
        flipped = (archived_at or 0) ^ (1 << bit)
        for other in (
            (*row[:-4], not alert, *row[-3:]),
            (*row[:-3], not archived, *row[-2:]),
            (*row[:-2], flipped, row[-1]),
            (*row[:-1], row[-1] ^ (1 << bit)),
        ):
            assert to_event(other) is None

    def test_the_same_event_at_another_place_is_no_intact_row(self):
        assert to_event((8, *ROW[1:])) is None

    def test_rows_of_earlier_versions_have_none_and_are_judged_by_their_types(self):
        old = (*ROW[:-1], None)
        assert to_event(old) == EVENT
        for place, value in (
            (0, "7"),
            (1, None),
            (1, b"01"),
            (4, "x"),
            (9, "[1"),
            (9, None),
            (14, None),
        ):
            assert to_event((*old[:place], value, *old[place + 1 :])) is None


@pytest.mark.slow
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(events, min_size=1, max_size=8))
def test_the_engine_gives_back_what_the_checksum_was_taken_of(listed):
    """JSON goes in as text and comes out as text, and in between it is JSONB."""
    kept = [msgspec.structs.replace(one, event_id=f"e{place}") for place, one in enumerate(listed)]
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(SqliteStore(Path(folder) / "events.db")) as store,
    ):
        store.append(kept)
        assert sorted(store.find(Query()).events, key=lambda one: one.event_id) == kept
        assert [store.get(one.event_id) for one in kept] == kept
        assert damaged_in(store) == []


def damaged_in(store: SqliteStore) -> list[int]:
    with store._reader.readers.connection() as reader:
        found = damage.verify(reader, *damage.span(reader))
        return [one.seq for batch in found for one in batch]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "events.db"


@pytest.fixture
def store(path):
    with closing(SqliteStore(path)) as store:
        yield store


def test_every_change_that_the_store_makes_leaves_the_checksum_right(store):
    listed = [
        msgspec.structs.replace(EVENT, event_id=f"e{number}", alert=number == 1, archived_at=at)
        for number, at in enumerate((None, None, 2**62, -5))
    ]
    store.append(listed)
    store.append([msgspec.structs.replace(one, alert=True) for one in listed[:3]])
    assert store.archive(["e1", "e2", "e3"], 1_800_000_000_000_000) == 3
    store.append([msgspec.structs.replace(listed[3], alert=True)])
    store.delete(["e3"])
    assert damaged_in(store) == []
    found = store.find(Query()).events
    assert [(one.event_id, one.alert, one.archived) for one in found] == [
        ("e2", True, True), ("e1", True, True), ("e0", True, False),
    ]  # fmt: skip


def test_rows_of_an_earlier_version_stay_without_a_checksum_when_they_change(path):
    with closing(SqliteStore(path)) as store:
        store.append([EVENT])
    with closing(apsw.Connection(str(path))) as file:
        file.execute("UPDATE events SET checksum = NULL")
    with closing(SqliteStore(path)) as store:
        store.append([msgspec.structs.replace(EVENT, alert=True)])
        store.archive(["01"], 5)
        expected = msgspec.structs.replace(EVENT, alert=True, archived=True, archived_at=5)
        assert store.get("01") == expected
        assert store.find(Query()).events == [expected]
