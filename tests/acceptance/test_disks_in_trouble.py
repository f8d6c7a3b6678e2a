"""A server on a disk that fails, hangs, can only be read, or loses its power."""

from __future__ import annotations

import random
import resource
import threading

import pytest

from support.disks import Disk
from support.load import Load
from support.server import ServerProcess, wait_until
from support.trouble import becomes_healthy, becomes_unhealthy, gets, has_all, takes_events, tells


@pytest.mark.slow
def test_events_are_taken_again_after_io_errors(tmp_path):
    """A limit to the size of files makes writes fail, as a bad disk does."""
    server = ServerProcess(tmp_path).start()
    with Load(server, threads=2, pause=0.01) as load:
        wait_until(lambda: len(load.acknowledged) > 200, "some events")
        limits = resource.prlimit(
            server.process.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY)
        )
        becomes_unhealthy(server, "cannot be")
        tells(server, 1, "ERROR")
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, limits)
        becomes_healthy(server)
        tells(server, 1, "This is over")
    has_all(server, load)
    assert server.log.read_text().count("ERROR") == 1
    server.stop()


@pytest.mark.slow
def test_a_disk_that_can_only_be_read_is_told(server_on_disk, disk):
    """What was acknowledged until then is there.

    Of what is synced in the very milliseconds in which it gives itself up, the file system may say that
    it is on disk, and drop it.
    """
    server = server_on_disk
    server.start()
    with Load(server, threads=2, pause=0.01) as load:
        gets(load, 200)
        before = set(load.acknowledged)
        disk.become_read_only()
        becomes_unhealthy(server, "events.db")
        after = len(load.acknowledged)
        tells(server, 1, "ERROR")
        assert server.request("GET", "events?number=1").status == 200
        server.kill()
    assert len(load.acknowledged) == after
    disk.unmount()
    disk.mount()
    server.start()
    assert before <= {event["_id"] for event in server.query({})}
    server.stop()


@pytest.mark.slow
def test_a_disk_that_hangs_is_told_and_holds_up_no_answer_about_it(server_on_disk, disk):
    server = server_on_disk
    server.start()
    assert takes_events(server)
    with Load(server, threads=2, pause=0.01):
        with disk.frozen():
            becomes_unhealthy(server, "has not answered for", 8)
            tells(server, 1, "ERROR")
        becomes_healthy(server)
        tells(server, 1, "This is over")
    assert takes_events(server)
    server.stop()


def lose_power(server: ServerProcess, disk: Disk, load: Load) -> None:
    gets(load, 20)
    threading.Event().wait(random.uniform(0.0, 0.3))  # the moment of the cut is the test
    disk.cut_off()
    becomes_unhealthy(server, "events.db")
    server.kill()
    disk.unmount()
    disk.mount()
    server.start()
    has_all(server, load)


def test_a_power_cut_loses_nothing_that_was_acknowledged(server_on_disk, disk):
    server = server_on_disk
    server.start()
    with Load(server, threads=2, pause=0.01) as load:
        lose_power(server, disk, load)
    server.stop()


@pytest.mark.slow
def test_power_cuts_again_and_again(server_on_disk, disk):
    server = server_on_disk
    server.start()
    with Load(server, threads=4, pause=0.05, size=5) as load:  # the disk is small
        for _ in range(20):
            lose_power(server, disk, load)
    has_all(server, load)
    server.stop()


@pytest.mark.slow
def test_a_start_on_a_disk_that_can_only_be_read_says_so(server_on_disk, disk):
    server = server_on_disk
    server.start()
    assert takes_events(server)
    server.stop()
    disk.unmount()
    disk.mount("ro")
    assert server.launch().wait(30) == 1
    told = server.log.read_text()
    assert "Read-only file system" in told
    assert "Traceback" not in told
