"""A program's last second: what is logged there is kept, sent where there is time, and stops nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.peers import HANG, BadPeer, running_peer
from support.server import free_port

START = """
import os, sys, threading, time
URL = sys.argv[1]
def client(**settings):
    from madsci.client.event_client import EventClient
    return EventClient(event_server=URL, name="robot", close_timeout_seconds=4, **settings)
"""
# Each logs, among others, one event "last" as late as it can.
ENDINGS = {
    "a __del__ when modules are taken apart": """
class Driver:
    def __init__(self):
        self.log = client()
        self.log.info("opened")
    def __del__(self):
        self.log.info("last")
driver = Driver()
""",
    "a __del__ beside threads that log without end": """
class Driver:
    def __init__(self):
        self.log = client()
    def __del__(self):
        self.log.info("last")
driver = Driver()
talking = {}  # what the frames of stopped threads know is not taken apart
exec("def talk(log):\\n    while True:\\n        log.info('again')", talking)
for _ in range(3):
    threading.Thread(target=talking["talk"], args=[driver.log], daemon=True).start()
time.sleep(0.05)
""",
    "a __del__ with the very first call": """
class Driver:
    log = client()
    def __del__(self):
        self.log.info("last")
driver = Driver()
""",
    "a cycle that only the last collection finds": """
import gc
gc.disable()
class Driver:
    def __init__(self):
        self.me, self.log = self, client()
    def __del__(self):
        self.log.info("last")
Driver()
""",
    "an exit handler that was there before us": """
import atexit
atexit.register(lambda: log.info("last"))
log = client()
""",
    "an exit handler that was there before us, after others were delivered": """
import atexit
atexit.register(lambda: log.info("last"))
log = client()
log.info("first")
""",
    "logging's own shutdown": """
import logging, logging.handlers
from madsci.client.logging_handler import EventClientHandler
handler = logging.handlers.MemoryHandler(100, target=EventClientHandler(client()))
logging.getLogger().addHandler(handler)
logging.getLogger().error("last")
""",
    "weakref.finalize": """
import weakref
class Port: pass
port = Port()
weakref.finalize(port, lambda: log.info("last"))
log = client()
""",
    "a thread that outlives the main one": """
log = client()
def work():
    threading.main_thread().join()
    log.info("last")
threading.Thread(target=work).start()
""",
    "after close": """
log = client()
log.info("first")
log.close()
log.info("last")
""",
    "after a with block": """
with client() as log:
    log.info("first")
log.info("last")
""",
    "an exception that ends the program": """
log = client()
def hook(kind, error, trace):
    log.error("last", exc_info=error)
    os._exit  # never called: the program ends as Python ends it
sys.excepthook = hook
1 / 0
""",
    "sys.exit in the middle of a block": """
with client() as log:
    log.info("last")
    sys.exit(0)
""",
}


AFTER_PYTHON = [name for name in ENDINGS if "__del__" in name or "cycle" in name]
"""Nothing can be sent any more where Python itself is being taken apart."""


def run(code: str, url: str, directory: Path, seconds: float = 30) -> subprocess.CompletedProcess[str]:
    """Run a program; a hang is a failure."""
    path = directory / "program.py"
    path.write_text(START + code)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("EVENT_", "MADSCI_"))}
    settings = {
        "EVENT_SERVER_URL": url,
        "EVENT_CLIENT_SPOOL_DIR": str(directory / "spool"),
        "EVENT_CLIENT_LOG_DIR": str(directory / "logs"),
    }
    return subprocess.run(
        [sys.executable, str(path), url],
        check=False,
        cwd=directory,
        env={**kept, **settings},
        capture_output=True,
        text=True,
        timeout=seconds,
    )


def spooled(directory: Path) -> list[str]:
    """The messages of the events that wait."""
    texts = [path.read_text() for path in directory.glob("spool/*/*.events")]
    bodies = [json.loads(line.split(" ", 3)[3]) for text in texts for line in text.splitlines()]
    return [body["event_data"]["message"] for body in bodies]


def arrived(peer: BadPeer) -> list[str]:
    return [data["message"] for data in peer.data() if "message" in data]


def assert_quiet(ended: subprocess.CompletedProcess[str]) -> None:
    assert ended.returncode >= 0, "a signal ended it"
    assert "Exception ignored" not in ended.stderr
    assert "Error in" not in ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_logged_last_arrives_or_waits(tmp_path, ending):
    with running_peer(BadPeer()) as peer:
        ended = run(ENDINGS[ending], peer.url, tmp_path)
        assert_quiet(ended)
        found = arrived(peer) + spooled(tmp_path)
        assert found.count("last") == 1
        if ending not in AFTER_PYTHON:
            assert "last" in arrived(peer)


@pytest.mark.slow
@pytest.mark.parametrize("ending", ENDINGS)
def test_with_the_server_away_the_program_ends_in_its_time_and_everything_waits(tmp_path, ending):
    started = time.monotonic()
    ended = run(ENDINGS[ending], f"http://127.0.0.1:{free_port()}", tmp_path)
    closed = 4 if "after" in ending else 0
    assert time.monotonic() - started < closed + 4 + 4  # the client's time, and Python's own
    assert_quiet(ended)
    assert spooled(tmp_path).count("last") == 1


@pytest.mark.parametrize("mood", [HANG, 503])
def test_closing_takes_its_time_once_and_so_does_the_end(tmp_path, mood):
    with running_peer(BadPeer(lambda: mood)) as peer:
        code = """
