"""Processes that write one local log, and what stands in it afterwards."""

from __future__ import annotations

import collections
import gzip
import multiprocessing
from pathlib import Path
from typing import Any

from madsci.client.event_client import EventClient
from madsci.client.reading.log_lines import events_of_line


def writer(folder: Path, **settings: Any) -> EventClient:
    quiet = {"log_console_enabled": False, "log_max_bytes": 4000, "log_backup_count": 10_000}
    return EventClient(name="shared", log_dir=folder, **{**quiet, **settings})


def write(folder: Path, who: int, count: int, settings: dict[str, Any]) -> None:
    """Log so many events; after each its number is noted beside the log."""
    client = writer(folder, **settings)
    with (folder.parent / f"noted-{who}").open("ab", buffering=0) as notes:
        for number in range(count):
            client.info("x" * 40, who=who, number=number)
            notes.write(b"%d\n" % number)


def start_writers(
    method: str, folder: Path, count: int, settings: dict[str, Any], who: range = range(4)
) -> list[Any]:
    folder.mkdir(parents=True, exist_ok=True)
    context: Any = multiprocessing.get_context(method)
    processes = [
        context.Process(target=write, args=(folder, number, count, settings)) for number in who
    ]
    for process in processes:
        process.start()
    return processes


def end(processes: list[Any], seconds: float = 60) -> list[int | None]:
    """Wait for them; one that hangs is killed, and has no exit code of 0."""
    for process in processes:
        process.join(seconds)
        if process.is_alive():
            process.kill()
            process.join()
    return [process.exitcode for process in processes]


def noted(folder: Path) -> set[tuple[int, int]]:
    return {
        (int(path.name.rpartition("-")[2]), int(line))
        for path in folder.parent.glob("noted-*")
        for line in path.read_bytes().splitlines(keepends=True)
        if line.endswith(b"\n")
    }


def lines_in(folder: Path, pattern: str = "*") -> list[bytes]:
    """Return the lines of all log files; what a killed compression left counts for nothing."""
    lines: list[bytes] = []
    for path in folder.glob(pattern):
        is_unfinished = path.suffix == ".gz" and path.with_suffix("").exists()
        if not is_unfinished and path.suffix not in {".part", ".lock"}:
            content = path.read_bytes()
            lines += (gzip.decompress(content) if path.suffix == ".gz" else content).splitlines()
    return lines


def written(*folders: Path) -> collections.Counter[tuple[int, int]]:
    """How often each event stands in the log, its rotated files, and files moved to other folders."""
    found: collections.Counter[tuple[int, int]] = collections.Counter()
    for folder in folders:
        for line in lines_in(folder):
            for event in events_of_line(line.decode(), 0):  # two, where somebody was killed amid one
                if isinstance(event.event_data, dict):
                    found[event.event_data["who"], event.event_data["number"]] += 1
    return found


def all_of(count: int, writers: int = 4) -> dict[tuple[int, int], int]:
    return {(who, number): 1 for who in range(writers) for number in range(count)}
