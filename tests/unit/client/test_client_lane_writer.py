"""Appending to a lane: signal handlers that log, wherever they come, lose and damage nothing."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import pytest

from madsci.client.spool import lane, lane_lock, lane_writer, segments, tending
from madsci.client.spool import spool as spool_module
from madsci.client.spool.lane_writer import SpoolSettings
from madsci.client.spool.spool import Spool
from support.interruptions import Interruptions

INTERRUPTED_FILES = {
    module.__file__ for module in (spool_module, lane, lane_lock, lane_writer, segments, tending)
}


def body(event_id):
    return b'{"event_id":"%b","event_data":"%b"}' % (event_id.encode(), b"x" * (len(event_id) * 7))


@pytest.fixture
def spool(tmp_path):
    spool = Spool(tmp_path / "spool", SpoolSettings(fsync="none"))
    spool.append(body("first"))
    yield spool
    spool.abandon()


def interrupted_append(spool, name, places, *, error=None):
    """Append an event, and others at places within that; return their names and the opcodes passed."""
    names = [name]

    def handle():
        names.append(f"{name}-{len(names)}")
        spool.append(body(names[-1]))
        if error is not None:
            raise error

    interruptions = Interruptions(handle, places, INTERRUPTED_FILES.__contains__)
    with contextlib.suppress(ZeroDivisionError):
        interruptions.run(lambda: spool.append(body(name)))
    return names, interruptions.passed


def drain(spool):
    found = []
    while batch := spool.read(100, 1_000_000):
        found += [event.event_id for event in batch]
        spool.acknowledge(batch[-1].position)
    return found


def file_bytes(spool):
    return sum(path.stat().st_size for path in Path(spool.directory).glob("*.events"))


def test_one_or_two_handlers_at_any_place_of_an_append_lose_nothing(spool):
    drain(spool)
    _, last = interrupted_append(spool, "measured", ())
    drain(spool)
    random.seed(1)
    pairs = [(place,) for place in range(1, last + 1)]
    pairs += [(place, place + random.randrange(1, 80)) for (place,) in pairs * 4]
    for number, places in enumerate(pairs):
        names, _ = interrupted_append(spool, f"e{number}", places)
        assert spool.stats().queued == len(names), places
        found = drain(spool)
        assert sorted(found) == sorted(names), places
        assert spool.stats().queued == 0
        assert spool.settled_position == spool.last_position
    assert spool.stats().lost == 0
    spool.tend()
    assert spool.last_trouble is None


@pytest.mark.slow
def test_a_handler_at_any_place_of_the_very_first_append_loses_nothing(tmp_path):
    place = passed = 1
    while place <= passed:
        spool = Spool(tmp_path / str(place), SpoolSettings(fsync="none"))
        names, passed = interrupted_append(spool, "first", (place,))
        assert sorted(drain(spool)) == sorted(names), place
        assert spool.settled_position == spool.last_position == len(names)
        spool.rest()
        place += 1


def test_an_exception_out_of_a_handler_leaves_what_was_written_whole(spool):
    drain(spool)
    _, last = interrupted_append(spool, "measured", ())
    drain(spool)
    for place in range(1, last + 1):
        names, _ = interrupted_append(spool, f"e{place}", (place,), error=ZeroDivisionError())
        later = f"later{place}"
        spool.append(body(later))
        spool.tend()
        assert spool.last_trouble is None
        found = drain(spool)
        assert {names[1], later} <= set(found) <= {*names, later}, place
        assert spool.stats().queued == 0
    assert spool.stats().lost == 0


@pytest.mark.slow
@pytest.mark.parametrize("limit", [1_200, 4_000])
def test_handlers_at_any_place_while_the_spool_is_full_are_all_accounted_for(tmp_path, limit):
    spool = Spool(tmp_path / "spool", SpoolSettings(fsync="none", max_bytes=limit))
    random.seed(2)
    put = 0
    for number in range(600):
        names, _ = interrupted_append(spool, f"e{number}", (random.randrange(1, 400),))
        put += len(names)
        assert file_bytes(spool) <= limit + 600
    spool.tend()
    stats = spool.stats()
    assert stats.lost > 0
    assert stats.queued + stats.lost == put
    assert len(drain(spool)) == stats.queued
    assert spool.stats().queued == 0
    spool.rest()


@pytest.mark.slow
def test_what_a_finalizer_appends_amid_reading_and_settling_is_counted(tmp_path):
    """The garbage collector runs a driver's ``__del__``, which logs, amid whatever a thread does."""
    place, passed = random.randrange(1, 4), 3
    while place <= passed:
        settings = SpoolSettings(fsync="none", segment_bytes=150)
        spool = Spool(tmp_path / str(place), settings)
        for number in range(4):
            spool.append(body(f"e{number}"))
        spool.abandon()
        spool = Spool(tmp_path / str(place), settings)
        names = ["a", "b", "c"]
        for name in names:
            spool.append(body(name))

        def finalize(spool=spool, names=names):  # not at the last places, when a run is shorter
            names.append("late")
            spool.append(body("late"))

        found = []

        def settle(spool=spool, found=found):
            batch = spool.read(2, 10_000)
            found.extend(event.event_id for event in batch)
            spool.acknowledge(batch[-1].position)

        interruptions = Interruptions(finalize, (place,), INTERRUPTED_FILES.__contains__)
        interruptions.run(settle)
        passed = interruptions.passed
        assert spool.stats().queued == len(names) - len(found), place
        assert found + drain(spool) == names, place
        assert (spool.waiting, spool.settled_position) == (0, len(names))
        assert drain(spool.backlog()) == ["e0", "e1", "e2", "e3"]
        assert spool.backlog() is None
        assert spool.stats().lost == 0
        spool.rest()
        assert list(spool.directory.iterdir()) == []
        place += 3
