"""The local log file: one event as JSON per line, the same text that the server gets.

Within a process all clients that write to the same path share one open file, which is closed when
the last of them leaves. Rotation is that of the standard library's handlers, done in the log call
that finds the file full.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import logging.handlers
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from madsci.client.writing.arguments import find_event
from madsci.common.clock import from_us
from madsci.common.stderr import warn_locally
from madsci.common.types.client_config import EventClientConfig
from madsci.common.types.event import Event
from madsci.common.types.log_level import EventLogLevel

_FORBIDDEN: Final = re.compile(r'[/\\:*?"<>|\x00-\x1f]')
_MAX_NAME: Final = 200
"""Characters of a file name: file systems take 255 bytes, and rotation adds to it."""

_Handler = logging.handlers.BaseRotatingHandler


def log_file_path(config: EventClientConfig, name: str) -> Path:
    """Return where a client of this name writes; characters that file systems refuse become ``_``."""
    return Path(config.log_dir) / f"{_FORBIDDEN.sub('_', name)[:_MAX_NAME]}.log"


class _TimedHandler(logging.handlers.TimedRotatingFileHandler):
    def getFilesToDelete(self) -> list[str]:  # noqa: N802 - the name in the standard library
        # The inherited way looks at names up to the first dot, and so for "lab.log" would also
        # delete the backups of "lab.robot.log".
        base = Path(self.baseFilename)
        dated = [
            path
            for path in base.parent.glob(f"{_glob_text(base.name)}.*")
            if self.extMatch.match(path.name[len(base.name) + 1 :])
        ]
        dated.sort(key=lambda path: path.name)
        return [str(path) for path in dated[: max(len(dated) - self.backupCount, 0)]]


class LogFile:
    """An open log file. Thread-safe; gone wrong, it warns once and lets the program run on."""

    def __init__(self, path: Path, config: EventClientConfig) -> None:
        self.path = path
        self.users = 0
        self._max_bytes = config.log_max_bytes if config.log_rotation_type == "size" else 0
        self._handler = _open_handler(path, config)
        self._size = path.stat().st_size
        self._has_warned = self._is_busy = False

    def write(self, body: bytes) -> None:
        """Append one encoded event and hand it to the operating system.

        Raises:
            OSError: it could not be written.
        """
        handler = self._handler
        handler.acquire()
        try:
            if self._is_busy:  # a signal handler, in the middle of what follows
                with self.path.open("ab") as beside:
                    beside.write(body + b"\n")
                return
            self._is_busy = True
            try:
                self._write(body)
            finally:
                self._is_busy = False
                if self.users <= 0:  # it was given back meanwhile
                    self.close()
        finally:
            handler.release()

    def _write(self, body: bytes) -> None:
        handler = self._handler
        if self._is_due(len(body) + 1):
            self._rotate()
        if handler.stream is None:
            handler.stream = handler._open()  # noqa: SLF001 - as the handlers themselves do
        handler.stream.write(body.decode() + "\n")
        handler.stream.flush()
        self._size += len(body) + 1

    def read_lines(self) -> Iterator[tuple[str, float]]:
        """Yield the lines of the file and its rotated predecessors, the oldest first.

        With each comes the time at which its file was last written.
        """
        older = list(self.path.parent.glob(f"{_glob_text(self.path.name)}.*"))
        for path in [*sorted(older, key=_modified), self.path]:
            try:
                reader: Any = gzip.open if path.suffix == ".gz" else open
                with reader(path, "rt", encoding="utf-8", errors="backslashreplace") as lines:
                    moment = _modified(path)
                    for line in lines:
                        yield line.rstrip("\n"), moment
            except (OSError, EOFError) as error:  # rotated away meanwhile, or a torn archive
                warn_locally(f"The log file {path} cannot be read: {error}")

    def close(self) -> None:
        """Close the file; the next write opens it again, until it is done if nobody uses the file."""
        self._handler.acquire()
        try:
            if not self._is_busy:  # a signal handler asks amid a write, which closes when it is done
                self._close()
        finally:
            self._handler.release()

    def _close(self) -> None:
        try:
            self._handler.close()
        except OSError as error:  # what the disk has no room for was told of when it was written
            warn_locally(f"The log file {self.path} was not closed properly: {error}")
        self._handler.stream = None

    def _is_due(self, size: int) -> bool:
        handler = self._handler
        if isinstance(handler, logging.handlers.TimedRotatingFileHandler):
            return time.time() >= handler.rolloverAt
        return bool(self._max_bytes) and self._size > 0 and self._size + size > self._max_bytes

    def _rotate(self) -> None:
        handler = self._handler
        try:
            if handler.backupCount or handler.stream is None:  # type: ignore[attr-defined]
                handler.doRollover()  # type: ignore[attr-defined]
            else:  # no old files are wanted: the only one begins anew
                handler.stream.truncate(0)
        except OSError as error:  # on Windows another process may hold the file open
            if not self._has_warned:
                self._has_warned = True
                warn_locally(f"The log file {self.path} cannot be rotated and grows on: {error}")
            if isinstance(handler, logging.handlers.TimedRotatingFileHandler):
                handler.rolloverAt = handler.computeRollover(int(time.time()))
        # After a failure, too: the next attempt is made when as much again was written.
        self._size = 0


def _open_handler(path: Path, config: EventClientConfig) -> _Handler:
    path.parent.mkdir(parents=True, exist_ok=True)
    handler: _Handler
    if config.log_rotation_type == "time":
        handler = _TimedHandler(
            path,
            when=config.log_rotation_when,
            interval=config.log_rotation_interval,
            backupCount=config.log_backup_count,
            encoding="utf-8",
            utc=True,
        )
    else:
        handler = logging.handlers.RotatingFileHandler(
            path, backupCount=config.log_backup_count, encoding="utf-8"
        )
    if config.log_compression_enabled:
        handler.namer = lambda name: f"{name}.gz"
        handler.rotator = _compress
    return handler


def _compress(source: str, target: str) -> None:
    # The lowest level: the log call that finds the file full waits for this.
    with Path(source).open("rb") as plain, gzip.open(target, "wb", compresslevel=1) as packed:
        shutil.copyfileobj(plain, packed)
    Path(source).unlink()


def _glob_text(name: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", name)


def _modified(path: Path) -> float:
    return path.stat().st_mtime if path.exists() else 0.0


# The open files of this process.

_files: dict[Path, LogFile] = {}
_files_lock = threading.RLock()


def share_log_file(path: Path, config: EventClientConfig) -> LogFile:
    """Return the open file of a path; the first of its clients decides how it is rotated.

    Raises:
        OSError: it cannot be written.
    """
    with _files_lock:
        key = path.resolve()
        file = _files.get(key) or LogFile(key, config)
        _files[key] = file
        file.users += 1
        return file


def release_log_file(file: LogFile) -> None:
    """Give a shared file back; the last user's leaving closes it."""
    with _files_lock:
        file.users -= 1
        if file.users <= 0:
            _files.pop(file.path, None)
            file.close()


