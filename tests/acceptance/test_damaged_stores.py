"""Damaged files: every undamaged event is answered as it was, and everything else is named."""

from __future__ import annotations

import json
import random
from collections import Counter

import pytest

from support.damages import TREES, Original, Verdict, damage_file, damage_tree, judge
from support.server import ServerProcess, wait_until

SIZE = 600


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> dict[bool, Original]:
    """A store that was closed, and one whose process was killed, with a part in its log."""
    folder = tmp_path_factory.mktemp("originals")
    return {
        killed: Original.make(folder / f"killed-{killed}", SIZE, killed=killed)
        for killed in (False, True)
    }


def trial(originals: dict[bool, Original], folder, number: int) -> Verdict:
    """Damage a copy in a way that the number chooses, open it, and judge what it says."""
    dice = random.Random(number)
    killed = number % 3 == 0
    original = originals[killed]
    path = original.copy(folder / str(number))
    if number % 3 == 1:
        what = damage_tree(path, dice.choice(TREES), dice)
    else:
        files = ["events.db", "events.db-wal", "events.db-wal", "events.db-shm"]
        what = damage_file(path.parent / (dice.choice(files) if killed else "events.db"), dice)
    try:
        return judge(path, original)
    except AssertionError as error:
        raise AssertionError(f"trial {number}, {what}: {error}") from error


@pytest.mark.parametrize("number", range(15))
def test_whole_events_are_answered_and_all_others_named(originals, tmp_path, number):
    trial(originals, tmp_path, number)


@pytest.mark.slow
@pytest.mark.parametrize("first", [100, 200, 300, 400, 500])
def test_whole_events_are_answered_and_all_others_named_a_hundred_times(originals, tmp_path, first):
    outcomes = Counter(trial(originals, tmp_path, first + one).outcome for one in range(100))
    # The damages are of a kind that makes each of these happen.
    assert {"whole", "passed over", "ends early", "StoreDamagedError"} <= outcomes.keys()


def event(number: int) -> dict:
    return {
        "event_id": f"{number:026}",
        "event_type": "log_info",
        "log_level": 20,
        "event_timestamp": f"2026-01-02T03:04:05.{number:06}Z",
        "source": {"node_id": f"n{number % 3}"},
        "event_data": {"message": f"Plate {number}", "code": f"<code-{number:06}>"},
    }


def flip(path, text: bytes) -> int:
    """Change one byte of a text wherever a file has it; return how often that was."""
    content = path.read_bytes()
    found = content.count(text)
    path.write_bytes(content.replace(text, text[:1] + bytes([text[1] ^ 0x80]) + text[2:]))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("killed", [False, True], ids=["after a stop", "after kill -9"])
def test_one_damaged_byte_in_one_of_a_thousand_events(tmp_path, killed):
    server = ServerProcess(tmp_path).start()
    try:
        for start in range(0, 1_000, 100):
            lines = "\n".join(json.dumps(event(start + one)) for one in range(100))
            reply = server.request("POST", "events", lines, {"Content-Type": "application/x-ndjson"})
            assert reply.status == 200
        if killed:
            server.kill()
            server.start()  # the log is copied into the file
        server.stop()
        assert flip(server.database, b"<code-000500>") == 1
        server.start()
        everything = list(server.query({}))
        assert {one["event_id"] for one in everything} == {
            f"{number:026}" for number in range(1_000) if number != 500
        }
        assert server.get("events/count")["count"] == 999
        assert len(server.get("events?number=1000")) == 999
        exported = server.request("GET", "events/export?format=csv")
        assert exported.status == 200
        assert len(exported.body.splitlines()) == 1_000
        assert b"<code-000499>" in exported.body
        one = server.request("GET", f"event/{500:026}")
        assert one.status == 500
        assert f"{500:026} (number " in one.json["detail"]
        assert "Send it again, or look for it in a backup" in one.json["detail"]
        again = server.post("events", [event(500)])
        assert again.status == 200
        assert server.get(f"event/{500:026}")["event_data"] == event(500)["event_data"]
        assert server.get("events/count")["count"] == 1_000
        assert server.log.read_text().count("is passed over") == 1
        assert f"{500:026}" in server.log.read_text()
    finally:
        server.stop()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_a_server_that_was_killed_and_whose_files_were_damaged(tmp_path, seed):
    """With a real process: what it says is right, or it does not start and says what to do."""
    dice = random.Random(seed)
    server = ServerProcess(tmp_path).start()
    try:
        for start in range(0, 600, 20):
            lines = "\n".join(json.dumps(event(start + one)) for one in range(20))
            server.request("POST", "events", lines, {"Content-Type": "application/x-ndjson"})
        sent = {one["event_id"]: one for one in server.query({})}
        assert len(sent) == 600
        server.kill()
        ending = ("", "-wal", "-shm")[seed % 3]
        damage_file(tmp_path / f"events.db{ending}", dice)
        process = server.launch()
        process_ended = _ended_or_answers(server)
        text = server.log.read_text()
        if process_ended:
            assert process.returncode != 0
            assert "Traceback" not in text
            assert "recover" in text or "restore" in text, text
            return
        got = {one["event_id"]: one for one in server.query({})}
        for event_id in got.keys() & sent.keys():
            assert got[event_id] == sent[event_id]
        # What is more is the server's own word about what is missing.
        assert len(got.keys() - sent.keys()) == (": " in text and "are missing" in text)
        missing = sent.keys() - got.keys()
        assert server.get("events/count")["count"] == len(got)
        named = {event_id for event_id in missing if event_id in text}
        assert named == missing or f": {len(missing - named)} events " in text, text
    finally:
        server.stop()


def _ended_or_answers(server: ServerProcess) -> bool:
    """Wait for either; tell whether it ended."""

    def state() -> str:
        if server.process.poll() is not None:
            return "ended"
        try:
            server.request("GET", "events?number=1")
        except OSError:
            return ""
        return "answers"

    return wait_until(state, "an end or an answer") == "ended"
