"""The spool on disk: bounded, adopted by one heir, and never in the way of the program."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest

from madsci.client.delivery.retry import Backoff
from madsci.client.delivery.sender import Sender, SenderSettings
from madsci.client.delivery.transport import Rejection, SendReport
from madsci.client.spool.lane_writer import SpoolSettings
from madsci.client.spool.rejected import FILE_NAME, RejectedFile
from madsci.client.spool.segments import Segment
from madsci.client.spool.spool import Spool
from madsci.client.testing import RecordingTransport
from madsci.client.writing.outputs import spool_directory
from support.server import wait_until

OPEN_FILES = Path("/proc/self/fd")
posix = pytest.mark.skipif(os.name != "posix", reason="POSIX only")


def body(event_id, text=""):
    return b'{"event_id":"%b","event_data":"%b"}' % (event_id.encode(), text.encode())


def put_many(spool, count, text="", first=0):
    for number in range(first, first + count):
        spool.append(body(f"e{number:04}", text))


def ids(batch):
    return [event.event_id for event in batch]


def drain(source):
    """Read and acknowledge all there is."""
    found = []
    while batch := source.read(100, 1_000_000):
        found += ids(batch)
        source.acknowledge(batch[-1].position)
    return found


@pytest.fixture
def make_spool(tmp_path):
    made = []

    def make(name="spool", **settings):
        made.append(Spool(tmp_path / name, SpoolSettings(**settings)))
        return made[-1]

    yield make
    for spool in made:
        spool.abandon()


def files(spool, pattern="*.events"):
    return sorted(path.name for path in spool.directory.glob(pattern))


def open_segments(spool):
    return [segment for segment in spool._lane.segments if segment._file is not None]


def test_nothing_is_made_before_the_first_event(make_spool):
    spool = make_spool()
    assert not spool.directory.exists()
    assert not spool.has_backlog()
    assert spool.stats().spool_bytes == 0


def test_settled_segments_are_deleted_and_closing_leaves_nothing(make_spool):
    spool = make_spool(segment_bytes=500)
    put_many(spool, 100)
    assert len(files(spool)) > 10
    assert spool.stats().queued == 100
    assert spool.stats().spool_bytes > 5000
    assert drain(spool) == [f"e{n:04}" for n in range(100)]
    assert len(files(spool)) == 1
    assert (spool.stats().queued, spool.stats().spool_bytes, spool.stats().oldest_age) == (0, 0, None)
    spool.rest()
    assert files(spool, "*") == []
    spool.append(body("more"))
    assert (spool.last_position, spool.settled_position) == (101, 100)


@pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="counts open files in /proc")
def test_few_files_are_open_however_many_wait(make_spool):
    before = len(list(OPEN_FILES.iterdir()))
    spool = make_spool(segment_bytes=500)
    for first in range(0, 200, 20):
        put_many(spool, 20, first=first)
        spool.tend()
    assert len(files(spool)) > 20
    wait_until(lambda: len(list(OPEN_FILES.iterdir())) - before <= 6, "closed files")
    assert drain(spool) == [f"e{n:04}" for n in range(200)]


def test_a_spool_with_waiting_events_keeps_them_when_it_is_closed(make_spool):
    spool = make_spool()
    put_many(spool, 3)
    spool.rest()
    put_many(spool, 1, first=3)
    assert drain(spool) == ["e0000", "e0001", "e0002", "e0003"]


def test_an_orphan_is_adopted_by_one_heir_where_the_dead_process_had_come_to(make_spool):
    dead = make_spool(segment_bytes=500)
    put_many(dead, 20)
    dead.acknowledge(dead.read(7, 10_000)[4].position)
    first, second = make_spool(), make_spool()
    assert first.backlog() is None
    dead.abandon()
    heir = make_spool()
    lane = heir.backlog()
    assert second.backlog() is None
    assert heir.stats().queued == 15
    assert heir.stats().oldest_age >= 0
    assert drain(lane) == [f"e{n:04}" for n in range(5, 20)]
    assert heir.backlog() is None
    assert files(heir, "*") == []


def test_an_abandoned_inheritance_goes_to_the_next(make_spool):
    dead = make_spool()
    put_many(dead, 4)
    dead.abandon()
    heir = make_spool()
    lane = heir.backlog()
    lane.acknowledge(lane.read(1, 1000)[0].position)
    heir.rest()
    assert drain(make_spool().backlog()) == ["e0001", "e0002", "e0003"]


def test_another_look_that_is_asked_for_amid_a_look_is_taken(make_spool, monkeypatch):
    """The look may have come too early for what made somebody ask for another one."""
    dead, heir = make_spool(), make_spool()
    put_many(dead, 4)

    def look_too_early(*arguments):
        monkeypatch.undo()
        dead.abandon()
        heir.look_again()

    monkeypatch.setattr("madsci.client.spool.spool.next_orphan", look_too_early)
    assert heir.backlog() is None
    assert drain(heir.backlog()) == ["e0000", "e0001", "e0002", "e0003"]


def test_a_damaged_event_is_skipped_counted_and_kept_for_people(make_spool):
    dead = make_spool()
    put_many(dead, 5)
    dead.abandon()
    (path,) = dead.directory.glob("*.events")
    path.write_bytes(path.read_bytes().replace(b"e0002", b"e000X"))
    heir = make_spool()
    assert drain(heir.backlog()) == ["e0000", "e0001", "e0003", "e0004"]
    assert heir.stats().lost == 1
    assert heir.backlog() is None
    assert heir.losses().count == 1
    assert "e000X" in (dead.directory / FILE_NAME).read_text()
    assert "damaged" in heir.last_trouble


@pytest.mark.parametrize("byte", [b" ", b"\0", b"{"])
def test_a_line_break_that_is_gone_takes_no_event_with_it(make_spool, byte):
    spool = make_spool()
    put_many(spool, 5)
    (path,) = spool.directory.glob("*.events")
    with path.open("r+b") as file:
        file.seek(path.read_bytes().index(b"\n"))
        file.write(byte)
    assert drain(spool) == [f"e{n:04}" for n in range(5)]
    assert spool.stats().lost == 0
    assert spool.settled_position == spool.last_position == 5


def damage(spool, pattern, change):
    (path,) = spool.directory.glob(pattern)
    content = change(path.read_bytes())
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)


@pytest.mark.parametrize(
    ("segment", "change", "lost"),
    [
        (1, lambda _: None, 6),
        (2, lambda _: None, 7),
        (3, lambda _: None, 5),
        (1, lambda _: b"", 6),
        (2, lambda _: b"", 7),
        (3, lambda _: b"", 5),
        (1, lambda content: content[:-30], 1),
        (3, lambda content: content[:-30], 1),
        (3, lambda content: content[:-100] + bytes(100), 2),
        (1, lambda content: bytes(len(content)), 6),
    ],
)
@pytest.mark.parametrize("cursor", [lambda content: content, lambda _: b"", lambda _: None])
def test_what_is_missing_of_any_segment_is_known_to_the_event(
    make_spool, segment, change, lost, cursor
):
    dead = make_spool(segment_bytes=500)
    put_many(dead, 20)
    dead.acknowledge(dead.read(2, 10_000)[-1].position)
    assert len(files(dead)) == 3
    dead.abandon()
    damage(dead, f"*{segment}.events", change)
    damage(dead, "*.lock", cursor)
    heir = make_spool()
    found = drain(heir.backlog())
    assert (heir.backlog(), heir.stats().lost, heir.losses().count) == (None, lost, lost)
    assert len(found) == len(set(found)) == 18 - lost
    assert "are missing in" in heir.last_trouble
    assert files(heir) == []


def test_a_torn_line_that_no_call_has_returned_for_is_no_loss(make_spool):
    dead = make_spool()
    put_many(dead, 5)
    dead.abandon()
    damage(dead, "*.events", lambda content: content + content[:30])
    heir = make_spool()
    assert drain(heir.backlog()) == [f"e{n:04}" for n in range(5)]
    assert (heir.backlog(), heir.stats().lost, heir.last_trouble) == (None, 0, None)


def test_what_was_told_by_the_dead_process_itself_is_not_told_again(make_spool):
    dead = make_spool(max_bytes=10_000)
    put_many(dead, 1000)
    lost = dead.stats().lost
    dead.forget_losses()
    dead.abandon()
    heir = make_spool()
    assert len(drain(heir.backlog())) == 1000 - lost
    assert (heir.backlog(), heir.stats().lost) == (None, 0)


def test_events_that_waited_in_memory_when_the_process_was_killed_are_told(make_spool):
    dead = make_spool()
    put_many(dead, 5)
    with no_room_on_disk():
        put_many(dead, 5, first=5)
    dead.abandon()
    heir = make_spool()
    assert drain(heir.backlog()) == [f"e{n:04}" for n in range(5)]
    assert (heir.backlog(), heir.stats().lost) == (None, 5)


@pytest.mark.parametrize("at", [0, 40, 170])
def test_what_is_logged_behind_a_cut_of_a_running_client_arrives(make_spool, at):
    spool = make_spool()
    put_many(spool, 5)
    spool.acknowledge(spool.read(3, 10_000)[-1].position)
    (path,) = spool.directory.glob("*.events")
    os.truncate(path, at)
    put_many(spool, 5, first=5)
    assert drain(spool) == [f"e{n:04}" for n in range(5, 10)]
    assert (spool.stats().lost, spool.waiting) == (2, 0)
    put_many(spool, 1, first=10)
    assert drain(spool) == ["e0010"]


def test_closed_files_that_somebody_deletes_are_told_and_open_ones_are_written_again(make_spool):
    spool = make_spool(segment_bytes=500)
    put_many(spool, 40)
    spool.tend()
    assert len(files(spool)) == 6
    # The spool's own thread may be amid bringing some of them to a slow disk.
    wait_until(lambda: len(open_segments(spool)) == 2, "the end of closing the others")
    shutil.rmtree(spool.directory)
    spool.tend()
    left = files(spool)
    assert 3 <= len(left) < 6  # what was open still: read next, or not yet synced; and a new one
    put_many(spool, 1, first=40)
    lost = spool.stats().lost
    assert 0 < lost < 35
    spool.abandon()
    heir = make_spool()
    assert len(drain(heir.backlog())) == 41 - lost
    assert heir.backlog() is None
    assert heir.losses().count == lost


@posix
def test_files_are_their_users_alone_whatever_the_umask(make_spool):
    before = os.umask(0)
    try:
        spool = make_spool()
        put_many(spool, 2)
        spool.reject(spool.read(1, 1000)[0], "not liked")
    finally:
        os.umask(before)
    assert spool.directory.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in spool.directory.iterdir()} == {0o600}
    assert len(files(spool, "*")) == 3


@posix
def test_below_a_folder_of_somebody_else_each_user_has_his_own(tmp_path, monkeypatch):
    own = spool_directory(tmp_path, "http://lab.example:8001/")
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    assert spool_directory(tmp_path, "http://lab.example:8001/").name.startswith(f"{own.name}-user")
    missing = tmp_path / "missing"
    assert spool_directory(missing, "http://lab.example:8001/").name == own.name


def test_a_full_spool_drops_whole_old_segments_and_says_so(make_spool):
    spool = make_spool(max_bytes=10_000)
    put_many(spool, 1000)
    assert sum(path.stat().st_size for path in spool.directory.glob("*.events")) <= 10_000
    stats = spool.stats()
    assert stats.queued + stats.lost == 1000
    assert stats.lost == spool.losses().count
    spool.tend()  # or its own thread
    wait_until(
        lambda: "events are lost: the spool is full" in (spool.last_trouble or ""), "the trouble"
    )
    assert drain(spool) == [f"e{n:04}" for n in range(stats.lost, 1000)]


def test_losses_survive_the_process(make_spool):
    dead = make_spool(max_bytes=10_000)
    put_many(dead, 1000)
    losses = dead.losses()
    dead.abandon()
    heir = make_spool()
    drain(heir.backlog())
    heir.backlog()
    assert heir.losses() == losses


def test_a_full_spool_that_blocks_waits_for_room_and_not_for_ever(make_spool):
    spool = make_spool(max_bytes=10_000, full_policy="block", block_seconds=0.2)
    put_many(spool, 100)
    started = time.monotonic()
    while not spool.stats().lost:
        spool.append(body("x"))
    assert 0.2 <= time.monotonic() - started < 5
    waiting = make_spool("other", max_bytes=10_000, full_policy="block", block_seconds=30)
    put_many(waiting, 100)
    thread = threading.Thread(target=put_many, args=(waiting, 100, "", 100))
    thread.start()
    deadline = time.monotonic() + 20
    while thread.is_alive() and time.monotonic() < deadline:
        batch = waiting.read(10, 10_000)
        if batch:
            waiting.acknowledge(batch[-1].position)
    thread.join(1)
    assert not thread.is_alive()
    assert waiting.stats().lost == 0


def test_what_was_inherited_makes_room_for_what_is_new(make_spool):
    dead = make_spool(segment_bytes=1000)
    put_many(dead, 300)
    dead.abandon()
    spool = make_spool(max_bytes=8000)
    assert spool.backlog() is not None
    spool.tend()
    assert spool.stats().lost > 0
    put_many(spool, 10)
    assert len(drain(spool)) == 10


@posix
def test_without_a_place_on_disk_events_wait_in_memory_with_one_warning(tmp_path):
    (tmp_path / "file").write_text("in the way")
    spool = Spool(tmp_path / "file" / "spool")
    put_many(spool, 10)
    spool.tend()
    assert "wait in memory" in spool.last_trouble
    put_many(spool, 10, first=10)
    assert drain(spool) == [f"e{n:04}" for n in range(20)]


@posix
def test_a_full_disk_is_left_and_returned_to_in_order(make_spool):
    spool = make_spool()
    put_many(spool, 5)
    with no_room_on_disk():
        put_many(spool, 5, first=5)
        spool.tend()
        assert "wait in memory" in spool.last_trouble
        spool._look_at = 0.0
        spool.tend()
        assert not spool._writer._current.is_on_disk
        put_many(spool, 5, first=10)
    spool._look_at = 0.0
    spool.tend()
    put_many(spool, 5, first=15)
    assert spool._writer._current.is_on_disk
    assert drain(spool) == [f"e{n:04}" for n in range(20)]
    spool.rest()
    assert files(spool, "*") == []


@contextlib.contextmanager
def no_room_on_disk():
    """Let files have no byte more than the first few, as the system sees it."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_memory_is_bounded_too(tmp_path):
    (tmp_path / "file").write_text("in the way")
    settings = SpoolSettings(max_bytes=80_000, memory_max_bytes=30_000)
    spool = Spool(tmp_path / "file" / "spool", settings)
    put_many(spool, 2000)
    stats = spool.stats()
    assert 0 < stats.queued < 1000
    assert stats.queued + stats.lost == 2000
    assert drain(spool) == [f"e{n:04}" for n in range(stats.lost, 2000)]


