"""A MongoDB server that is away, full, somebody else's for a while, or something else altogether."""

from __future__ import annotations

import http.server
import os
import signal
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from madsci.event_manager.stores.mongo import turns
from madsci.event_manager.stores.mongo.connection import connect
from madsci.event_manager.stores.mongo.presence import EXCLUSIVE, SERVERS
from support.mongo_servers import running_ferretdb
from support.server import ServerProcess, free_port, running_server, wait_until

QUICK = "serverSelectionTimeoutMS=300"


@pytest.fixture
def web_server():
    """The port of a server of another kind."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


USUAL = [
    ("mongodb://127.0.0.1:DOWN/?QUICK", "No MongoDB server answers for madsci_events"),
    ("MONGODB/?tls=true&tlsCAFile=/none.pem", "file that tlsCAFile of db_url names cannot be read"),
    ("MONGODB/?retrys=5", "The option retrys of db_url"),
]
OTHERS = [
    ("mongodb://no-such-host.invalid/?QUICK", "No MongoDB server answers for madsci_events"),
    ("mongodb+srv://no-such-host.invalid/", "The DNS does not tell the servers of"),
    ("mongodb://127.0.0.1:WEB/?QUICK", "what answers there is no MongoDB server"),
    ("MONGODB/?replicaSet=rs9&QUICK", 'No replica set members available for replica set name "rs9"'),
    ("MONGODB/?tls=true&QUICK", "asks for TLS, which that server may not have"),
    ("MONGODB/?tls=true&tlsCAFile=CODE", "holds no certificate or key that can be used"),
    ("ann:s3cret@MONGODB/?QUICK", "MongoDB does not let us work with madsci_events"),
]


@pytest.mark.parametrize(
    ("url", "said"), [*USUAL, *(pytest.param(*one, marks=pytest.mark.slow) for one in OTHERS)]
)
def test_what_is_wrong_is_said_in_a_sentence_by_the_server_and_the_tool(
    tmp_path, mongo_url, web_server, url, said
):
    user, at, rest = url.rpartition("@")
    host = mongo_url.rpartition("/")[0] if mongo_url.count("/") > 2 else mongo_url
    host = host.replace("://", f"://{user}{at}")
    places = {"MONGODB": host, "DOWN": free_port(), "WEB": web_server, "CODE": __file__, "QUICK": QUICK}
    for name, place in places.items():
        rest = rest.replace(name, str(place))
    server = ServerProcess(tmp_path, EVENT_DB_URL=rest)
    assert server.launch().wait(60) == 1
    tool = subprocess.run(
        [
            sys.executable, "-m", "madsci.common.mongodb_migration_tool",
            "--database", "madsci_events", "--db-url", rest, "--check-version",
        ],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert tool.returncode in (1, 2)
    for output in (server.log.read_text(), tool.stderr):
        assert said in output
        assert "Traceback" not in output
        assert "goes on trying" not in output
        assert "s3cret" not in output


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows stops no processes")
def test_a_server_that_stood_still_for_a_minute_looks_who_has_the_database_before_it_writes(
    tmp_path, mongo_server
):
    with (
        running_server(tmp_path, EVENT_DB_URL=mongo_server.url) as server,
        closing(connect(mongo_server.url)) as client,
    ):
        database = client["madsci_events"]
        assert server.post("event", {"_id": "before"}).status == 200
        os.kill(server.process.pid, signal.SIGSTOP)
        try:
            wait_until(lambda: not turns.holders(database, SERVERS), "that it is gone", seconds=90)
            assert turns.hold(database, EXCLUSIVE, "a migration", 100)
        finally:
            os.kill(server.process.pid, signal.SIGCONT)
        refused = server.post("event", {"_id": "meanwhile"})
        assert refused.status == 503
        assert "is being migrated or restored" in refused.json["detail"]
        assert server.request("GET", "event/before").status == 200
        assert [one["_id"] for one in database["events"].find({"_id": "meanwhile"})] == []
        # It says that it is there before each look, and takes that back.
        wait_until(lambda: not turns.holders(database, SERVERS), "that it has taken that back")
        turns.let_go(database, EXCLUSIVE, "a migration")
        assert server.post("event", {"_id": "after"}).status == 200
        assert len(turns.holders(database, SERVERS)) == 1
        assert "The server does not write" in server.log.read_text()


@pytest.fixture
def small_disk(tmp_path):
    """A folder that is a disk of its own, of six megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)]
    if sys.platform != "linux" or os.geteuid() != 0 or subprocess.run(options, check=False).returncode:
        pytest.skip("needs the right to mount a file system")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.slow
def test_a_full_disk_of_the_mongodb_server_is_told_as_that_and_is_over_when_it_is(
    tmp_path, small_disk: Path
):
    with running_ferretdb(small_disk) as mongodb:
        (tmp_path / "server").mkdir()
        with running_server(tmp_path / "server", EVENT_DB_URL=mongodb.url) as server:
            taken: list[str] = []

            def refused():
                event_id = f"e{len(taken):04d}"
                reply = server.post("event", {"_id": event_id, "event_data": "x" * 50_000})
                if reply.status == 200:
                    taken.append(event_id)
                    return None
                return reply

            reply = wait_until(refused, "the full disk")
            assert reply.status == 503
            assert "cannot write to its disk" in reply.json["detail"]
            assert server.get(f"event/{taken[-1]}")["_id"] == taken[-1]
            subprocess.run(["mount", "-o", "remount,size=60m", str(small_disk)], check=True)
            assert refused() is None
            assert {one["_id"] for one in server.query({"event_data": "x" * 50_000})} == set(taken)


@pytest.mark.slow
def test_a_stop_beside_a_database_that_hangs_takes_the_time_that_it_is_given(tmp_path, mongo_server):
    """All parts that wait for the database share it; an operator, or Docker, would kill it else."""
    settings = {"EVENT_DB_URL": mongo_server.url, "EVENT_SHUTDOWN_TIMEOUT_SECONDS": "6"}
    with running_server(tmp_path, **settings) as server:
        assert server.post("event", {"event_id": "kept"}).status == 200
        mongo_server.stand_still()
        try:
            wait_until(lambda: server.request("GET", "health").status == 503, "the trouble")
            server.process.terminate()
            assert server.process.wait(20) is not None
        finally:
            mongo_server.go_on()
        server.start()
        assert server.get("event/kept")["event_id"] == "kept"