def _forget_parent() -> None:
    global _files_lock  # noqa: PLW0603 - a lock that another thread held is lost in the child
    _files_lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_parent)


# Reading back.


def read_event_line(line: str, moment: float) -> Event | None:
    """Read a line of a log file; ``None`` for an empty one.

    Lines of older releases and of other programs become events too. Those without an id get one
    made from their text, so that it is the same at each reading.
    """
    if not line.strip():
        return None
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        fields = None
    if isinstance(fields, dict) and (fields.get("event_id") or fields.get("_id")):
        event = find_event(fields)
        if event is not None:
            return event
    digest = hashlib.sha256(line.encode(errors="backslashreplace")).hexdigest()
    document: dict[str, Any] = {
        "event_id": f"line-{digest[:24]}",
        "event_timestamp": from_us(round(moment * 1_000_000)),
        "event_data": line,
    }
    if isinstance(fields, dict):
        document.update(_read_structured(fields))
    return Event.read(document)


def _read_structured(fields: dict[str, Any]) -> dict[str, Any]:
    """Read a line as structured loggers write it: the text under ``event``, the rest beside it."""
    document: dict[str, Any] = {}
    if "timestamp" in fields:
        document["event_timestamp"] = fields.pop("timestamp")
    level = str(fields.get("level", "")).upper()
    if level in EventLogLevel.__members__:
        document["log_level"] = fields.pop("level")
    if "event_type" in fields:
        document["event_type"] = fields["event_type"]
    if "event" in fields and "message" not in fields:
        fields["message"] = fields.pop("event")
    return {**document, "event_data": fields}