log = client()
log.info("last")
begun, began_at = time.monotonic(), time.time()
log.close(1.0)
print(time.monotonic() - begun, began_at)
"""
        ended = run(code, peer.url, tmp_path)
        ended_at = time.time()
        peer.released.set()
    took, began_at = map(float, ended.stdout.split())
    assert 0.9 <= took < 3
    assert ended_at - began_at < 4  # not the four seconds of the end on top
    assert spooled(tmp_path) == ["last"]
    assert "They wait in" in ended.stderr


@pytest.mark.slow
def test_a_spool_in_memory_says_what_it_loses(tmp_path):
    ended = run(
        'log = client(spool_enabled=False)\nfor n in range(3): log.info("x")\n',
        f"http://127.0.0.1:{free_port()}", tmp_path,
    )  # fmt: skip
    assert "3 events were not delivered before the end" in ended.stderr
    assert "They are lost, since spool_enabled is off" in ended.stderr


CHILDREN = {
    method: f"""
import multiprocessing
def work(number):
    log = client()
    for n in range(25):
        log.info("x", child=number, n=n)
if __name__ == "__main__":
    context = multiprocessing.get_context("{method}")
    children = [context.Process(target=work, args=(n,)) for n in range(4)]
    for child in children: child.start()
    for child in children: child.join()
"""
    for method in ("fork", "forkserver", "spawn")
}
CHILDREN["a pool that is shut down"] = """
from multiprocessing import Pool
def work(number):
    client().info("x", child=number, n=0)
if __name__ == "__main__":
    log = client()
    log.info("x", child=-1, n=0)
    with Pool(4) as pool:
        pool.map(work, range(99))
"""
CHILDREN["a pool of a program that has no client itself"] = """
from multiprocessing import Pool
from madsci.client.event_client import EventClient
def work(number):
    EventClient(name="worker").info("x", child=number, n=0)
if __name__ == "__main__":
    with Pool(4) as pool:
        pool.map(work, range(100))
"""
CHILDREN["an executor of processes"] = """
from concurrent.futures import ProcessPoolExecutor
log = client()
def work(number):
    log.info("x", child=number, n=0)
if __name__ == "__main__":
    log.info("x", child=-1, n=0)
    with ProcessPoolExecutor(4) as pool:
        list(pool.map(work, range(99)))
"""
CHILDREN["workers that are forked beforehand and end at once"] = """
log = client()
log.info("x", child=-1, n=0)
for number in range(3):
    if os.fork() == 0:
        for n in range(33):
            log.info("x", child=number, n=n)
        os._exit(0)
for _ in range(3):
    os.wait()
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.parametrize("way", CHILDREN)
def test_what_children_logged_has_arrived_when_the_program_has_ended(tmp_path, way):
    with running_peer(BadPeer()) as peer:
        ended = run(CHILDREN[way], peer.url, tmp_path, 60)
        assert ended.returncode == 0, ended.stderr
        there = [(data["child"], data["n"]) for data in peer.data() if "child" in data]
        assert len(set(there)) == 100
        assert spooled(tmp_path) == []


@pytest.mark.skipif(not hasattr(os, "chroot"), reason="there is no chroot on this system")
@pytest.mark.parametrize("way", ["packages are gone", "another root"])
def test_a_program_that_loses_its_packages_before_its_first_log_call_delivers(tmp_path, way):
    lose = "sys.meta_path.clear(); sys.path.clear(); sys.path_importer_cache.clear()"
    if way == "another root":
        if os.geteuid() != 0:
            pytest.skip("only root may change the root")
        (tmp_path / "root").mkdir()
        lose = f"os.chroot({str(tmp_path / 'root')!r}); os.chdir('/'); {lose}"
    code = f"""
log = client(log_level=0)
{lose}
log.info("first", plate="P7")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("second", values=[1.5, {{1, 2}}], when=time)
log.bind(step=3).warning("third", stack_info=True)
print(log.flush(5), flush=True)
"""
    with running_peer(BadPeer()) as peer:
        ended = run(code, peer.url, tmp_path)
        assert ended.stdout.strip() == "True", ended.stderr
        assert arrived(peer) == ["first", "second", "third"]
        assert "[EventClient" not in ended.stderr
