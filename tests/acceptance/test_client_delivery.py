"""What a log call has taken reaches the server once and in order, whatever dies on the way.

Clients are processes of their own. Each reports the calls that have returned through a file, so that
after a kill -9 it is known what must not be lost.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from support.peers import (
    CUT_AFTER,
    CUT_BEFORE,
    HANG,
    BadPeer,
    one_by_one_front,
    randomly,
    running_peer,
)
from support.server import ServerProcess, free_port, wait_until

FEW, ALL = 500, 10_000
ONE_BY_ONE = 2_500
"""As many as a server without batches gets at most: each costs a request, and a sync."""

# Arguments: URL, directory, origin, how many, pause after each hundred, what else to do, and how to
# become the process that logs.
CLIENT = """
import multiprocessing, os, sys, threading, time
url, directory, origin, count, pause, extra, method = sys.argv[1:]
count = int(count)
if extra == "clock":
    real = time.time_ns
    start = real()
    time.time_ns = lambda: real() - (3_600_000_000_000 if real() - start > 20_000_000 else 0)
from madsci.client.event_client import EventClient

def log(origin, first, last):
    for number in range(first, last):
        client.info("moved", origin=origin, number=number, text="x" * 60)
        os.write(returned, b"%s %d\\n" % (origin.encode(), number))
        if float(pause) and number % 100 == 99:
            time.sleep(float(pause))

def handle(signal_number, frame):
    number, handled[0] = handled[0], handled[0] + 1  # a handler may be interrupted by the next
    client.info("signal", origin=origin + ".signal", number=number, text="")
    os.write(returned, b"%s.signal %d\\n" % (origin.encode(), number))

