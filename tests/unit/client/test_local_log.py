"""Reading the local log back: the newest files first, in bounded memory, beside rotation."""

from __future__ import annotations

import gzip
import json
import os
import threading
import tracemalloc
from datetime import datetime, timedelta, timezone

import pytest

from madsci.client.reading import local_log
from madsci.client.reading.local_log import find_local, read_log, select_local
from madsci.common.types.event_types import Event, EventLogLevel

BEGIN = datetime(2026, 1, 1, tzinfo=timezone.utc)


def line(number: int, **fields) -> str:
    moment = (BEGIN + timedelta(seconds=number)).isoformat()
    event = {"event_id": f"e{number:06}", "event_timestamp": moment, "event_data": {"n": number}}
    return json.dumps({**event, "log_level": 20, **fields}) + "\n"


def make(path, numbers, *, changed: int | None = None, ending: str = ""):
    """Write a log file of events a second apart, last changed when the last of them was logged."""
    content = "".join(map(line, numbers)).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    moment = BEGIN.timestamp() + (max(numbers) if changed is None else changed)
    os.utime(path, (moment, moment))


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "a.log"
    make(path, range(2000, 3000))
    make(tmp_path / "a.log.1", range(1000, 2000))
    make(tmp_path / "a.log.2.gz", range(1000))
    return path


def numbers(events):
    return [event.event_data["n"] for event in events.values()]


def test_all_of_it_comes_in_the_order_of_writing(log):
    assert numbers(read_log(log)) == list(range(3000))


def test_the_newest_come_first_with_offset_level_and_times(log):
    assert numbers(select_local(log, 3, {})) == [2999, 2998, 2997]
    assert numbers(select_local(log, 3, {"offset": 1999})) == [1000, 999, 998]
    assert numbers(select_local(log, 0, {})) == list(range(2999, -1, -1))
    assert select_local(log, 5, {"level": 30}) == {}
    times = {"start_time": "2026-01-01T00:00:05.000000Z", "end_time": "2026-01-01T00:00:07.000000Z"}
    assert numbers(select_local(log, 0, times)) == [7, 6, 5]


def test_only_the_files_that_may_hold_the_answer_are_read(log, capsys):
    log.with_name("a.log.2.gz").write_bytes(b"torn")
    os.utime(log.with_name("a.log.2.gz"), (BEGIN.timestamp(),) * 2)
    assert len(select_local(log, 900, {})) == 900
    assert find_local(log, "e001500") is not None
    assert capsys.readouterr().err == ""
    assert find_local(log, "e000500") is None
    assert "a.log.2.gz cannot be read any further" in capsys.readouterr().err


def test_of_an_event_that_was_logged_again_the_last_line_counts(log):
    with log.open("a") as file:
        file.write(line(1500, alert=True))
        file.write(line(2500, log_level=10))
    for event in (find_local(log, "e001500"), read_log(log)["e001500"]):
        assert event is not None
        assert event.alert
    found = select_local(log, 0, {"level": 20})
    assert found["e001500"].alert
    assert "e002500" not in found
    assert len(found) == 2999


@pytest.mark.slow
def test_a_question_for_few_keeps_few(tmp_path):
    path = tmp_path / "a.log"
    make(path, range(6_000))
    select_local(path, 50, {})
    tracemalloc.start()
    try:
        assert numbers(select_local(path, 50, {})) == list(range(5_999, 5_949, -1))
        assert find_local(path, "e000007") is not None
        assert tracemalloc.get_traced_memory()[1] < 6_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("damage", [b"", b"torn", "cut", "flipped"])
def test_archives_that_cannot_be_read_are_told_and_the_others_read(log, capsys, damage):
    path = log.with_name("a.log.2.gz")
    whole = path.read_bytes()
    damages = {"cut": whole[:-200], "flipped": whole[:500] + b"\0" * 50 + whole[550:]}
    path.write_bytes(damages.get(damage, damage))
    assert numbers(read_log(log))[-2000:] == list(range(1000, 3000))
    assert ("cannot be read any further" in capsys.readouterr().err) == (damage != b"")


def test_what_is_no_file_is_passed_over(log):
    log.with_name("a.log.3").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(log.with_name("a.log.4"))
    assert len(read_log(log)) == 3000


def test_files_that_are_rotated_while_one_reads_are_read_once(log):
    found = []
    for file in local_log._open_files(log):
        found.append(sum(1 for _ in local_log._events(file)))
        if len(found) == 1:
            log.with_name("a.log.2.gz").rename(log.with_name("a.log.3.gz"))
            log.with_name("a.log.1").rename(log.with_name("a.log.2"))
            log.rename(log.with_name("a.log.1"))
            make(log, range(3000, 3001))
    assert found == [1000, 1000, 1000]


def test_half_a_line_and_the_one_that_was_glued_to_it_are_both_read(tmp_path):
    path = tmp_path / "a.log"
    path.write_text(line(1)[:30] + line(2) + line(3))
    half, second, third = read_log(path).values()
    assert half.event_data == line(1)[:30]
    assert [second.event_data, third.event_data] == [{"n": 2}, {"n": 3}]
    assert find_local(path, "e000002") == second
    assert find_local(path, half.event_id) == half


def test_a_line_without_end_is_left_out(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(local_log, "_MAX_LINE", 1000)
    path = tmp_path / "a.log"
    path.write_text(line(1) + "x" * 5000 + "\n" + line(2) + "y" * 5000)
    assert numbers(read_log(path)) == [1, 2]
    assert capsys.readouterr().err.count("is left out") == 2


def test_a_closed_client_reads_without_making_anything(make_client, tmp_path):
    client = make_client()
    client.info("hello")
    client.close()
    (event,) = client.get_log().values()
    assert client.get_event(event.event_id) == event
    assert list(client.get_events()) == [event.event_id]
    client.logfile.unlink()
    assert client.get_log() == client.get_events() == {}
    assert client.get_event("nothing") is None
    assert not client.logfile.exists()


@pytest.mark.slow
def test_reading_while_others_write_and_rotate_misses_nothing_that_was_there(make_client):
    client = make_client(log_max_bytes=3000, log_backup_count=100)
    client.log(Event(event_id="first", event_data={"n": 0}, log_level=EventLogLevel.ERROR))

    def write():
        for number in range(1000):
            client.info("more", n=number)

    thread = threading.Thread(target=write)
    thread.start()
    while thread.is_alive():
        assert client.get_event("first") is not None
        assert list(client.get_events(level="ERROR")) == ["first"]
    thread.join()
    assert len(client.get_log()) == 1001


def test_a_line_of_another_logger_is_the_event_that_it_tells_of(tmp_path):
    path = tmp_path / "a.log"
    path.write_text(
        '{"msg": "jam", "level": 50, "time": 1700000000123, "plate": "P7"}\n{"plate": "P8"}\n'
    )
    line, other = read_log(path).values()
    assert (line.log_level, str(line.event_type)) == (40, "log_error")
    assert line.event_data == {"message": "jam", "level": 50, "plate": "P7"}
    assert line.event_timestamp.isoformat() == "2023-11-14T22:13:20.123000+00:00"
    assert other.event_data == {"plate": "P8"}
