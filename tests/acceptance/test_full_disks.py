"""A server on a disk of 30 MB that others, or its own events, fill."""

from __future__ import annotations

import random
from contextlib import closing

import apsw
import pytest

from support.disks import Disk
from support.load import Load
from support.server import ServerProcess, wait_until
from support.trouble import (
    becomes_healthy,
    becomes_unhealthy,
    gets,
    has_all,
    health,
    launched,
    takes_events,
    tells,
)

pytestmark = pytest.mark.slow


def go_through_a_full_disk(server: ServerProcess, disk: Disk, load: Load) -> None:
    gets(load, 200)
    disk.fill()
    becomes_unhealthy(server, "is full", 3)  # what is left takes some events more
    assert not takes_events(server)
    assert server.request("GET", "events?number=1").status == 200


def start_on_a_full_disk(server: ServerProcess, disk: Disk, gone: str | None = None) -> None:
    """Start it after a kill; ``gone`` is a file that is there no more."""
    server.kill()
    if gone is not None:
        (disk.path / gone).unlink()
    disk.fill()  # also what the log gave back
    launched(server)
    becomes_unhealthy(server, "is full")
    assert server.request("GET", "events?number=1").status == 200
    assert not takes_events(server)


def becomes_free(server: ServerProcess, disk: Disk) -> None:
    disk.clear()
    becomes_healthy(server)
    assert takes_events(server)


def test_a_full_disk_is_told_and_is_over_when_there_is_room(server_on_disk, disk):
    server = server_on_disk
    server.start()
    with Load(server, threads=2, pause=0.02) as load:
        go_through_a_full_disk(server, disk, load)
        tells(server, 1, "ERROR")
        becomes_free(server, disk)
        tells(server, 1, "This is over")
        go_through_a_full_disk(server, disk, load)
        tells(server, 2, "ERROR")
        start_on_a_full_disk(server, disk)
        tells(server, 3, "ERROR")
        becomes_free(server, disk)
    has_all(server, load)
    assert server.log.read_text().count("ERROR") == 3
    assert server.log.read_text().count("Traceback") == 0
    server.stop()


def test_full_disks_again_and_again(server_on_disk, disk):
    """Filled under load and freed, killed while full, started full: ten times each."""
    server = server_on_disk
    chance = random.Random(6)
    server.start()
    with Load(server, threads=3) as load:
        for number in range(20):
            disk.path.joinpath("more").write_bytes(bytes(chance.randrange(1, 4_000_000)))
            go_through_a_full_disk(server, disk, load)
            if number % 2:
                start_on_a_full_disk(server, disk)
            becomes_free(server, disk)
    has_all(server, load)
    assert server.stop() in (0, -15)


def test_starts_on_a_full_disk_have_the_room_for_what_is_made_anew(server_on_disk, disk):
    """The index of the log is mapped into memory: without room for it the process could end."""
    server = server_on_disk
    server.start()
    wait_until((disk.path / "events.db.reserve").exists, "the reserve")
    disk.fill()
    becomes_unhealthy(server, "is full")
    assert not takes_events(server)
    for _ in range(3):
        start_on_a_full_disk(server, disk, gone="events.db-shm")
    becomes_free(server, disk)
    server.stop()


def test_events_that_fill_the_disk_can_be_deleted_and_give_it_back(server_on_disk, disk):
    """Nobody else fills it; the log takes most of it, as far as it is let."""
    server = server_on_disk
    server.start()
    body = "\n".join(['{"event_data": {"message": "' + "x" * 900 + '"}}'] * 200)
    wait_until(lambda: server.request("POST", "events", body).status == 503, "a full disk")
    becomes_unhealthy(server, "is full")
    events = health(server).json["total_events"]
    assert events * 900 > 27_000_000 / 3, "most of the disk held no events"
    oldest = '{"selector": {}, "sort": "event_timestamp", "limit": 2000, "include_archived": false}'
    while health(server).status == 503 or health(server).json["total_events"] > events / 2:
        ids = list(server.request("POST", "events/query", oldest).json)
        assert server.post("events/archive", {"event_ids": ids}).json["archived_count"] == len(ids)
        deleted = server.request("DELETE", "events/archived?older_than_days=0&backup=false").json
        assert deleted["deleted_count"] == len(ids)
    wait_until(lambda: disk.free() > 10_000_000, "the room of what was deleted")
    assert takes_events(server)
    server.stop()


def test_a_log_that_a_reader_held_long_is_cut_when_the_reader_ends(server_on_disk, disk):
    """The log fills the disk, while the file holds next to nothing."""
    server = server_on_disk
    server.start()
    assert takes_events(server)
    with closing(apsw.Connection(str(disk.path / "events.db"))) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM events").get == 1
        body = "\n".join(['{"event_data": {"message": "' + "x" * 90 + '"}}'] * 60)
        wait_until(lambda: server.request("POST", "events", body).status == 503, "a full disk")
        becomes_unhealthy(server, "cut when that ends")
        assert (disk.path / "events.db-wal").stat().st_size > 12_000_000
        assert (disk.path / "events.db").stat().st_size < 1_000_000
    becomes_healthy(server)
    assert (disk.path / "events.db-wal").stat().st_size < 1_000_000
    assert takes_events(server)
    server.stop()


def fails_to_start(server: ServerProcess) -> str:
    assert server.launch().wait(30) == 1
    told = server.log.read_text()
    assert "Traceback" not in told
    return told


def test_a_first_start_without_any_room_says_so(server_on_disk, disk):
    server = server_on_disk
    disk.fill()
    told = fails_to_start(server)
    assert "events.db" in told
    assert "Free space on that disk" in told
    disk.clear()
    server.start()
    assert takes_events(server)
    server.stop()


def test_a_start_without_any_room_for_the_index_of_the_log_says_so(server_on_disk, disk):
    server = server_on_disk
    server.start()
    wait_until((disk.path / "events.db.reserve").exists, "the reserve")
    assert takes_events(server)
    server.kill()
    (disk.path / "events.db.reserve").unlink()
    (disk.path / "events.db-shm").unlink()
    disk.fill()
    assert "no room for the index of its log. Free space on that disk." in fails_to_start(server)
    disk.clear()
    server.start()
    assert len(list(server.query({}))) == 1
    server.stop()


def test_a_start_after_a_stop_on_a_full_disk_answers(server_on_disk, disk):
    server = server_on_disk
    server.start()
    assert takes_events(server)
    server.stop()
    disk.fill()
    launched(server)
    becomes_unhealthy(server, "is full")
    assert server.request("GET", "events?number=1").status == 200
    assert server.stop() in (0, -15)
    disk.clear()
    server.start()
    assert takes_events(server)
    server.stop()
