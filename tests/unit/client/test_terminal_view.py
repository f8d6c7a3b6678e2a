"""The terminal view as its user meets it: a program, its output and its exit code."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.live_peer import event_line, live_peer, place, standing_line
from support.server import free_port, wait_until

PROGRAM = [sys.executable, "-m", "madsci.event_manager.tail"]


@pytest.fixture
def peer():
    with live_peer() as peer:
        yield peer


def begin(*flags: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PROGRAM, *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def run(*flags: str, **environment: str) -> tuple[int, str, str]:
    """The exit code of a view that ends by itself, and what it wrote."""
    with begin(*flags, **environment) as view:
        out, err = view.communicate(timeout=60)
        return view.returncode, out, err


def test_events_are_shown_as_they_come_until_ctrl_c_which_tells_how_to_go_on(peer):
    peer.happen(2)
    with begin("--url", peer.url, "--since", place(0)) as view:
        assert "Plate 1" in view.stdout.readline()
        assert "Plate 2" in view.stdout.readline()
        peer.happen()
        assert "Plate 3 number=3" in view.stdout.readline()
        view.send_signal(signal.SIGINT)
        assert view.wait(30) == 130
        assert view.stdout.read() == ""
        assert view.stderr.read() == f"\nGo on from here with: --since {place(3)}\n"


def test_ctrl_c_before_the_server_answers_is_quiet(peer):
    peer.script = [lambda reply: reply.wait()]
    with begin("--url", peer.url) as view:
        wait_until(lambda: peer.asked, "the question")
        view.send_signal(signal.SIGINT)
        assert view.wait(30) == 130
        assert view.stderr.read() == ""


def test_the_settings_of_clients_give_the_address_and_the_server_does_the_choosing(peer):
    code, out, err = run("--no-follow", "--text", "jam", "--level", "error", EVENT_SERVER_URL=peer.url)
    assert (code, out, err) == (0, "", "")
    (asked,) = peer.asked
    assert json.loads(asked.body) == {"$text": {"$search": "jam"}}
    assert (asked.params["level"], asked.params["since"]) == ("40", "last:10")


def test_without_following_it_ends_where_history_ends(peer):
    peer.happen(3)
    code, out, _ = run("--url", peer.url, "--no-follow", "--since", place(1), "--json")
    assert code == 0
    assert [json.loads(line)["event_id"] for line in out.splitlines()] == ["e0002", "e0003"]


def test_a_reader_who_has_seen_enough_ends_the_view_though_no_more_events_come(peer):
    peer.happen(2)
    with begin("--url", peer.url, "--since", place(0)) as view:
        assert "Plate 1" in view.stdout.readline()
        view.stdout.close()
        assert view.wait(30) == 0
        assert view.stderr.read() == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize(
    ("output", "code", "said"),
    [(">/dev/full", 1, "The output cannot be written: No space left on device"), (">&-", 0, "")],
)
def test_an_output_that_takes_nothing_is_told_without_a_traceback(peer, output, code, said):
    peer.happen()
    command = f"{shlex.join(PROGRAM)} --url {peer.url} --since {place(0)} {output}"
    ended = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == code
    assert ended.stderr.startswith(said)
    assert ended.stderr.count("\n") == bool(said)


def test_a_break_and_its_end_are_told_beside_the_events(peer):
    peer.happen(2)
    peer.script = [lambda reply: reply.begin().write(standing_line(0), event_line(1))]
    with begin("--url", peer.url, "--since", place(0)) as view:
        assert ["Plate 1" in view.stdout.readline(), "Plate 2" in view.stdout.readline()] == [
            True,
            True,
        ]
        assert "broke off and will be resumed" in view.stderr.readline()
        assert "goes on" in view.stderr.readline()
        view.kill()


def test_what_was_deleted_is_told(peer):
    said = standing_line(5, is_live=False, missed=5), event_line(6), standing_line(6)
    peer.script = [lambda reply: reply.begin().write(*said).wait()]
    code, out, err = run("--url", peer.url, "--no-follow", "--since", "start")
    assert (code, "Plate 6" in out) == (0, True)
    assert "5 entries were deleted" in err


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--colour"], "Unknown flag --colour"),
        (["--level", "loud"], "is not a level"),
        (["--selector", "x"], "is not JSON"),
        (["--url", "nonsense"], "event_server_url"),
    ],
)
def test_a_wrong_flag_is_a_sentence_and_code_2(peer, flags, sentence):
    code, out, err = run("--url", peer.url, *flags)
    assert (code, out) == (2, "")
    assert sentence in err
    assert "--help" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_goes_to_the_output(flag):
    code, out, err = run("--level", flag)
    assert (code, err) == (0, "")
    assert "--selector JSON" in out


def test_no_server_is_a_sentence_and_code_2():
    code, _, err = run()
    assert code == 2
    assert "--url" in err


def test_a_server_that_is_not_there_is_a_sentence_and_code_1():
    code, _, err = run("--url", f"http://127.0.0.1:{free_port()}", EVENT_CLIENT_RETRY_ENABLED="false")
    assert code == 1
    assert "does not answer" in err
    assert "Traceback" not in err


def test_a_place_that_the_server_does_not_know_is_a_wrong_flag(peer):
    peer.script = [lambda reply: reply.refuse(400, "No position of this store.")]
    code, _, err = run("--url", peer.url, "--since", "mine-1")
    assert code == 2
    assert "No position of this store." in err


@pytest.mark.skipif(sys.platform == "win32", reason="terminals are others there")
@pytest.mark.parametrize("no_color", ["", "1"])
def test_a_terminal_gets_colours_unless_its_user_wants_none(peer, no_color):
    peer.happen()
    controlling, terminal = os.openpty()
    flags = ["--url", peer.url, "--since", place(0), "--no-follow"]
    environment = {**os.environ, "NO_COLOR": no_color}
    view = subprocess.run([*PROGRAM, *flags], stdout=terminal, env=environment, timeout=60, check=True)
    os.close(terminal)
    shown = os.read(controlling, 10_000)
    os.close(controlling)
    assert view.returncode == 0
    assert b"Plate 1" in shown
    assert (b"\033[" in shown) is not bool(no_color)


def test_an_output_that_lacks_letters_gets_escapes(peer):
    peer.script = [
        lambda reply: reply.begin().write(
            standing_line(0, is_live=False), event_line(1, event_data={"message": "☃ Zürich"}),
            standing_line(1),
        ).wait()
    ]  # fmt: skip
    code, out, err = run("--url", peer.url, "--no-follow", PYTHONIOENCODING="ascii")
    assert (code, err) == (0, "")
    assert "\\u2603 Z\\xfcrich" in out
