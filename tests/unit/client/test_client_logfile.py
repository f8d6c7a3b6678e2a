"""The local log: one format, shared files, rotation, and reading everything back."""

from __future__ import annotations

import gc
import gzip
import json
import os
import shutil
import sys
import time
from pathlib import Path

import pytest

from madsci.client.event_client import EventClient
from madsci.client.testing import RecordingTransport
from madsci.client.writing.outputs import divert, end_diversion
from madsci.common.types.event_types import Event, EventLogLevel


def lines(client):
    return client.logfile.read_text(encoding="utf-8").splitlines()


def test_the_file_holds_one_event_per_line_with_its_message(make_client):
    client = make_client()
    client.info("hello", plate="P7")
    client.log(Event(event_data="legacy"))
    first, second = map(json.loads, lines(client))
    assert first["event_data"] == {"message": "hello", "plate": "P7"}
    assert second["event_data"] == "legacy"


def test_get_log_returns_what_was_written_with_stable_ids(make_client):
    client = make_client()
    event = Event(event_data={"a": [1]})
    client.log(event)
    client.info("text\nwith ünicode \ud800")
    log = client.get_log()
    assert list(log) == list(client.get_log())
    assert log[event.event_id].event_data == {"a": [1]}
    assert len(log) == 2


def test_without_a_server_reading_asks_the_local_log(make_client, capsys):
    client = make_client(log_level=0)
    for number in range(5):
        client.info("n", number=number)
    client.error("bad")
    events = client.get_events(number=3)
    assert [event.event_data.get("number") for event in events.values()] == [None, 4, 3]
    assert len(client.get_events(number=0, level="ERROR")) == 1
    (event_id,) = client.get_events(number=1)
    assert client.get_event(event_id).event_data == {"message": "bad"}
    assert client.get_event("nothing") is None
    assert client.query_events({}) == {}
    assert "event_server_url" in capsys.readouterr().err


def test_lines_of_other_programs_become_events_with_stable_ids(make_client):
    client = make_client()
    structured = {"event": "hi", "level": "error", "timestamp": "2026-01-01T00:00:00Z", "a": 1}
    client.logfile.write_text(f"free text\n\n{json.dumps(structured)}\n[1]\n", encoding="utf-8")
    first, second, third = client.get_log().values()
    assert first.event_data == "free text"
    assert second.event_data == {"message": "hi", "a": 1}
    assert second.log_level is EventLogLevel.ERROR
    assert second.event_timestamp.year == 2026
    assert third.event_data == "[1]"
    assert list(client.get_log()) == [event.event_id for event in (first, second, third)]


def test_a_second_client_of_the_same_name_neither_steals_nor_closes_the_file(make_client):
    first, second = make_client(), make_client()
    first.info("one")
    second.info("two")
    second.close()
    first.info("three")
    third = make_client()
    del third
    gc.collect()
    first.info("four")
    assert [json.loads(line)["event_data"]["message"] for line in lines(first)] == [
        "one", "two", "three", "four",
    ]  # fmt: skip


@pytest.mark.parametrize("compressed", [True, False])
def test_rotation_by_size_keeps_so_many_files_and_loses_nothing_else(make_client, compressed):
    client = make_client(log_max_bytes=2000, log_backup_count=2, log_compression_enabled=compressed)
    for number in range(50):
        client.info("n", number=number)
    ending = ".gz" if compressed else ""
    backups = [client.logfile.with_name(f"robot.log.{number}{ending}") for number in (1, 2)]
    assert all(path.exists() for path in backups)
    assert len(list(client.logfile.parent.iterdir())) == 3
    assert client.logfile.stat().st_size <= 2000
    if compressed:
        assert gzip.decompress(backups[0].read_bytes()).count(b"\n") > 3
    kept = [event.event_data["number"] for event in client.get_log().values()]
    assert kept == list(range(kept[0], 50))


def test_rotation_without_backups_begins_the_file_anew(make_client):
    client = make_client(log_max_bytes=2000, log_backup_count=0)
    for _ in range(50):
        client.info("n")
    assert client.logfile.stat().st_size <= 2000
    assert len(list(client.logfile.parent.iterdir())) == 1