@posix
def test_a_vanished_directory_is_made_again_and_nothing_is_lost(make_spool, tmp_path):
    spool = make_spool()
    put_many(spool, 5)
    # At once: of files that go one by one some may be made again before the last has gone.
    shutil.rmtree(spool.directory.rename(tmp_path / "away"))
    put_many(spool, 5, first=5)
    spool._look_at = 0.0
    spool.tend()
    put_many(spool, 5, first=10)
    assert files(spool)
    assert len(files(spool, "*.lock")) == 1
    spool.abandon()
    assert drain(make_spool().backlog()) == [f"e{n:04}" for n in range(15)]


@pytest.mark.parametrize("policy", ["none", "interval", "always"])
def test_syncing_is_done_as_set(make_spool, monkeypatch, policy):
    synced = []
    spool = make_spool(fsync=policy, fsync_interval=0.05)

    def sync(segment):  # of this spool: others may still be around
        if segment.path is not None and segment.path.parent == spool.directory:
            synced.append(segment.count)

    monkeypatch.setattr(Segment, "sync", sync)
    put_many(spool, 3)
    wait_until(lambda: not spool._writer._unsynced_since)
    spool.rest()
    assert {"none": synced == [], "always": synced[:3] == [1, 2, 3], "interval": 3 in synced}[policy]


