"""Export over real sockets: whole files only, whatever the network does."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import os
import signal
import subprocess
import sys
import time
import traceback
import tracemalloc
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from madsci.common.errors import ServerRefusedError, ServerUnreachableError
from support.server import wait_until
from support.serving import serving

LINES = b"".join(b'{"_id":"e%d"}\n' % number for number in range(1000))


class Exporter:
    """What the server sends: the pieces of a chunked body, then its end or a cut."""

    def __init__(self) -> None:
        self.url = ""
        self.pieces: Iterator[bytes] | list[bytes] = [LINES[:5000], LINES[5000:]]
        self.is_cut = False
        self.statuses: list[int] = []
        self.requests: list[tuple[str, object]] = []
        self.connections = 0
        self.headers = {"X-Total-Count": "1000"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.server.exporter.connections += 1

    def do_POST(self) -> None:
        exporter = self.server.exporter
        body = self.rfile.read(int(self.headers["Content-Length"]))
        exporter.requests.append((self.path, json.loads(body)))
        status = exporter.statuses.pop(0) if exporter.statuses else 200
        self.send_response(status)
        if status != 200:
            detail = json.dumps({"detail": "not now"}).encode()
            self.send_header("Content-Length", str(len(detail)))
            self.end_headers()
            self.wfile.write(detail)
            return
        for name, value in exporter.headers.items():
            self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in exporter.pieces:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        if exporter.is_cut:
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *arguments) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address) -> None:
        pass


@pytest.fixture
def exporter():
    exporter = Exporter()
    server = Server(("127.0.0.1", 0), Handler)
    server.exporter = exporter
    exporter.url = f"http://127.0.0.1:{server.server_port}"
    with serving(server):
        yield exporter


@pytest.fixture
def client(make_client, exporter):
    return make_client(event_server=exporter.url, log_file_enabled=False)


def names_in(directory):
    return [path.name for path in directory.iterdir()]


def test_a_file_is_written_and_its_size_returned(client, exporter, tmp_path):
    target = tmp_path / "events.ndjson"
    target.write_text("old")
    selector = {"alert": True}
    assert client.export(target, selector) == len(LINES)
    assert target.read_bytes() == LINES
    assert exporter.requests == [("/events/export?format=ndjson", selector)]
    assert names_in(tmp_path) == ["events.ndjson"]


def test_fields_and_order_go_out_in_an_envelope(client, exporter, tmp_path):
    client.export(
        str(tmp_path / "a.csv"), fields=["event_id", "event_data.plate"], sort={"event_id": -1},
        include_archived=False,
    )  # fmt: skip
    assert exporter.requests == [
        (
            "/events/export?format=csv",
            {
                "selector": {}, "fields": ["event_id", "event_data.plate"], "sort": {"event_id": -1},
                "include_archived": False,
            },
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("a.ndjson", None, "ndjson"),
        ("a.JSONL", None, "ndjson"),
        ("a.2026.csv", None, "csv"),
        ("a.parquet", None, "parquet"),
        ("a.csv.gz", None, "csv"),
        ("a.gz", "csv", "csv"),
        ("a", "parquet", "parquet"),
        ("a.csv", "ndjson", "ndjson"),
    ],
)
def test_the_name_or_the_caller_tells_the_format(client, exporter, name, given, expected):
    client.export(name, format=given)  # tests run in a directory of their own
    assert exporter.requests[0][0] == f"/events/export?format={expected}"
    content = Path(name).read_bytes()
    assert (gzip.decompress(content) if name.endswith(".gz") else content) == LINES


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("a.json", None, r"'a\.json' does not tell.*\.ndjson.*format="),
        (".gz", None, "does not tell"),
        ("a.gz", None, "does not tell"),
        ("a.parquet.gz", None, "compressed inside"),
        ("a.csv", "excel", r"'excel'.*ndjson, csv, parquet"),
    ],
)
def test_a_format_that_cannot_be_told_is_refused_before_asking(client, exporter, name, given, message):
    with pytest.raises(ValueError, match=message):
        client.export(name, format=given)
    assert exporter.requests == []
    assert not Path(name).exists()


def test_a_packed_export_tells_the_size_of_the_file(client, tmp_path):
    target = tmp_path / "events.ndjson.gz"
    assert client.export(target) == target.stat().st_size < len(LINES)


def test_an_open_file_is_written_and_left_open(client):
    file = io.BytesIO()
    assert client.export(file) == len(LINES)
    assert client.export(file, format="csv") == len(LINES)
    assert file.getvalue() == LINES * 2


@pytest.mark.parametrize("pieces", [[LINES[:5000]], [LINES], []])
def test_an_export_that_is_cut_raises_and_leaves_no_file(client, exporter, tmp_path, pieces):
    exporter.pieces, exporter.is_cut = pieces, True
    target = tmp_path / "events.ndjson"
    target.write_text("of yesterday")
    size = sum(map(len, pieces))
    with pytest.raises(ServerUnreachableError, match=f"broke off when {size:,} bytes") as caught:
        client.export(target)
    assert "urllib3" not in "".join(traceback.format_exception(caught.value))
    assert target.read_text() == "of yesterday"
    assert names_in(tmp_path) == ["events.ndjson"]
    exporter.is_cut = False
    client.export(target)  # the client goes on working
    assert target.read_bytes() == b"".join(pieces)


@pytest.mark.parametrize(
    ("target", "error", "says"),
    [
        (".", IsADirectoryError, "This is a folder"),
        ("nowhere/a.csv", FileNotFoundError, "There is no such folder"),
        (io.StringIO(), TypeError, "neither a path nor a file that takes bytes"),
        (5, TypeError, "5 is neither a path"),
        (None, TypeError, "None is neither a path"),
    ],
)
def test_what_no_export_can_be_written_to_is_refused_before_a_request(
    client, exporter, target, error, says
):
    with pytest.raises(error, match=says):
        client.export(target, format="csv")
    assert exporter.requests == []


def test_a_body_shorter_than_its_length_is_cut_too(make_client, peer):
    peer.route = lambda _: (200, {"Content-Length": "100", "Connection": "close"}, {})
    client = make_client(event_server=peer.url)
    with pytest.raises(ServerUnreachableError, match=r"broke off when 0 bytes of it.*\(Incomplete"):
        client.export("a.csv", timeout=5)
    assert not Path("a.csv").exists()


def test_the_timeout_is_for_each_wait_and_not_for_the_whole(client, exporter, tmp_path):
    def slowly(pause: float) -> Iterator[bytes]:
        for _ in range(6):
            time.sleep(pause)
            yield LINES

    exporter.pieces = slowly(0.15)
    assert client.export(tmp_path / "a.csv", timeout=0.5) == 6 * len(LINES)
    exporter.pieces = slowly(2)
    started = time.monotonic()
    with pytest.raises(ServerUnreachableError, match=r"[Tt]imed? ?out"):
        client.export(tmp_path / "b.csv", timeout=0.3)
    assert time.monotonic() - started < 2  # when the first piece would come
    assert names_in(tmp_path) == ["a.csv"]


def test_an_export_is_begun_again_while_the_server_is_overloaded(client, exporter, tmp_path):
    exporter.statuses = [503, 429]
    assert client.export(tmp_path / "a.csv") == len(LINES)
    assert exporter.connections == 1  # replies that were read to their end keep the connection


def test_a_refusal_says_what_the_server_said_and_leaves_no_file(client, exporter, tmp_path):
    exporter.statuses = [400]
    with pytest.raises(ServerRefusedError, match="status 400: not now"):
        client.export(tmp_path / "a.csv")
    assert names_in(tmp_path) == []


def test_a_directory_that_is_not_there_is_said_so(client, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        client.export(tmp_path / "nowhere" / "a.csv")


@pytest.fixture
def ctrl_c():
    """Ctrl-C raises, also where the shell started the tests in the background and so ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_whatever_ends_an_export_no_part_of_it_stays(client, exporter, tmp_path):
    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        client.export(Full())

    def interrupted() -> Iterator[bytes]:
        yield LINES
        wait_until(lambda: any(path.stat().st_size for path in tmp_path.glob(".a.csv.*.part")))
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)

    exporter.pieces = interrupted()
    with pytest.raises(KeyboardInterrupt):
        client.export(tmp_path / "a.csv")
    assert names_in(tmp_path) == []


