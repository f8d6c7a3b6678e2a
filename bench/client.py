"""What a log call costs the program that logs, beside the standard library's ways of logging."""

from __future__ import annotations

import contextlib
import json
import logging
import logging.handlers
import queue
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median, quantiles

import servers
from plan import Plan
from table import Goal, Row, Series

from madsci.client.event_client import EventClient

GROUP = "client"
_PAUSE = 0.2
_WARM_UP = 200

_FIELDS = {
    "workflow_id": "01JJ4S0WNGEF5FQAZG5KDGJRBV",
    "step": "transfer_3",
    "well": "B4",
    "volume_ul": 73.5,
    "attempt": 1,
}
_MESSAGE = "Plate moved to the next position"
_STANDARD = frozenset(vars(logging.makeLogRecord({})))

Call = Callable[[], object]


def measure(plan: Plan) -> list[Row]:
    """Return the rows of this group."""
    folder = plan.folder / "client"
    logging.getLogger("madsci").setLevel(logging.CRITICAL)  # a closed port is what is measured
    with contextlib.ExitStack() as stack:
        up = f"http://127.0.0.1:{stack.enter_context(servers.event_manager(folder / 'server')).port}/"
        closed = f"http://127.0.0.1:{servers.free_port()}/"
        hanging = stack.enter_context(_silent_listener())
        calls: dict[str, Call] = {
            "nothing": lambda: None,
            "QueueHandler": stack.enter_context(_queue_logger()),
            "FileHandler": stack.enter_context(_file_logger(folder / "stdlib.jsonl")),
            "stdlib, disabled level": stack.enter_context(_disabled_logger()),
            "info, server up": stack.enter_context(_client(up, folder)),
            "info, port closed": stack.enter_context(_client(closed, folder)),
            "info, server hanging": stack.enter_context(_client(hanging, folder)),
            "info + file, server up": stack.enter_context(_client(up, folder, with_file=True)),
            "info + file, port closed": stack.enter_context(_client(closed, folder, with_file=True)),
            "info, filtered out": stack.enter_context(_client(up, folder, level=40)),
        }
        half = {name: Series(name, "us") for name in calls}
        tail = {name: Series(f"{name}, p99", "us") for name in calls}
        for _ in range(plan.repeats):
            for name, call in calls.items():
                middle, slow = _burst(call, plan.calls)
                # What the clock itself takes is in every measurement.
                own = half["nothing"].samples[-1] if name != "nothing" else 0.0
                half[name].samples.append(max(middle - own, 0.001))
                tail[name].samples.append(max(slow - own, 0.001))
    rows: list[Row] = []
    for name, (anchor, middle_goal, slow_goal) in _ROWS.items():
        rows.append(Row(GROUP, half[name], half[anchor], _at_most(middle_goal)))
        rows.append(Row(GROUP, tail[name], tail[anchor], _at_most(slow_goal)))
    return rows


# What stands beside a call, and the goals for its median and 99th percentile in microseconds.
_ROWS: dict[str, tuple[str, float | None, float | None]] = {
    "info, server up": ("QueueHandler", 10, None),
    "info, port closed": ("QueueHandler", 10, None),
    "info, server hanging": ("QueueHandler", 10, None),
    "info + file, server up": ("FileHandler", 30, 200),
    "info + file, port closed": ("FileHandler", 30, 200),
    "info, filtered out": ("stdlib, disabled level", 1, None),
}


def _at_most(microseconds: float | None) -> Goal | None:
    return None if microseconds is None else Goal("<=", microseconds, on_value=True)


def _burst(call: Call, count: int) -> tuple[float, float]:
    """Call in a tight loop, the hardest case for what works in the background.

    Returns median and 99th percentile in microseconds, the clock included.
    """
    for _ in range(_WARM_UP):
        call()
    time.sleep(_PAUSE)  # what earlier bursts left to background threads must not be counted here
    clock = time.perf_counter_ns
    times = [0] * count
    for number in range(count):
        begin = clock()
        call()
        times[number] = clock() - begin
    time.sleep(_PAUSE)
    return median(times) / 1000, quantiles(times, n=100)[98] / 1000


@contextlib.contextmanager
def _silent_listener() -> Iterator[str]:
    """A port that takes connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


@contextlib.contextmanager
def _client(url: str, folder: Path, *, with_file: bool = False, level: int = 20) -> Iterator[Call]:
    client = EventClient(
        name=f"bench-{with_file}-{url.rsplit(':', 1)[1].rstrip('/')}",
        event_server_url=url,
        log_dir=folder,
        spool_dir=folder / "spool",
        log_level=level,
        log_console_enabled=False,
        log_file_enabled=with_file,
        close_timeout_seconds=0.5,
    )
    info = client.info
    try:
        yield lambda: info(_MESSAGE, **_FIELDS)
    finally:
        client.close()


@contextlib.contextmanager
def _logger(name: str, handler: logging.Handler, level: int = logging.INFO) -> Iterator[Call]:
    logger = logging.getLogger(f"bench.{name}")
    logger.propagate = False
    logger.setLevel(level)
    logger.addHandler(handler)
    info = logger.info
    try:
        yield lambda: info(_MESSAGE, extra=_FIELDS)
    finally:
        logger.removeHandler(handler)
        handler.close()


@contextlib.contextmanager
def _queue_logger() -> Iterator[Call]:
    """Log into a queue that a listener empties, as the standard library's cookbook has it."""
    waiting: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    listener = logging.handlers.QueueListener(waiting, logging.NullHandler())
    listener.start()
    try:
        with _logger("queue", logging.handlers.QueueHandler(waiting)) as call:
            yield call
    finally:
        listener.stop()


@contextlib.contextmanager
def _file_logger(path: Path) -> Iterator[Call]:
    handler = logging.FileHandler(path)
    handler.setFormatter(_JsonFormatter())
    with _logger("file", handler) as call:
        yield call


@contextlib.contextmanager
def _disabled_logger() -> Iterator[Call]:
    with _logger("disabled", logging.NullHandler(), logging.ERROR) as call:
        yield call


class _JsonFormatter(logging.Formatter):
    """The usual few lines: time, level, message and what was given as extra."""

    def format(self, record: logging.LogRecord) -> str:
        given = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        line = {"time": record.created, "level": record.levelname, "message": record.getMessage()}
        return json.dumps({**line, **given})