def test_events_are_synced_while_a_server_hangs(make_client, peer, monkeypatch, tmp_path):
    synced = []
    monkeypatch.setattr(Segment, "sync", lambda self: synced.append(self.count))
    peer.script = [(0, {})]
    client = make_client(
        event_server=peer.url,
        spool_dir=tmp_path / "spool",
        spool_fsync_interval_seconds=0.05,
        timeout_default=30,
    )
    client.info("the server hangs over this")
    wait_until(lambda: peer.requests)
    client.info("this one waits")
    wait_until(lambda: 2 in synced)
    peer.hold.set()
    assert client.flush(10)


@posix
def test_a_handler_that_interrupts_an_append_keeps_its_event_at_once(make_spool):
    spool = make_spool(segment_bytes=2000)
    handled, numbers = [], itertools.count()

    def handle(*_):
        name = f"h{next(numbers)}"  # in one step, since a handler may be interrupted by the next one
        handled.append(name)
        spool.append(body(name))

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
    try:
        put_many(spool, 5000)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    spool.tend()
    found = drain(spool)
    assert [name for name in found if name[0] == "e"] == [f"e{n:04}" for n in range(5000)]
    assert sorted(name for name in found if name[0] == "h") == sorted(handled)
    assert spool.settled_position == spool.last_position == 5000 + len(handled)


