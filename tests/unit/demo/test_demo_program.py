"""The demo plays a lab into a server, and says what came of it."""

from __future__ import annotations

import json
import tempfile
from datetime import datetime, timezone
from pathlib import Path

import pytest

from madsci.common.clock import from_us, to_us
from madsci.common.errors import SettingsError
from madsci.demo.command_line import read_command_line
from madsci.demo.disturbances import disturb, undisturbed
from madsci.demo.lab import LabPlan
from madsci.demo.life import simulate
from madsci.demo.playing import paced, play, playing_client
from madsci.demo.program import main
from madsci.demo.shifts import window_of
from madsci.demo.truth import Truth
from support.scripted_peer import Peer, PeerServer, make_handler
from support.server import free_port
from support.serving import serving

NOW = to_us(datetime(2026, 3, 6, 17, 30, tzinfo=timezone.utc))
SMALL = ("--days", "1", "--until", "2026-03-06T12:00")


@pytest.fixture
def peer():
    peer = Peer()
    server = PeerServer(("127.0.0.1", 0), make_handler(peer))
    peer.url = f"http://127.0.0.1:{server.server_port}"
    with serving(server, peer.hold.set):
        yield peer


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """The folder for what is temporary: a test can see what is left there."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("EVENT_CLIENT_CLOSE_TIMEOUT_SECONDS", "0.1")
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture(scope="module")
def small():
    """A morning."""
    return simulate(LabPlan(begin=datetime(2026, 3, 6, 5, tzinfo=timezone.utc), days=1))


def test_every_event_reaches_the_server_as_it_is_and_nothing_is_left_behind(peer, temporary, small):
    with playing_client(peer.url) as client:
        played = play(undisturbed(small).deliveries, client)
    assert (played.events, played.is_delivered, played.rejected) == (len(small.happenings), True, 0)
    assert peer.events.keys() == {one.event_id for one in small.happenings}
    for one in small.happenings:
        stored, sent = peer.events[one.event_id], one.as_event()
        assert stored["event_timestamp"].replace("Z", "+00:00") == sent.pop("event_timestamp")
        assert {name: stored[name] for name in sent} == sent
    assert list(temporary.iterdir()) == []


def test_what_a_server_refuses_is_counted(peer, small):
    peer.refused_ids = {small.happenings[3].event_id}
    with playing_client(peer.url) as client:
        played = play(undisturbed(small).deliveries[:10], client)
    assert (played.is_delivered, played.rejected) == (True, 1)


def test_what_a_server_does_not_take_stays_where_the_demo_says(peer, temporary, small, capsys):
    peer.script = [(503, {})] * 10_000
    with playing_client(peer.url) as client:
        played = play(undisturbed(small).deliveries[:10], client, patience=0.02)
    (folder,) = temporary.iterdir()
    assert not played.is_delivered
    assert str(folder) in capsys.readouterr().err
    peer.script = []
    assert client.flush(30)


def test_what_is_played_comes_at_its_pace(peer, small):
    deliveries = disturb(small, 1, late=0.5, duplicates=0.5).deliveries[:50]
    waited_for = []
    with playing_client(peer.url) as client:
        play(deliveries, client, waited_for.append)
    assert waited_for == [one.arrives for one in deliveries]


def test_a_pace_does_not_wait_for_what_is_past_or_beyond_the_end():
    wait = paced(0, 1_000_000, speed=1e6)
    wait(-5)
    wait(10**18)


def test_the_program_tells_what_was_sent_and_where_to_look(peer, tmp_path, capsys):
    assert main([*SMALL, "--url", peer.url, "--truth", "truth.json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    first, _, *commands = out.splitlines()
    assert first.startswith(f"Sent {len(peer.events):,} events of a day")
    assert [command.strip() for command in commands] == [
        f"curl '{peer.url}/utilization/sessions'",
        f"curl '{peer.url}/utilization/periods?analysis_type=daily'",
        f"curl '{peer.url}/metrics/lab'",
    ]
    truth = Truth.from_json((tmp_path / "truth.json").read_bytes())
    told = {document["event_data"].get("action_id") for document in peer.events.values()} - {None}
    assert told == {action.id for action in truth.actions}


def test_the_same_seed_and_time_are_the_same_events_so_that_they_are_stored_once(peer):
    assert main([*SMALL, "--url", peer.url, "--seed", "3"]) == 0
    first = json.dumps(sorted(peer.events))
    assert main([*SMALL, "--url", peer.url, "--seed", "3"]) == 0
    assert json.dumps(sorted(peer.events)) == first


def test_a_disturbed_play_says_how_it_was_disturbed(peer, capsys):
    assert main([*SMALL, "--url", peer.url, "--disturbed", "--speed", "1e9"]) == 0
    assert "came late" in capsys.readouterr().out


def test_a_server_that_is_not_there_is_told_in_one_sentence(temporary, monkeypatch, capsys):
    monkeypatch.setenv("EVENT_CLIENT_RETRY_ENABLED", "false")
    assert main([*SMALL, "--url", f"http://127.0.0.1:{free_port()}"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "does not answer" in err
    assert len(err.splitlines()) == 1
    assert list(temporary.iterdir()) == []


def test_a_truth_that_cannot_be_written_is_told_before_anything_is_sent(peer, capsys):
    assert main([*SMALL, "--url", peer.url, "--truth", "no/such/folder.json"]) == 1
    assert "no/such/folder.json" in capsys.readouterr().err
    assert peer.events == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--days", "many"], "--days is a whole number, not many."),
        (["--days", "0"], "--days is a number from 1"),
        (["--speed", "-1"], "--speed is a number greater than 0"),
        (["--until", "soonish"], "--until cannot be used"),
        (["--zone", "Europe/Atlantis"], "Europe/Atlantis"),
        (["--sped", "3"], "did you mean --speed?"),
        (["--url", "ftp://nowhere"], "URL"),
    ],
)
def test_a_wrong_flag_is_told_with_the_way_to_help(words, said, temporary, capsys):
    assert main(words) == 2
    err = capsys.readouterr().err
    assert said in err
    assert "--help" in err
    assert list(temporary.iterdir()) == []


def test_help_shows_all_flags(capsys):
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    for flag in ("url", "days", "seed", "speed", "until", "zone", "truth", "disturbed"):
        assert f"  --{flag}" in out


def test_by_default_thirty_days_are_played_that_end_now_at_once():
    wanted = read_command_line([], NOW)
    begin, end = window_of(wanted.plan)
    assert end == NOW
    assert from_us(begin) == datetime(2026, 2, 4, 17, 30, tzinfo=timezone.utc)
    assert (wanted.url, wanted.speed) == ("http://localhost:8001", None)
    assert not wanted.is_disturbed


def test_flags_say_which_lab_when_and_how_it_is_played():
    words = [
        "--days=60",
        "--until",
        "2026-04-10",
        "--zone",
        "Europe/Berlin",
        "--seed",
        "9",
        "--speed",
        "60",
    ]
    wanted = read_command_line([*words, "--truth", "t.json", "--disturbed"], NOW)
    begin, end = map(from_us, window_of(wanted.plan))
    assert begin == datetime(2026, 2, 8, 23, tzinfo=timezone.utc)
    assert end == datetime(2026, 4, 9, 22, tzinfo=timezone.utc)  # clocks were set meanwhile
    assert (wanted.plan.seed, wanted.speed, wanted.truth) == (9, 60.0, Path("t.json"))
    assert wanted.is_disturbed


def test_a_time_that_does_not_exist_as_days_before_is_refused():
    with pytest.raises(SettingsError, match="until"):
        read_command_line(["--until", "0001-01-02"], NOW)
