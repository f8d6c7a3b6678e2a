"""A lab is played into a server that is killed meanwhile: its reports are true, and agree."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from madsci.common.clock import from_us, to_us
from madsci.demo.truth import NodeTruth, Span, Truth, WorkflowTruth
from support.server import ServerProcess, wait_until

pytestmark = pytest.mark.slow

DAYS = 3
UNTIL = "2026-03-27T09:30:00Z"
"""A Friday, so that shifts go over three midnights."""
LENGTHS = ("hourly", "daily", "weekly", "monthly")
HOUR = 3_600_000_000


class Played:
    """A server with the events of a lab, and what really happened in it."""

    def __init__(self, server: ServerProcess, truth: Truth) -> None:
        self.server = server
        self.truth = truth
        begin, end = truth.window
        times = f"start_time={_zulu(begin - HOUR)}&end_time={_zulu(end + HOUR)}"
        self.sessions = server.get(f"utilization/sessions?{times}")
        self.users = server.get(f"utilization/users?{times}")
        self.periods = {
            length: server.get(
                f"utilization/periods?analysis_type={length}&user_timezone=Europe/Berlin&{times}"
            )
            for length in LENGTHS
        }


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    folder = tmp_path_factory.mktemp("played")
    server = ServerProcess(folder)
    server.start()
    try:
        truth = folder / "truth.json"
        with _demo(server, truth) as demo:
            for stored in (2_000, 6_000):
                wait_until(lambda stored=stored: _stored(server) > stored, "events of the lab")
                server.kill()
                server.start()
            said, _ = demo.communicate(timeout=300)
        assert demo.returncode == 0, said
        server.kill()
        server.start()
        wait_until(lambda: _lag(server) == 0, "the end of the feed")
        yield Played(server, Truth.from_json(truth.read_bytes()))
    finally:
        server.stop()


def _demo(server: ServerProcess, truth: Path) -> subprocess.Popen[str]:
    flags = ["--days", str(DAYS), "--until", UNTIL, "--url", server.url, "--truth", str(truth)]
    return subprocess.Popen(
        [sys.executable, "-m", "madsci.demo", "--disturbed", *flags],
        cwd=server.directory,
        env=server.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _stored(server: ServerProcess) -> int:
    number: int = server.get("health")["total_events"]
    return number


def _lag(server: ServerProcess) -> int | None:
    lags = {one["name"]: one["lag"] for one in server.get("followers")["followers"]}
    return lags["utilization"]


def _zulu(at: int) -> str:
    return from_us(at).replace(tzinfo=None).isoformat() + "Z"


def _us(text: str) -> int:
    return to_us(datetime.fromisoformat(text).replace(tzinfo=timezone.utc))


def _micro(seconds: float) -> int:
    return round(seconds * 1_000_000)


def _within(spans: tuple[Span, ...], window: Span) -> int:
    return sum(max(0, min(end, window[1]) - max(begin, window[0])) for begin, end in spans)


def test_each_session_is_exactly_as_long_as_it_was(played):
    found = sorted(
        (
            one["session_type"],
            one["session_id"],
            one["session_name"],
            _us(one["start_time"]),
            _us(one["end_time"]),
        )
        for one in played.sessions["session_details"]
    )
    expected = sorted((one.kind, one.id, one.name, one.begin, one.end) for one in played.truth.sessions)
    assert found == expected
    assert len(found) > 2 * DAYS


def test_each_node_was_busy_as_long_as_is_known_and_at_most_as_is_unknown_more(played):
    truth = {one.id: one for one in played.truth.nodes}
    for length, report in played.periods.items():
        assert set(report["node_summary"]) == set(truth)
        for id_, node in report["node_summary"].items():
            known, unknown = _micro(node["total_busy_seconds"]), _micro(node["total_unknown_seconds"])
            busy = _within(truth[id_].busy, (0, 1 << 62))
            assert known <= busy <= known + unknown, (length, truth[id_].name)
            assert known > 0.8 * busy, "nearly all of it is known"
    assert played.sessions["overall_summary"]["nodes_tracked"] == len(truth)


def test_each_node_was_so_in_each_session_too(played):
    truth = {one.id: one for one in played.truth.nodes}
    looked_at = 0
    for session in played.sessions["session_details"]:
        window = _us(session["start_time"]), _us(session["end_time"])
        for id_, node in session["node_utilizations"].items():
            _check_node(truth[id_], node, window)
            looked_at += 1
    assert looked_at > len(truth) * DAYS


def _check_node(truth: NodeTruth, node: dict[str, Any], window: Span) -> None:
    times = {name: _micro(one["seconds"]) for name, one in node["timing"].items()}
    busy = _within(truth.busy, window)
    assert times["busy_time"] <= busy <= times["busy_time"] + times["unknown_time"], truth.name
    parts = ("busy_time", "idle_time", "error_time", "inactive_time", "unknown_time")
    assert sum(times[name] for name in parts) == times["total_time"] == window[1] - window[0]
    assert node["node_name"] == truth.name


def test_each_hour_has_of_each_node_what_it_did_then(played):
    truth = {one.id: one for one in played.truth.nodes}
    hours = {one["period_number"]: one for one in played.periods["hourly"]["time_series"]["system"]}
    begins = {number: _us(one["start_time_utc"]) for number, one in hours.items()}
    for id_, rows in played.periods["hourly"]["time_series"]["nodes"].items():
        for row in rows:
            begin = begins[row["period_number"]]
            end = begins.get(row["period_number"] + 1, played.truth.window[1] + HOUR)
            known, unknown = _micro(row["busy_seconds"]), _micro(row["unknown_seconds"])
            busy = _within(truth[id_].busy, (begin, end))
            assert known <= busy <= known + unknown, (truth[id_].name, row["period_display"])


def test_each_workflow_whose_end_is_told_took_what_it_took_to_the_microsecond(played):
    truth = {one.id: one for one in played.truth.workflows}
    found = {
        one["workflow_id"]: (author, one)
        for author, user in played.users["user_utilization"].items()
        for one in user["workflows"]
    }
    assert set(found) <= set(truth)
    assert {one.id for one in truth.values() if one.begin is not None} <= set(found)
    ended = 0
    for id_, (author, workflow) in found.items():
        if workflow["end_time"] is not None:
            _check_workflow(truth[id_], author, workflow)
            ended += 1
    assert 0.93 * len(truth) < ended < len(truth), "2 % of the ends never came"


def _check_workflow(truth: WorkflowTruth, author: str, workflow: dict[str, Any]) -> None:
    assert _us(workflow["end_time"]) == truth.end
    assert (workflow["workflow_name"], author) == (truth.name, truth.author)
    assert workflow["status"] == truth.outcome
    if truth.begin is None:
        assert workflow["duration_seconds"] is None
    else:
        assert _us(workflow["start_time"]) == truth.begin
        assert _micro(workflow["duration_seconds"]) == truth.end - truth.begin


def test_all_experiments_are_counted(played):
    number = len({one.id for one in played.truth.experiments})
    assert played.sessions["overall_summary"]["total_experiments"] == number
    for report in played.periods.values():
        assert report["key_metrics"]["total_experiments"] == number


def test_periods_of_all_lengths_add_up_to_the_same(played):
    sums = []
    for report in played.periods.values():
        metrics, series = report["key_metrics"], report["time_series"]
        names = ("runtime_seconds", "active_time_seconds", "unknown_time_seconds")
        together = [sum(_micro(one[name]) for one in series["system"]) for name in names]
        assert together == [_micro(metrics[f"total_{name}"]) for name in names]
        for id_, rows in sorted(series["nodes"].items()):
            busy = sum(_micro(one["busy_seconds"]) for one in rows)
            assert busy == _micro(report["node_summary"][id_]["total_busy_seconds"])
            together.append(busy)
        sums.append(together)
    assert sums == [sums[0]] * len(LENGTHS)
    assert all(one > 0 for one in sums[0])


def test_another_kill_changes_nothing_that_was_reported(played):
    played.server.kill()
    played.server.start()
    wait_until(lambda: _lag(played.server) == 0, "the end of the feed")
    again = Played(played.server, played.truth)
    for before, after in ((played.sessions, again.sessions), (played.users, again.users)):
        for one in (before, after):
            one["report_metadata"].pop("generated_at")
        assert after == before
    for length in LENGTHS:
        for name in ("key_metrics", "node_summary", "time_series", "experiment_details"):
            assert again.periods[length][name] == played.periods[length][name]
