"""Data frames: whole numbers stay whole, times are times, and no events are still columns."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from datetime import datetime, timezone

import pandas as pd
import polars as pl
import pytest

from madsci.common.flattening import STANDARD_COLUMNS

LIBRARIES = ["pandas", "polars"]
NOON = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)


@pytest.fixture
def client(make_client, peer):
    return make_client(event_server=peer.url, log_file_enabled=False)


def store(peer, event_id, data, **more):
    event = {"event_id": event_id, "event_data": data, "event_timestamp": "2026-11-23T12:00:00.000000Z"}
    standard = {"received_at": "2026-11-23T12:00:01.5Z", "log_level": 20, "alert": False}
    peer.store({**event, **standard, "archived": False, "archived_at": None, **more})


def cells(frame, name):
    values = frame[name].tolist() if isinstance(frame, pd.DataFrame) else frame[name].to_list()
    return [None if pd.isna(value) else value for value in values]


@pytest.mark.parametrize("library", LIBRARIES)
def test_each_event_is_a_row_and_each_path_a_column(client, peer, library):
    store(peer, "e1", {"plate": "P7", "wells": [1, 2]}, source={"node_id": "n"})
    store(peer, "e2", {"plate": "P8"}, log_level=40, archived_at="2026-11-24T00:00:00Z")
    frame = client.to_dataframe({}, library=library)
    assert list(frame.columns) == [
        *STANDARD_COLUMNS, "event_data.plate", "source.node_id", "event_data.wells",
    ]  # fmt: skip
    assert cells(frame, "event_id") == ["e2", "e1"]
    assert cells(frame, "event_data.plate") == ["P8", "P7"]
    assert cells(frame, "event_data.wells") == [None, "[1,2]"]
    assert cells(frame, "event_timestamp") == [NOON, NOON]
    assert cells(frame, "archived_at") == [datetime(2026, 11, 24, tzinfo=timezone.utc), None]
    assert cells(frame, "log_level") == [40, 20]
    assert json.loads(peer.requests[0].body) == {}


@pytest.mark.parametrize("library", LIBRARIES)
def test_columns_are_asked_for_by_their_names(client, peer, library):
    store(peer, "e1", {"http.method": "GET", "x[0]": 1, "http": {"method": "no"}})
    names = [name for name in client.to_dataframe({}, library=library).columns if "event_data" in name]
    assert names == ['event_data["http.method"]', 'event_data["x[0]"]', "event_data.http.method"]
    for name, cell in zip(names, ["GET", 1, "no"], strict=True):
        frame = client.to_dataframe({}, library=library, fields=[name])
        assert list(frame.columns) == [name]
        assert cells(frame, name) == [cell]
    frame = client.to_dataframe({}, library=library, fields="event_data.x[0]")
    assert cells(frame, 'event_data["x[0]"]') == [1]
    left = client.to_dataframe({}, library=library, fields={"event_data": 0, names[0]: 0})
    assert names[0] not in left.columns


@pytest.mark.parametrize("library", LIBRARIES)
def test_values_stay_what_they_were(client, peer, library):
    store(peer, "e1", {"big": 2**60 + 1, "flag": True, "real": 0.5, "mixed": 1, "huge": 2**70})
    store(peer, "e2", {"real": "NaN", "mixed": "two", "huge": 3})
    store(peer, "e3", {"big": 7, "flag": False, "real": 3, "mixed": False})
    frame = client.to_dataframe(library=library)
    assert cells(frame, "event_data.big") == [7, None, 2**60 + 1]
    assert cells(frame, "event_data.flag") == [False, None, True]
    assert cells(frame, "event_data.real") == [3.0, None, 0.5]
    if library == "pandas":
        assert cells(frame, "event_data.mixed") == [False, "two", 1]
        assert cells(frame, "event_data.huge") == [None, 3, 2**70]
    else:
        assert cells(frame, "event_data.mixed") == ["false", "two", "1"]
        assert cells(frame, "event_data.huge") == [None, "3", str(2**70)]


@pytest.mark.parametrize("library", LIBRARIES)
def test_no_events_are_a_frame_with_the_standard_columns(client, library):
    frame = client.to_dataframe({"event_id": "nobody"}, library=library)
    assert list(frame.columns) == list(STANDARD_COLUMNS)
    assert len(frame) == 0
    expected = {"pandas": "datetime64[us, UTC]", "polars": "Datetime(time_unit='us', time_zone='UTC')"}
    assert {str(frame[name].dtype) for name in ("event_timestamp", "received_at", "archived_at")} == {
        expected[library]
    }
    assert str(frame["log_level"].dtype).lower() == "int64"


@pytest.mark.parametrize("library", LIBRARIES)
def test_times_of_all_years_fit(client, peer, library):
    for number, year in enumerate(["0001", "9999"]):
        store(peer, f"e{number}", {}, event_timestamp=f"{year}-01-01T00:00:00.000001Z")
    store(peer, "e2", {}, event_timestamp="coffee time")
    years = [
        moment and moment.year
        for moment in cells(client.to_dataframe(library=library), "event_timestamp")
    ]
    assert years == [None, 9999, 1]


def test_fields_choose_columns_in_their_order(client, peer):
    store(peer, "e1", {"plate": "P7", "at": {"row": 1, "odd.name": 2}})
    frame = client.to_dataframe(fields=["event_data.at", "_id", "event_data.none"], library="pandas")
    assert list(frame.columns) == [
        "event_data.at.row", 'event_data.at["odd.name"]', "event_id", "event_data.none",
    ]  # fmt: skip
    assert cells(frame, "event_data.none") == [None]
    assert json.loads(peer.requests[0].body)["fields"] == ["event_data.at", "_id", "event_data.none"]
    assert list(client.to_dataframe(fields="event_id", library="polars").columns) == ["event_id"]


def test_fields_may_say_what_is_not_wanted(client, peer):
    store(peer, "e1", {"plate": "P7"})
    without = client.to_dataframe(fields={"received_at": 0, "_id": 0})
    assert list(without.columns) == [
        *(name for name in STANDARD_COLUMNS if name != "received_at"), "event_data.plate",
    ]  # fmt: skip
    assert list(client.to_dataframe(fields={"event_data.plate": 1}).columns) == ["event_data.plate"]
    assert list(client.to_dataframe(fields="alert, event_id").columns) == ["alert", "event_id"]
    assert len(client.to_dataframe(fields=[]).columns) == 11
    assert [json.loads(request.body).get("fields") for request in peer.requests] == [
        {"received_at": 0, "_id": 0}, {"event_data.plate": 1}, ["alert", "event_id"], None,
    ]  # fmt: skip


def test_frames_of_many_pages(client, peer):
    peer.page = 10
    for number in range(35):
        store(peer, f"e{number:02}", {"number": number})
    assert len(client.to_dataframe()) == 35
    assert cells(client.to_dataframe(number=12), "event_data.number") == list(range(34, 22, -1))


def test_the_library_can_be_chosen_and_pandas_comes_first(client):
    assert isinstance(client.to_dataframe(), pd.DataFrame)
    assert isinstance(client.to_dataframe(library="polars"), pl.DataFrame)
    with pytest.raises(ValueError, match=r"'dask'.*pandas, polars"):
        client.to_dataframe(library="dask")
    assert isinstance(asyncio.run(client.async_to_dataframe({})), pd.DataFrame)


def run_without(hidden, question, peer):
    program = (
        "import sys\n"
        f"for name in {hidden!r}: sys.modules[name] = None\n"
        "from madsci.client import EventClient\n"
        f"client = EventClient(event_server={peer.url!r}, log_file_enabled=False)\n"
        f"print({question})\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    return run.stdout + run.stderr


@pytest.mark.slow
def test_what_is_not_installed_is_done_without_or_named(peer):
    assert "polars.dataframe" in run_without(["pandas"], "type(client.to_dataframe())", peer)
    assert "pip install pandas" in run_without(["pandas", "polars"], "client.to_dataframe()", peer)
    wanted = "client.to_dataframe(library='polars')"
    assert "pip install polars" in run_without(["polars"], wanted, peer)
