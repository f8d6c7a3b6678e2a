"""Where the events of a client and of its bound copies go: console, file, sender."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from madsci.client.delivery import Backoff, Sender, SenderSettings, ServerAccess, Transport, senders
from madsci.client.spool import Spool, SpoolSettings
from madsci.client.writing.console import load_renderer, write_record
from madsci.client.writing.log_file import LogFile, open_log_file
from madsci.client.writing.log_names import log_file_path
from madsci.client.writing.record import Record
from madsci.common.stderr import warn_locally
from madsci.common.types.client_config import EventClientConfig

Diversion = Callable[[bytes], None]
"""Takes the encoded events that would otherwise be sent."""

_diversion: list[Diversion] = []


def divert(diversion: Diversion) -> None:
    """Send the events of all clients in this process to a function; the last diversion counts."""
    _diversion.append(diversion)


def end_diversion(diversion: Diversion) -> None:
    """Undo ``divert``."""
    _diversion.remove(diversion)


class Outputs:
    """Opens, feeds and closes the outputs. Thread-safe. Used after ``close``, it opens them again."""

    def __init__(
        self,
        name: str,
        config: EventClientConfig,
        access: ServerAccess | None,
        transport: Transport | None = None,
    ) -> None:
        self.path: Path | None = log_file_path(config, name) if config.log_file_enabled else None
        self.log_file: LogFile | None = None
        self.sender: Sender | None = None
        self._config = config
        self._access = access
        self._transport = transport
        self._lock = threading.RLock()
        self._has_warned = False
        self._is_local = config.log_console_enabled or config.log_file_enabled
        self._is_open = False
        if config.log_console_enabled and config.log_output_format == "console":
            load_renderer()
        self.open()

    def open(self) -> None:
        """Open what is configured. A file that cannot be opened is done without, with a warning."""
        with self._lock:
            if self._is_open:
                return
            self._is_open = True
            transport, access = self._transport, self._access
            if transport is not None:
                self.sender = senders.get(id(transport), lambda: self._make_sender(transport))
            elif access is not None:
                self.sender = senders.get(access, lambda: self._make_http_sender(access))
            if self.sender is not None:
                self.sender.users.add(self)
            if self.path is not None:
                self._open_file(self.path)

    def write(self, record: Record) -> None:
        """Put the event on its way to the server, which first makes it durable, then log it locally.

        What one output raises does not keep the event from the others.
        """
        if not self._is_open:
            self.open()
        file = self.log_file  # another thread, or a signal handler, may close this client meanwhile
        try:
            if _diversion:
                _diversion[-1](record.body)
            elif self.sender is not None:
                self.sender.spool.append(record.body)
        finally:
            if self._is_local:
                self._write_to(file, record)

    def write_locally(self, record: Record) -> None:
        """Log the event in the file and on the console."""
        if not self._is_open:
            self.open()
        self._write_to(self.log_file, record)

    def _write_to(self, file: LogFile | None, record: Record) -> None:
        try:
            if file is not None:
                file.write(record.body)
        except OSError as error:
            self._file_trouble(error)
        finally:
            if self._config.log_console_enabled:
                write_record(record, self._config.log_output_format)

    def flush(self, timeout: float | None) -> bool:
        """Wait until the server has what was logged so far; tell whether it has."""
        return self.sender is None or self.sender.flush(timeout)

    def close(self, timeout: float | None) -> bool:
        """Deliver what waits, within the timeout, and let go of everything shared."""
        with self._lock:
            if not self._is_open:
                return True
            self._is_open = False
            sender, file, self.log_file = self.sender, self.log_file, None
        if file is not None:
            with contextlib.suppress(OSError):  # each line was written once, and that is what counts
                file.settle()
        return sender is None or sender.leave(self, timeout)

    def _open_file(self, path: Path) -> None:
        try:
            self.log_file = open_log_file(path, self._config)
        except OSError as error:
            self._file_trouble(error)

    def _file_trouble(self, error: OSError) -> None:
        if self._config.fail_on_error:
            raise error
        if not self._has_warned:
            self._has_warned = True
            warn_locally(
                f"The log file {self.path} cannot be written: {error}. Events go to the console"
                " and the server only. Set log_dir to a directory that can be written."
            )

    def _make_http_sender(self, access: ServerAccess) -> Sender:
        # Loaded here, at the latest: a program may lose its packages before it logs.
        from madsci.client.delivery.http import HttpTransport  # noqa: PLC0415

        config = self._config
        is_kept = config.spool_enabled
        directory = spool_directory(config.spool_dir, access.url) if is_kept else None
        return self._make_sender(HttpTransport.configured(access, config), directory)

    def _make_sender(self, transport: Transport, directory: Path | None = None) -> Sender:
        config = self._config
        settings = SenderSettings(
            batch_max_events=config.batch_max_events,
            batch_max_bytes=config.batch_max_bytes,
            flush_interval=config.flush_interval_seconds,
            close_timeout=config.close_timeout_seconds,
            backoff=Backoff(base=config.retry_backoff_factor or 0.1),
        )
        return Sender(Spool(directory, _spool_settings(config)), transport, settings)


def spool_directory(parent: Path, url: str) -> Path:
    """Return where events for a server wait: a name that people can read, and that is no other's.

    Files there are their user's alone, so where the parent is somebody else's, as one for all users of
    a machine, each user has a folder of his own.
    """
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]  # never a password in a file name
    readable = re.sub(r"[^A-Za-z0-9.]+", "-", host)[:80].strip("-.")
    digest = hashlib.sha256(f"{parts.scheme}://{host}{parts.path}".encode()).hexdigest()
    return parent / f"{readable}-{digest[:8]}{_user_suffix(parent)}"


def _user_suffix(parent: Path) -> str:
    if not hasattr(os, "geteuid"):
        return ""
    try:
        owner = parent.stat().st_uid
    except OSError:  # it will be ours
        return ""
    return "" if owner == os.geteuid() else f"-user{os.geteuid()}"


def _spool_settings(config: EventClientConfig) -> SpoolSettings:
    return SpoolSettings(
        max_bytes=config.spool_max_bytes,
        full_policy=config.spool_full_policy,
        block_seconds=config.spool_block_seconds,
        fsync=config.spool_fsync,
        fsync_interval=config.spool_fsync_interval_seconds,
        memory_max_events=config.queue_max_events,
    )
