"""Signal handlers may log at any place of a log call: nothing is lost, and nothing stands still."""

from __future__ import annotations

import json
import random
import threading
from pathlib import Path

import pytest

import madsci.client
import madsci.common
from madsci.client.testing import RecordingTransport
from support.interruptions import Interruptions
from support.log_writers import lines_in

OURS = (str(Path(madsci.client.__file__).parent), str(Path(madsci.common.__file__).parent))
pytestmark = pytest.mark.timeout(60, method="thread")


def is_traced(filename: str) -> bool:
    return filename.startswith(OURS) or filename == threading.__file__


class Robot:
    """A client whose log calls are interrupted."""

    def __init__(self, client):
        self.client = client
        self.logged: list[str] = []

    def log(self):
        self.logged.append(f"e{len(self.logged)}")
        self.client.info("moved", plate=self.logged[-1])

    def interrupted(self, places, handler=None):
        """Log once, interrupted at these places; return how many places there are."""
        interruptions = Interruptions(handler or self.log, places, is_traced)
        interruptions.run(self.log)
        return interruptions.passed


@pytest.fixture(params=["on disk", "in memory"])
def make_robot(request, make_client, peer):
    """Make robots whose events wait on disk or in memory, with what has come of each at its server."""

    def on_disk():
        peer.events.clear()
        robot = Robot(make_client(event_server_url=peer.url))
        return robot, lambda: [event["event_data"]["plate"] for event in peer.events.values()]

    def in_memory():
        server = RecordingTransport()
        robot = Robot(make_client(transport=server))
        return robot, lambda: [event.event_data["plate"] for event in server.events]

    return on_disk if request.param == "on disk" else in_memory


def places_of_a_first_call(make_robot) -> int:
    robot, _ = make_robot()
    places = robot.interrupted(())
    assert robot.client.flush(20)
    robot.client.close()
    return places


@pytest.mark.slow
def test_a_handler_that_logs_may_come_at_any_place_of_a_log_call(make_robot):
    robot, arrived = make_robot()
    robot.log()
    places = robot.interrupted(())
    random.seed(3)
    for place in range(1, places + 1, 2):
        robot.interrupted((place, place + random.randrange(1, 100)))
    assert robot.client.flush(20)
    assert sorted(arrived()) == sorted(robot.logged)


@pytest.mark.parametrize("number", [250, pytest.param(100_000, marks=pytest.mark.slow)])
def test_file_and_console_have_every_line_once_wherever_a_handler_comes(
    make_client, capsys, tmp_path, number
):
    robots = RotatingRobots(make_client, tmp_path, capsys)
    robot = robots.another()
    places = max(robot.interrupted(()) for _ in range(30))  # one of them rotates
    for place in range(1, places + 1, max(places // number, 1)):
        if len(robot.logged) > 250:  # each rotation looks at all files there are: few keep it short
            robots.assert_all_written_once(robot)
            robot = robots.another()
        robot.interrupted((place,))
    robots.assert_all_written_once(robot)


class RotatingRobots:
    """Robots that write to the console and to a log of small files, each to a folder of its own."""

    def __init__(self, make_client, folder, capsys):
        self._make_client = make_client
        self._folder = folder
        self._capsys = capsys
        self._made = 0

    def another(self) -> Robot:
        self._made += 1
        settings = {"log_max_bytes": 2000, "log_backup_count": 10_000, "log_console_enabled": True}
        log_dir = self._folder / f"{self._made}"
        client = self._make_client(**settings, log_compression_enabled=False, log_dir=log_dir)
        robot = Robot(client)
        robot.log()
        return robot

    def assert_all_written_once(self, robot) -> None:
        assert sorted(plates(self._folder / f"{self._made}")) == sorted(robot.logged)
        shown = [line.rpartition("plate=")[2] for line in self._capsys.readouterr().err.splitlines()]
        assert sorted(shown) == sorted(robot.logged)
        robot.client.close()


def plates(folder):
    return [json.loads(line)["event_data"]["plate"] for line in lines_in(folder)]


def test_the_very_first_log_call_may_be_interrupted(make_robot):
    places = places_of_a_first_call(make_robot)
    for place in range(1, places + 1, max(places // 60, 1)):
        robot, arrived = make_robot()
        robot.interrupted((place,))
        assert robot.client.flush(20), place
        assert sorted(arrived()) == sorted(robot.logged), place
        robot.client.close()


@pytest.mark.slow
def test_a_handler_may_wait_for_the_server_and_close_the_client(make_robot):
    places = places_of_a_first_call(make_robot)
    for place in range(1, places + 1, max(places // 60, 1)):
        robot, arrived = make_robot()

        def handle(robot=robot):
            robot.log()
            robot.client.flush(0.001)
            robot.client.close()

        robot.log()
        robot.interrupted((place,), handle)
        assert robot.client.flush(20), place
        assert sorted(set(arrived())) == sorted(robot.logged), place
        robot.client.close()