@posix
def test_strangers_among_the_files_stop_nobody_and_nothing_is_written_through_links(
    make_spool, tmp_path
):
    precious = tmp_path / "precious"
    precious.write_text("of somebody else")
    dead = make_spool()
    put_many(dead, 3)
    dead.abandon()
    token = next(dead.directory.glob("*.lock")).name.removesuffix(".lock")
    os.mkfifo(dead.directory / f"{token}-000002.events")
    (dead.directory / f"{token}-000003.events").symlink_to(precious)
    (dead.directory / f"{token}-000004.events").mkdir()
    os.mkfifo(dead.directory / "01AAAAAAAAAAAAAAAAAAAAAAAA-1.lock")
    os.mkfifo(dead.directory / "01AAAAAAAAAAAAAAAAAAAAAAAA-1-000001.events")
    (dead.directory / "01BBBBBBBBBBBBBBBBBBBBBBBB-1.lock").symlink_to(precious)
    (dead.directory / "01BBBBBBBBBBBBBBBBBBBBBBBB-1-000001.events").symlink_to(precious)
    (dead.directory / FILE_NAME).symlink_to(precious)
    heir = make_spool()
    put_many(heir, 2, first=10)
    assert drain(heir.backlog()) == ["e0000", "e0001", "e0002"]
    assert heir.backlog() is None
    heir.reject(heir.read(1, 1000)[0], "not liked")
    assert drain(heir) == ["e0010", "e0011"]
    assert precious.read_text() == "of somebody else"


