"""What Linux tells about the processes of a server, in /proc."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

ARE_TOLD = Path("/proc/self/stat").is_file()
_SPIN = """
import os
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
while True:
    pass
"""
LOOK = 0.25
"""Seconds between two looks at the memory; each takes some milliseconds."""


def children(pid: int) -> list[int]:
    """The processes that a process has started, and that have not ended.

    From what each process says of its parent: the lists of children that /proc has by thread miss
    some while threads, or other children, end (proc_pid_task(5)).
    """
    others = [(int(entry.name), _fields(int(entry.name))) for entry in _processes()]
    return [other for other, fields in others if fields[:1] != ["Z"] and fields[1:2] == [str(pid)]]


def family(pid: int) -> list[int]:
    """A process, its children and theirs."""
    return [pid, *(one for child in children(pid) for one in family(child))]


def state_of(pid: int) -> str | None:
    """The letter of proc(5), as T for one that was stopped; none where there is no such process."""
    fields = _fields(pid)
    return fields[0] if fields else None


def is_running(pid: int) -> bool:
    return state_of(pid) not in (None, "Z")


def seconds_of_core(pid: int) -> float:
    """The time of a processor core that a process has had."""
    fields = _fields(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def memory_of(pid: int) -> int:
    """The bytes of memory of a process; what it shares with others counts in part.

    None when it has ended.

    Raises:
        PermissionError: it is not ours.
    """
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 1_024 * int(rollup.partition("\nPss:")[2].split()[0])


@contextlib.contextmanager
def watched_memory(pid: int) -> Iterator[list[int]]:
    """Look at the memory of a process and its family; the list gets the bytes of all together."""
    over = threading.Event()
    sizes: list[int] = []

    def look() -> None:
        while not over.wait(LOOK):
            sizes.append(sum(map(memory_of, family(pid))))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield sizes
    finally:
        over.set()
        thread.join()


@contextlib.contextmanager
def busy_cores(number: int) -> Iterator[None]:
    """Keep all cores busy with so many processes that give way to everybody, for a block."""
    spinning = [subprocess.Popen([sys.executable, "-c", _SPIN]) for _ in range(number)]
    try:
        yield
    finally:
        for one in spinning:
            one.kill()
            one.wait()


def _processes() -> list[Path]:
    return [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _fields(pid: int) -> list[str]:
    """Those of /proc/PID/stat after the name, which may have any characters."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