def run():
    global client, returned, handled
    client = EventClient(
        name="robot", event_server_url=url, log_dir=directory + "/logs", spool_dir=directory + "/spool",
        retry_backoff_factor=0.02, close_timeout_seconds=600,
        spool_max_bytes=int(os.environ.get("ROOM", 536870912)),
    )
    returned = os.open(f"{directory}/{origin}.returned", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    handled = [0]
    if extra == "threads":
        threads = [
            threading.Thread(target=log, args=(f"{origin}.{n}", 0, count // 8)) for n in range(8)
        ]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
    elif extra == "fork":
        log(origin, 0, count // 2)
        child = os.fork()
        if child:
            log(origin, count // 2, count * 3 // 4)
            os.waitpid(child, 0)
        else:
            log(f"{origin}.child", 0, count // 4)
    elif extra == "signals":
        import signal
        signal.signal(signal.SIGALRM, handle)
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        log(origin, 0, count)
        signal.setitimer(signal.ITIMER_REAL, 0)
    else:
        log(origin, 0, count)
    if extra == "exit":
        os._exit(0)
    client.close()

if __name__ == "__main__":
    if method == "itself":
        run()
    else:
        process = multiprocessing.get_context(method).Process(target=run)
        process.start()
        process.join()
"""

LIVES = [
    (FEW, "itself"),
    *(
        pytest.param(life, marks=pytest.mark.slow)
        for life in [(ALL, "itself"), (FEW, "fork"), (FEW, "forkserver"), (FEW, "spawn")]
    ),
]


@pytest.fixture(params=LIVES, ids=lambda life: f"{life[0]} by {life[1]}")
def life(request):
    """How many events a drill has, and how the process that logs them came to be."""
    return request.param


@pytest.fixture
def count(life, request):
    chosen = request.node.callspec.params
    has_batches = chosen.get("server") != "one by one" and chosen.get("has_batches", True)
    return life[0] if has_batches else min(life[0], ONE_BY_ONE)


class Clients:
    """The processes of a drill that log to one address from one directory."""

    def __init__(self, directory: Path, method: str) -> None:
        self.directory = directory
        self.program = directory / "robot.py"
        self.program.write_text(CLIENT)
        self.method = method
        self.url = ""
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, origin, count, pause=0.0, extra="", **environment) -> subprocess.Popen[bytes]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("EVENT_", "MADSCI_"))}
        words = [self.program, self.url, self.directory, origin, count, pause, extra, self.method]
        process = subprocess.Popen(
            [sys.executable, *map(str, words)],
            cwd=self.directory,
            env={**inherited, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # the console, as lines on stderr
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """kill -9 of a process and of its children."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def finish(self, seconds: float = 600) -> None:
        for process in self.processes:
            process.wait(seconds)

    def returned(self) -> dict[str, list[int]]:
        """The numbers of the calls that have returned, by origin, in order."""
        found = defaultdict(list)
        for path in self.directory.glob("*.returned"):
            for line in path.read_text().splitlines():
                origin, number = line.split()
                found[origin].append(int(number))
        return dict(found)

    def waiting_files(self) -> list[str]:
        return [path.name for path in self.directory.glob("spool/*/*.events")]


@pytest.fixture(params=["in batches", pytest.param("one by one", marks=pytest.mark.slow)])
def server(tmp_path, request) -> Iterator[ServerProcess]:
    """An Event Manager that is not started yet; in half of the tests it knows POST /event only."""
    server = ServerProcess(tmp_path)
    with contextlib.ExitStack() as stack:
        if request.param == "one by one":
            server.address = stack.enter_context(one_by_one_front(server.port))
        yield server
        if server.process is not None:
            server.kill()


@pytest.fixture
def clients(tmp_path, request) -> Iterator[Clients]:
    is_many = "life" in request.fixturenames
    started = Clients(tmp_path, request.getfixturevalue("life")[1] if is_many else "itself")
    yield started
    for process in started.processes:
        started.kill(process)


def by_origin(rows) -> dict[str, list[int]]:
    found = defaultdict(list)
    for origin, number in rows:
        found[origin].append(int(number))
    return dict(found)


def stored(server: ServerProcess) -> dict[str, list[int]]:
    """What the server has committed, in the order of commits."""
    if not server.database.exists():
        return {}
    with contextlib.closing(
        apsw.Connection(str(server.database), flags=apsw.SQLITE_OPEN_READONLY)
    ) as database:
        database.set_busy_timeout(5000)
        return by_origin(
            database.execute(
                "SELECT event_data->>'origin', event_data->>'number' FROM events"
                " WHERE event_data->>'origin' IS NOT NULL ORDER BY seq"
            )
        )


def arrived(peer: BadPeer) -> dict[str, list[int]]:
    return by_origin((data["origin"], data["number"]) for data in peer.data() if "origin" in data)


def total(found: dict[str, list[int]]) -> int:
    return sum(map(len, found.values()))


def assert_delivered(there: dict[str, list[int]], returned: dict[str, list[int]]) -> None:
    """Everything taken is there once and in order; at most the call that was cut off is more."""
    for origin, numbers in returned.items():
        assert there[origin][: len(numbers)] == numbers
        assert there[origin][len(numbers) :] in ([], [len(numbers)])


def start_helper_until_delivered(clients: Clients, count_now) -> None:
    """Start the program once more, as after a crash: it ships what the dead ones left."""
    clients.start("helper", 1)
    expected = total(clients.returned())
    wait_until(lambda: count_now() >= expected, "what the dead left behind", seconds=100)


def test_a_server_that_starts_at_the_end_gets_everything(server, clients, count):
    clients.url = server.address
    clients.start("a", count)
    wait_until(lambda: len(clients.returned().get("a", [])) == count)
    server.start()
    clients.finish()
    assert_delivered(stored(server), {"a": list(range(count))})
    assert clients.waiting_files() == []


def test_kill_9_of_the_server_in_the_burst_costs_nothing(server, clients, count):
    kills = 1 if count == FEW else 10
    server.start()
    clients.url = server.address
    clients.start("a", count, pause=0.02 if count == FEW else 0.1)
    for number in range(1, kills + 1):
        goal = count * number // (kills + 2)
        wait_until(lambda goal=goal: total(stored(server)) >= goal)
        server.kill()
        server.start()
    clients.finish()
    assert_delivered(stored(server), {"a": list(range(count))})


def lines_in(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def kill_clients_at_random(clients: Clients, count: int, lives: range, seed: int) -> None:
    """Each life of the client logs on where the one before was killed, under a new origin."""
    chance = random.Random(seed)
    for life in lives:
        process = clients.start(f"life{life}", count)
        goal = chance.randint(1, count - 1)
        path = clients.directory / f"life{life}.returned"
        wait_until(lambda path=path, goal=goal: lines_in(path) >= goal)
        clients.kill(process)


def test_kill_9_of_the_client_loses_no_call_that_had_returned(server, clients, count):
    count, kills = (FEW, 2) if count == FEW else (count // 4, 8)
    server.start()
    clients.url = server.address
    kill_clients_at_random(clients, count, range(kills), seed=1)
    start_helper_until_delivered(clients, lambda: total(stored(server)))
    clients.finish()
    assert_delivered(stored(server), clients.returned())
    assert clients.waiting_files() == []


def test_kill_9_of_both_loses_no_call_that_had_returned(server, clients, count):
    count, kills = (FEW, 2) if count == FEW else (count // 4, 8)
    server.start()
    clients.url = server.address
    for life in range(kills):
        kill_clients_at_random(clients, count, range(life, life + 1), seed=life)
        if life % 2 == 0:
            server.kill()
        else:
            server.start()
    if kills % 2:
        server.start()
    start_helper_until_delivered(clients, lambda: total(stored(server)))
    clients.finish()
    assert_delivered(stored(server), clients.returned())
    assert clients.waiting_files() == []


@pytest.mark.parametrize("has_batches", [True, False])
@pytest.mark.parametrize("moods", [(500, 503, 429), (CUT_BEFORE, CUT_AFTER), (HANG,)])
def test_bad_moods_of_a_server_cost_nothing(clients, count, has_batches, moods):
    share = 0.5 if has_batches else 0.02
    peer = BadPeer(randomly(*moods, seed=count, share=share), has_batches=has_batches)
    if moods == (HANG,):
        left = [2]
        peer.mood = lambda: HANG if left[0] and not left.__setitem__(0, left[0] - 1) else "well"
    with running_peer(peer):
        clients.url = peer.url
        clients.start("a", count, pause=0.01)
        if moods == (HANG,):
            wait_until(lambda: peer.requests >= 1)
            wait_until(lambda: len(clients.returned().get("a", [])) == count)
            peer.released.set()
        clients.finish()
        assert_delivered(arrived(peer), {"a": list(range(count))})


def test_eight_threads_in_four_processes_of_one_name_stay_in_order(server, clients, count):
    server.start()
    clients.url = server.address
    for number in range(4):
        clients.start(f"p{number}", count // 4, extra="threads")
    clients.finish()
    there = stored(server)
    assert len(there) == 32
    assert total(there) == count // 32 * 32
    assert_delivered(there, clients.returned())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.parametrize("is_down", [False, True])
def test_a_fork_in_the_middle_sends_what_each_has_logged_once(server, clients, count, is_down):
    clients.url = server.address
    if not is_down:
        server.start()
    clients.start("a", count, extra="fork")
    if is_down:
        wait_until(lambda: total(clients.returned()) == count)
        server.start()
    clients.finish()
    there = stored(server)
    assert_delivered(there, {"a": list(range(count * 3 // 4)), "a.child": list(range(count // 4))})
    assert total(there) == count


def test_a_clock_that_is_set_back_changes_no_order(server, clients, count):
    server.start()
    clients.url = server.address
    clients.start("a", count, pause=0.01, extra="clock")
    clients.finish()
    assert_delivered(stored(server), {"a": list(range(count))})


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no timer signals on this system")
def test_signal_handlers_that_log_lose_nothing(clients, count):
    with running_peer(BadPeer()) as peer:
        clients.url = peer.url
        clients.start("a", count, extra="signals")
        clients.finish()
        there, returned = arrived(peer), clients.returned()
        assert there["a"] == returned["a"] == list(range(count))
        assert sorted(there["a.signal"]) == sorted(returned["a.signal"])


def test_os_exit_leaves_everything_to_the_next_process(clients):
    with running_peer(BadPeer(lambda: 503)) as peer:
        clients.url = peer.url
        clients.start("a", FEW, extra="exit").wait(30)
        assert clients.waiting_files() != []
        peer.mood = lambda: "well"
        start_helper_until_delivered(clients, lambda: total(arrived(peer)))
        clients.finish()
        assert_delivered(arrived(peer), {"a": list(range(FEW))})
        assert clients.waiting_files() == []


def test_a_running_process_ships_what_another_left(clients):
    with running_peer(BadPeer(lambda: 503)) as peer:
        clients.url = peer.url
        clients.start("dead", FEW, extra="exit").wait(30)
        peer.mood = lambda: "well"
        clients.start("a", 2_000, pause=0.5)
        wait_until(lambda: total(arrived(peer)) >= FEW + 200)
        assert arrived(peer)["dead"] == list(range(FEW))


@pytest.mark.slow
def test_what_a_full_spool_drops_is_told_to_the_server(clients):
    port = free_port()
    clients.url = f"http://127.0.0.1:{port}/"
    process = clients.start("a", ALL, ROOM="1000000")
    wait_until(lambda: total(clients.returned()) == ALL)
    with running_peer(BadPeer(), port) as peer:
        process.wait(60)
        (told,) = [data for data in peer.data() if "lost_events" in data]
        there = arrived(peer)["a"]
    assert told["lost_events"] + len(there) == ALL
    assert there == list(range(ALL - len(there), ALL))
    assert told["lost_from"] < told["lost_until"]
    assert f"{told['lost_events']} events were lost" in told["message"]


def test_the_time_of_a_log_call_does_not_depend_on_the_server(clients):
    with running_peer(BadPeer(lambda: HANG)) as peer:
        clients.url = peer.url
        started = time.monotonic()
        clients.start("a", FEW)
        wait_until(lambda: total(clients.returned()) == FEW)
        assert time.monotonic() - started < 15