def test_an_export_takes_little_memory(client, exporter, tmp_path):
    piece = LINES * 20
    exporter.pieces = (piece for _ in range(200))
    tracemalloc.start()
    with Path(os.devnull).open("wb") as nowhere:
        written = client.export(nowhere)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert written == 200 * len(piece) > 50_000_000
    assert peak < 5_000_000


def test_a_bar_is_shown_when_asked_for_and_not_where_nobody_looks(client, tmp_path, capfd):
    client.export(tmp_path / "a.ndjson")
    assert capfd.readouterr().err == ""
    client.export(tmp_path / "a.ndjson", progress=True)
    assert "1.00k/1.00k" in capfd.readouterr().err
    client.export(tmp_path / "a.csv", progress=True)
    assert "14.5kB" in capfd.readouterr().err


def test_the_async_twin_does_the_same(client, tmp_path):
    assert asyncio.run(client.async_export(tmp_path / "a.ndjson", {})) == len(LINES)
    assert (tmp_path / "a.ndjson").read_bytes() == LINES


def test_importing_the_client_brings_nothing_that_only_asking_needs():
    program = (
        "import sys, madsci.client.event_client as c; c.EventClient(event_server='http://localhost:9'"
    )
    program += ", log_console_enabled=False); print('\\n'.join(sys.modules))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert loaded.isdisjoint({"tqdm", "pandas", "polars", "numpy", "asyncio"})
    room = "madsci.client.reading"
    assert {name for name in loaded if name.startswith(f"{room}.")} == {
        f"{room}.{name}"
        for name in (
            "administration",
            "argument_types",
            "asynchronous",
            "questions",
            "reports",
            "watching",
        )
    }
