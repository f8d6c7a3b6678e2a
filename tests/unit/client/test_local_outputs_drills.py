"""File and console in awkward company: forks, finalizers, signals, the end of the program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from typing import Any

import pytest

from support.log_writers import lines_in

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


def run(
    program: str, tmp_path, *arguments: str, seconds: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a program that must end in time; one that hangs fails the test."""
    path = tmp_path / "program.py"
    path.write_text(textwrap.dedent(program), encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, path.name, *arguments], cwd=tmp_path, capture_output=True, text=True,
        timeout=seconds, check=False,
    )  # fmt: skip
    # 120: the interpreter itself found stderr closed.
    assert ended.returncode in {0, 120}, ended.stderr[-3000:]
    return ended


def logged(tmp_path, name="robot") -> list[Any]:
    return [json.loads(line)["event_data"] for line in lines_in(tmp_path / "logs", f"{name}.log*")]


FORKS = """
    import faulthandler, os, signal, sys, threading
    from madsci.client.event_client import EventClient
    faulthandler.dump_traceback_later(50, exit=True)
    client = EventClient(name="robot", log_dir="logs", log_max_bytes=50_000, log_backup_count=1000,
                         log_compression_enabled=False)
    is_over = threading.Event()
    def log():
        while not is_over.is_set():
            client.info("busy", array=list(range(20)))
    threads = [threading.Thread(target=log) for _ in range(3)]
    for thread in threads: thread.start()
    count = int(sys.argv[1])
    for number in range(count):
        child = os.fork()
        if child == 0:
            try:
                signal.alarm(20)
                for part in range(3): client.info("child", number=number, part=part)
                if number % 10 == 0:  # a child forks, too
                    if (grandchild := os.fork()) == 0: client.info("child", number=number, part=3)
                    else: os.waitpid(grandchild, 0)
            finally:
                os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    is_over.set()
    for thread in threads: thread.join()
    """


@needs_fork
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("count", [50, pytest.param(1000, marks=pytest.mark.slow)])
def test_forked_children_log_while_other_threads_do(tmp_path, count):
    ended = run(FORKS, tmp_path, str(count))
    found = [data for data in logged(tmp_path) if data["message"] == "child"]
    expected = 3 * count + len(range(0, count, 10))
    assert len({(data["number"], data["part"]) for data in found}) == len(found) == expected
    assert len([line for line in ended.stderr.splitlines() if "] child " in line]) == expected


@needs_fork
def test_a_child_forked_amid_a_rotation_rotates_itself(tmp_path):
    run(
        """
        import os, sys, time
        from madsci.client.event_client import EventClient
        client = EventClient(name="robot", log_dir="logs", log_max_bytes=2000, log_backup_count=1000,
                             log_console_enabled=False)
        children = []
        def audit(event, arguments):
            # As another thread's fork does, this comes while the lock file is held.
            if event == "os.rename" and not children:
                children.append(0)
                children[0] = os.fork()
                if children[0] == 0:
                    os._exit(child())
        def child():
            before, deadline = len(os.listdir("logs")), time.monotonic() + 10
            while time.monotonic() < deadline:
                client.info("child")
                if len(os.listdir("logs")) > before + 10: return 0
            return 1
        sys.addaudithook(audit)
        for number in range(20): client.info("parent", number=number)
        assert os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]) == 0
        """,
        tmp_path,
    )


FINALIZERS = """
    import faulthandler, gc, sys, threading
    from madsci.client.event_client import EventClient
    faulthandler.dump_traceback_later(50, exit=True)
    settings = dict(log_dir="logs", log_max_bytes=20_000, log_backup_count=10_000,
                    log_compression_enabled=False, event_server="http://127.0.0.1:9",
                    spool_dir="spool", close_timeout_seconds=0.1)
    clients = [EventClient(name=name, **settings) for name in ("robot", "other")]
    class Cyclic:
        def __init__(self, which): self.which, self.me = which, self
        def __del__(self): clients[self.which].info("gone", which=self.which)
    gc.set_threshold(5)
    def log(which):
        for number in range(int(sys.argv[1])):
            Cyclic(which); Cyclic(1 - which)
            clients[which].info("busy", values=[[number], {"a": [number]}])
    threads = [threading.Thread(target=log, args=(which % 2,)) for which in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    gc.collect()
    """


@pytest.mark.parametrize("count", [200, pytest.param(4000, marks=pytest.mark.slow)])
def test_finalizers_log_amid_log_calls_of_other_threads(tmp_path, count):
    ended = run(FINALIZERS, tmp_path, str(count))
    found = logged(tmp_path, "robot") + logged(tmp_path, "other")
    assert len(found) == 12 * count
    assert ended.stderr.count("] gone") + ended.stderr.count("] busy") == 12 * count