@posix
def test_file_numbers_that_the_program_closed_and_got_anew_are_left_to_it(make_spool, tmp_path):
    spool = make_spool()
    put_many(spool, 3)
    taken = [spool._writer._current._file.number, spool._lane._lock_file._file.number]
    for number in taken:  # as a daemon closes all, and opens its own
        with (tmp_path / f"data{number}.bin").open("wb") as theirs:
            os.dup2(theirs.fileno(), number)
    put_many(spool, 3, first=3)
    spool._look_at = 0.0
    spool.tend()
    assert drain(spool) == [f"e{n:04}" for n in range(6)]
    spool.rest()
    for number in taken:
        os.write(number, b"DATA")  # nobody closed it before
        os.close(number)
        assert (tmp_path / f"data{number}.bin").read_bytes() == b"DATA"
    assert spool.stats().lost == 0
    assert files(spool, "*") == []


def test_rejected_events_are_lines_of_json_and_bounded(tmp_path):
    file = RejectedFile(tmp_path, max_bytes=1000)
    file.add(b'{"event_id":"a"}', "not liked")
    file.add(b"\x00 no json", "damaged")
    first, second = map(json.loads, file.path.read_text().splitlines())
    assert (first["reason"], first["event"]) == ("not liked", {"event_id": "a"})
    assert second["raw"] == "\x00 no json"
    for _ in range(100):
        file.add(b'{"event_id":"b"}', "not liked")
    assert sum(path.stat().st_size for path in tmp_path.glob("*.ndjson*")) <= 2000
    assert len(list(tmp_path.glob("*.ndjson*"))) == 2


def test_the_directory_of_a_server_has_a_readable_name_and_no_password(tmp_path):
    name = spool_directory(tmp_path, "http://user:secret@lab.example:8001/").name
    assert name.startswith("lab.example-8001-")
    assert "secret" not in name
    assert name != spool_directory(tmp_path, "https://lab.example:8001/").name


def test_the_sender_ships_orphans_puts_the_refused_aside_and_tells_of_losses(make_spool):
    dead = make_spool()
    put_many(dead, 3)
    dead.abandon()
    spool = make_spool(max_bytes=10_000)
    put_many(spool, 300, first=100)
    lost = spool.stats().lost
    assert lost
    transport = RecordingTransport()
    transport.reports = [SendReport(1, rejected=(Rejection(0, "bad"),))]
    sender = Sender(spool, transport, SenderSettings(backoff=Backoff(base=0.001)))
    assert sender.flush(10)
    sender.leave(sender)
    names = [event.event_id for event in transport.events]
    assert {"e0001", "e0002"} <= set(names)
    (told,) = [event for event in transport.events if event.event_type.value == "log_warning"]
    assert told.event_data["lost_events"] == lost
    assert f"{lost} events were lost" in told.event_data["message"]
    assert sender.stats().rejected == 1
    assert "bad" in (spool.directory / FILE_NAME).read_text()
    assert files(spool) == []
