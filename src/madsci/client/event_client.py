"""`EventClient`: the logger of every process in a lab.

It only joins: ``writing`` makes records of what is logged, ``outputs`` brings them to console, file and
server, ``reading`` and ``async_reading`` ask for them again, ``administration`` and its asynchronous
twin are for operators. Here is what they all work with, and its life.
"""

from __future__ import annotations

import logging
import platform
import sys
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from typing_extensions import Self

from madsci.client.delivery.sender import SenderStats
from madsci.client.delivery.transport import HttpTransport, Transport
from madsci.client.reading.async_administration import AsyncAdministration
from madsci.client.reading.event_reader import EventReader
from madsci.client.spool.contract import RejectedEvent
from madsci.client.writing.log_calls import DEBUG, LogCalls
from madsci.client.writing.log_names import log_file_path
from madsci.client.writing.outputs import Outputs
from madsci.client.writing.record import EventSource, make_record
from madsci.client.writing.redaction import shared_redaction
from madsci.common.context.servers import get_current_madsci_context
from madsci.common.errors import SettingsError
from madsci.common.stderr import warn_locally
from madsci.common.types.client_config import EventClientConfig

__all__ = ["EventClient", "EventClientConfig"]


_UNNAMED_CALLERS: Final = ("madsci.client.", "madsci.common.context", "contextlib")


class EventClient(LogCalls, AsyncAdministration):
    """Logs events: on the console, in a file, and on an Event Manager where one is configured.

    A log call never raises (unless ``fail_on_error``), never waits for the network, and takes any
    value. Arguments are ``EventClientConfig``'s; ``config`` gives them all, keywords override it.
    ``transport`` replaces HTTP, for tests (see ``madsci.client.testing``).

    Attributes for callers: ``name``, ``config``, ``log_dir``, ``logfile``, ``event_server``, and
    ``logger``, the standard logger of the same name, which the client itself does not write to.
    There is no ``session``: connections belong to the sender.
    """

    def __init__(
        self,
        config: EventClientConfig | None = None,
        *,
        transport: Transport | None = None,
        **settings: Any,
    ) -> None:
        if config is None:
            config = EventClientConfig(**settings)
        elif not isinstance(config, EventClientConfig):
            raise SettingsError(
                f"config must be an EventClientConfig, not {config!r:.80}. A name is given as"
                " EventClient(name=...)."
            )
        elif settings:
            config = config.replaced(**settings)
        if config.event_server_url is None and transport is None:
            config = _with_server_of_context(config)
        self.config = config
        self.name = config.name or _caller_name()
        self.logger = logging.getLogger(self.name)
        self.log_dir = Path(config.log_dir)
        self.logfile = log_file_path(config, self.name)
        self._outputs = Outputs(self.name, config, transport)
        self.event_server = self._outputs.url
        self._reader = _make_reader(self.event_server, config)
        self._source = EventSource(config.source.model_dump() if config.source else {})
        self._redaction = shared_redaction(tuple(config.redact_keys), enabled=config.redact_enabled)
        self._context: dict[str, Any] = {}
        self._is_bound_copy = False
        self._tell_start()
        if config.otel_enabled:
            warn_locally("otel_enabled has no effect yet: this version does not take part in traces.")

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until the server has settled all events logged so far; tell whether it has.

        ``None`` waits for ``close_timeout_seconds``.
        """
        return self._outputs.flush(timeout)

    def close(self, timeout: float | None = None) -> None:
        """Deliver what waits, within the timeout, and close what no other client uses.

        Does nothing on clients made by ``bind`` and ``unbind``. What is logged afterwards opens the
        outputs again.
        """
        if self._is_bound_copy:
            return
        self._outputs.close(timeout)
        if self._reader is not None:
            self._reader.close()

    async def aclose(self, timeout: float | None = None) -> None:
        """Do what ``close`` does, without holding up the event loop."""
        import asyncio  # noqa: PLC0415 - see async_get_event

        await asyncio.to_thread(self.close, timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def stats(self) -> SenderStats | None:
        """Count what was sent, what waits and what was lost, for all clients of the same server.

        ``None`` without a server.
        """
        sender = self._outputs.sender
        return None if sender is None else sender.stats()

    @property
    def rejected_events(self) -> list[RejectedEvent]:
        """The last events that the server refused for good, with its reasons."""
        sender = self._outputs.sender
        return [] if sender is None else list(sender.rejected)

    def __repr__(self) -> str:
        return f"EventClient(name={self.name!r}, event_server={self.event_server!r})"

    def _tell_start(self) -> None:
        if self.config.log_level > DEBUG:
            return
        fields = {
            "version": _version(),
            "name": self.name,
            "event_server": self.event_server or "Not configured",
            "log_dir": str(self.log_dir),
            "log_level": self.config.log_level,
            "python": platform.python_version(),
            "platform": sys.platform,
        }
        self._outputs.write_locally(
            make_record(
                DEBUG, "EventClient initialized", (), fields, self._source.encoded(), self._redaction
            )
        )


def _make_reader(url: str | None, config: EventClientConfig) -> EventReader | None:
    if url is None:
        return None
    transport = HttpTransport(
        url,
        timeout=config.timeout_default,
        pool_connections=config.pool_connections,
        pool_maxsize=config.pool_maxsize,
    )
    return EventReader(transport, config)


def _with_server_of_context(config: EventClientConfig) -> EventClientConfig:
    try:
        url = get_current_madsci_context().event_server_url
    except SettingsError as error:  # about other servers: no reason to leave a program without its log
        warn_locally(f"The addresses of the lab's servers cannot be read: {error}")
        return config
    return config if url is None else config.replaced(event_server_url=url)


def _caller_name() -> str:
    """Return the name of the module that makes the client."""
    frame = sys._getframe(1)  # noqa: SLF001 - inspect would read source files
    while frame.f_back is not None:
        frame = frame.f_back
        name = str(frame.f_globals.get("__name__", ""))
        if name and not name.startswith(_UNNAMED_CALLERS):
            return name
    return __name__


def _version() -> str:
    try:
        return metadata.version("madsci.event_manager")
    except metadata.PackageNotFoundError:
        return "unknown"