def test_a_signal_handler_that_raises_amid_an_output_leaves_the_event_in_the_spool(tmp_path):
    run(
        """
        import os, sys
        from madsci.client.event_client import EventClient
        client = EventClient(name="robot", log_dir="logs", spool_dir="spool", close_timeout_seconds=0.1,
                             event_server="http://127.0.0.1:9")
        class Interrupted:
            encoding = "utf-8"
            def write(self, text):
                raise KeyboardInterrupt
        stderr, sys.stderr = sys.stderr, Interrupted()
        try:
            client.info("moved", plate="P1")
        except KeyboardInterrupt:
            pass
        else:
            sys.exit("it was not raised")
        sys.stderr = stderr
        client.info("moved", plate="P2")
        os._exit(0)
        """,
        tmp_path,
    )
    assert [data["plate"] for data in logged(tmp_path)] == ["P1", "P2"]
    spooled = b"".join(path.read_bytes() for path in (tmp_path / "spool").rglob("*") if path.is_file())
    assert spooled.count(b'"P1"') == spooled.count(b'"P2"') == 1


def test_a_log_call_imports_nothing(tmp_path):
    ended = run(
        """
        import os, sys
        from madsci.client.event_client import EventClient
        client = EventClient(name="robot", log_dir="logs", log_max_bytes=1024, spool_dir="spool",
                             event_server="http://127.0.0.1:9", close_timeout_seconds=0.1)
        timed = EventClient(name="timed", log_dir="logs", log_rotation_type="time",
                            log_rotation_when="S")
        # As after chroot: whatever is not loaded by now can no longer be.
        class Gone:
            def find_spec(self, name, path=None, target=None):
                sys.stdout.write(f"imported: {name}\\n")
                raise ImportError(name)
        sys.meta_path.insert(0, Gone())
        for number in range(20):
            client.info("moved\\n\\x1b", number=number, where=["a"])
            timed.warning("moved", number=number)
        sys.meta_path.pop(0)
        print(len(os.listdir("logs")))
        """,
        tmp_path,
    )
    assert "imported" not in ended.stdout
    assert int(ended.stdout.split()[0]) > 5
    assert ended.stderr.count("moved") == 40


@pytest.mark.parametrize(
    "end", ["sys.stderr.close()", "sys.stderr = None", "sys.stderr = object()", "os.close(2)", "del os"]
)
def test_the_end_of_the_program_is_logged_whatever_became_of_the_console(tmp_path, end):
    ended = run(
        f"""
        import atexit, os, sys, threading
        from madsci.client.event_client import EventClient
        client = EventClient(name="robot", log_dir="logs", log_max_bytes=1024, log_backup_count=100)
        class Robot:
            def __init__(self): self.me = self
            def __del__(self): client.info("destroyed", when="late")
        robot = Robot()
        def log():
            while True: client.info("busy")
        for _ in range(2): threading.Thread(target=log, daemon=True).start()
        atexit.register(lambda: client.info("ended", when="late"))
        {end}
        """,
        tmp_path,
        seconds=30,
    )
    assert "Traceback" not in ended.stderr
    found = [data["message"] for data in logged(tmp_path) if data.get("when") == "late"]
    assert "ended" in found


@pytest.mark.parametrize("amid", ["os.rename", "os.remove", "os.listdir"])
def test_no_file_gets_the_number_of_a_stream_that_is_closed_amid_a_rotation(tmp_path, amid):
    """Another thread may write its line for the console just then, which would go into it."""
    ended = run(
        """
        import os, sys
        from madsci.client.event_client import EventClient

        opened, exposed = [], []
        def close_stream(name, arguments):
            if name == sys.argv[1]:
                os.closerange(2, 3)
            if name == "open" and arguments[0] != os.devnull:
                opened.append(arguments)
                try:
                    os.fstat(2)
                except OSError:
                    exposed.append(arguments)

        client = EventClient(name="robot", log_dir="logs", log_max_bytes=1024, log_backup_count=3)
        client.info("begun")
        sys.addaudithook(close_stream)
        for number in range(50):
            client.info("rotated", number=number)
        print(len(opened), exposed)
        """,
        tmp_path,
        amid,
    )
    count, _, exposed = ended.stdout.strip().partition(" ")
    assert int(count) > 10
    assert exposed == "[]"


def test_no_connection_gets_the_number_of_a_stream_that_was_closed(tmp_path):
    ended = run(
        """
        import os, socket
        from madsci.client.delivery.connections import OwnHttpPool

        server = socket.create_server(("127.0.0.1", 0))
        connection = OwnHttpPool(*server.getsockname())._new_conn()
        os.close(2)
        connection.connect()
        print(connection.sock.fileno(), os.fstat(2).st_rdev == os.stat(os.devnull).st_rdev)
        """,
        tmp_path,
    )
    number, is_nobodys = ended.stdout.split()
    assert int(number) > 2
    assert is_nobodys == "True"