def test_rotation_by_time_leaves_the_files_of_similar_names_alone(make_client):
    client = make_client(
        name="lab", log_rotation_type="time", log_rotation_when="S", log_backup_count=1
    )
    foreign = client.logfile.with_name("lab.robot.log.2026-01-01_00-00-00.gz")
    foreign.write_bytes(b"")
    older = client.logfile.with_name("lab.log.2026-01-01_00-00-00.gz")
    older.write_bytes(gzip.compress(b""))
    client.info("before")
    os.utime(client.logfile, (time.time() - 5,) * 2)
    client.close()
    client.info("after")
    assert foreign.exists()
    assert not older.exists()
    assert len(list(client.logfile.parent.glob("lab.log.*.gz"))) == 1
    messages = [event.event_data["message"] for event in client.get_log().values()]
    assert messages == ["before", "after"]


def test_names_become_file_names_that_every_system_takes(make_client):
    client = make_client(name='a/b\\c:d*"<e>|\n')
    client.info("hello")
    assert client.logfile.name == "a_b_c_d___e___.log"
    assert client.logfile.exists()


def test_a_directory_that_cannot_be_written_is_one_warning_and_no_more(make_client, tmp_path, capsys):
    (tmp_path / "taken").write_text("a file")
    client = make_client(log_dir=tmp_path / "taken", log_console_enabled=True)
    client.info("hello")
    client.info("hello again")
    error = capsys.readouterr().err
    assert error.count("[EventClient Warning]") == 1
    assert "hello again" in error
    assert client.get_log() == {}


def test_with_fail_on_error_it_is_raised(make_client, tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OSError, match="taken"):
        make_client(log_dir=tmp_path / "taken", fail_on_error=True)


def test_the_start_is_told_in_the_local_log_only(make_client, peer):
    client = make_client(log_level="DEBUG", event_server=peer.url)
    assert client.flush()
    (event,) = client.get_log().values()
    assert event.event_data["message"] == "EventClient initialized"
    assert event.event_data["event_server"] == f"{peer.url}/"
    assert peer.events == {}


def test_what_one_output_raises_keeps_the_event_from_no_other(make_client, tmp_path, capsys):
    server = RecordingTransport()
    client = make_client(transport=server, fail_on_error=True, log_console_enabled=True)
    shutil.rmtree(tmp_path / "logs")
    (tmp_path / "logs").write_text("a file")
    time.sleep(0.02)  # that long a name is trusted
    with pytest.raises(OSError, match="logs"):
        client.info("hello")
    assert "hello" in capsys.readouterr().err
    assert client.flush(5)
    assert [event.event_data["message"] for event in server.events] == ["hello"]


def test_a_sender_that_raises_keeps_the_event_from_neither_file_nor_console(make_client, capsys):
    client = make_client(log_console_enabled=True)

    def fail(_):
        raise MemoryError

    divert(fail)
    try:
        with pytest.raises(MemoryError):
            client.info("hello")
    finally:
        end_diversion(fail)
    assert "hello" in capsys.readouterr().err
    assert len(lines(client)) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows moves nothing that is open")
def test_where_the_log_cannot_be_made_anew_events_go_on_into_the_moved_one(
    make_client, tmp_path, capsys
):
    client = make_client()
    client.info("before")
    (tmp_path / "logs").rename(tmp_path / "moved")
    (tmp_path / "logs").write_text("a file")
    time.sleep(0.02)
    for _ in range(3):
        client.info("after")
    assert len((tmp_path / "moved" / "robot.log").read_bytes().splitlines()) == 4
    assert capsys.readouterr().err.count("[EventClient Warning]") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_dropped_and_closed_clients_leave_no_file_open(make_client, tmp_path):
    def count():
        gc.collect()
        links = (link for link in Path("/proc/self/fd").iterdir() if link.exists())
        return sum(str(tmp_path) in str(link.readlink()) for link in links)

    for number in range(51):
        client = EventClient(
            name=f"n{number % 5}", log_dir=tmp_path / "logs", log_console_enabled=False
        )
        client.info("hello")
        if number % 2:
            client.close()
    assert count() == 1
    del client
    assert count() == 0
