"""Whatever the event: each column of its export can be asked for again, and has the same cell."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from madsci.event_manager.export.columns import OTHER
from madsci.event_manager.export.csv_rows import csv_rows
from madsci.event_manager.export.projection import parse_fields
from madsci.event_manager.model.matcher import matches
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.stored_event import StoredEvent, encode_json
from support.questions import names, values
from support.spreadsheets import read_csv

objects = st.dictionaries(names, values, max_size=5)
events = st.builds(
    lambda source, data, extra: StoredEvent(
        "e1", "log", 20, False, 0, 0, source, encode_json(data), extra=extra or None
    ),
    objects, objects | values, objects,
)  # fmt: skip


def table(event, fields=None):
    text = b"".join(csv_rows(lambda: iter([[event]]), fields)).decode()
    header, row = read_csv(text)
    return dict(zip(header, row, strict=True))


@given(events)
def test_every_column_of_an_export_can_be_asked_for_again(event):
    whole = table(event)
    assert whole.pop(OTHER) == ""
    for name, cell in whole.items():
        assert table(event, parse_fields([name]))[name] == cell
    columns = list(whole)[:200]
    assert table(event, parse_fields(columns)) == {name: whole[name] for name in columns}


@given(events)
def test_every_column_of_an_export_is_a_path_that_is_there(event):
    for name in table(event):
        if name != OTHER:
            path = parse_selector({name: {"$exists": True}})
            assert matches(path, event.document())
