"""`EventClient`: the logger of every process in a lab.

It only joins: ``writing`` makes records of what is logged, ``outputs`` brings them to console, file and
server, ``reading`` asks for them again. Here is what they all work with, and its life.
"""

from __future__ import annotations

import functools
import logging
import platform
import reprlib
import sys
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import Self, Unpack

from madsci.client.delivery import SenderStats, ServerAccess, Transport, adopt_with, server_access
from madsci.client.reading import Administration, Reports, Watching
from madsci.client.spool import RejectedEvent
from madsci.client.writing import (
    DEBUG,
    EventOrigin,
    LogCalls,
    Outputs,
    log_file_path,
    make_record,
    shared_redaction,
    spool_directory,
)
from madsci.common.calling import caller_name
from madsci.common.context.servers import get_current_madsci_context
from madsci.common.errors import SettingsError
from madsci.common.jsonable import to_jsonable
from madsci.common.settings.problems import no_such_setting
from madsci.common.settings.traits import file_names
from madsci.common.stderr import warn_locally
from madsci.common.types.client_arguments import ClientArguments
from madsci.common.types.client_config import EventClientConfig

if TYPE_CHECKING:
    from madsci.client.delivery.http import HttpTransport

__all__ = ["EventClient", "EventClientConfig"]

_brief: Final = reprlib.Repr()
_brief.maxdict, _brief.maxstring, _brief.maxother = 20, 80, 80


class EventClient(LogCalls, Watching, Administration, Reports):
    """Logs events: on the console, in a file, and on an Event Manager where one is configured.

    A log call never raises (unless ``fail_on_error``), never waits for the network, and takes any
    value. Arguments are ``EventClientConfig``'s; ``config`` gives them all, keywords override it. A
    keyword that is no setting is told of on stderr, once, and left out.
    ``transport`` replaces HTTP, for tests (see ``madsci.client.testing``).

    Attributes for callers: ``name``, ``config``, ``log_dir``, ``logfile``, ``event_server`` (ends in
    a slash and holds no credentials), and ``logger``, the standard logger of the same name, which the
    client itself does not write to. Copies share the outputs of the original, as bound clients do;
    one that was pickled opens its own.
    """

    def __init__(
        self,
        config: EventClientConfig | None = None,
        *,
        transport: Transport | None = None,
        **settings: Unpack[ClientArguments],
    ) -> None:
        if config is not None and not isinstance(config, EventClientConfig):
            raise SettingsError(
                f"config must be an EventClientConfig, not {config!r:.80}. A name is given as"
                " EventClient(name=...)."
            )
        known = _known(settings)
        if config is None:
            config = EventClientConfig(**known)
        elif known:
            config = config.replaced(**known)
        if config.event_server_url is None and transport is None:
            config = _with_server_of_context(config)
        self._open(config, config.name or caller_name(), transport)
        self._tell_start()
        if config.otel_enabled:
            warn_locally("otel_enabled has no effect yet: this version does not take part in traces.")

    def _open(self, config: EventClientConfig, name: str, transport: Transport | None) -> None:
        access = server_access(config)
        self.config = config
        self.name = name
        self.logger = logging.getLogger(name)
        self.log_dir = Path(config.log_dir)
        self.logfile = log_file_path(config, name)
        self.event_server = None if access is None else f"{access.url}/"
        self._transport = transport
        self._outputs = Outputs(name, config, access, transport)
        self._connection = _connection_for_reading(access, config)
        self._origin = EventOrigin(config.source.model_dump() if config.source else {}, name)
        self._redaction = shared_redaction(tuple(config.redact_keys), enabled=config.redact_enabled)
        self._context: dict[str, Any] = {}
        self._is_bound_copy = False

    def __copy__(self) -> Self:
        client = object.__new__(type(self))
        vars(client).update(vars(self))
        client._is_bound_copy = True
        return client

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self.__copy__()

    def __reduce__(self) -> tuple[Any, ...]:
        # Bound data go as events show them: what a program binds need not be fit for pickling.
        state = (self.config, self.name, self._transport, to_jsonable(self._context))
        return _opened_anew, (type(self), *state)

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
        if self._connection is not None:
            self._connection.close()

    async def aclose(self, timeout: float | None = None) -> None:
        """Do what ``close`` does, without holding up the event loop."""
        import asyncio  # noqa: PLC0415 - only asynchronous programs have it anyway

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
        shown = f"{type(self).__name__}(name={self.name!r}, event_server={self.event_server!r}"
        if not self._context:
            return f"{shown})"
        bound = self._redaction.mask_tree(to_jsonable(self._context))
        return f"{shown}, bound={_brief.repr(bound)})"

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
                DEBUG, "EventClient initialized", (), fields, self._origin.encoded(), self._redaction
            )
        )


def _opened_anew(
    kind: type[EventClient],
    config: EventClientConfig,
    name: str,
    transport: Transport | None,
    context: dict[str, Any],
) -> EventClient:
    client = object.__new__(kind)
    client._open(config, name, transport)
    client._context = context
    return client


def _known(settings: ClientArguments) -> ClientArguments:
    """Return the keywords that are settings; of each other one the program is told once."""
    names = file_names(EventClientConfig)
    unknown = [name for name in settings if name not in names]
    if not unknown:
        return settings
    for name in unknown:
        subject = f"The argument {name} of EventClient"
        _tell_once(no_such_setting(EventClientConfig, subject, name, names))
    kept: Any = {name: value for name, value in settings.items() if name in names}
    known: ClientArguments = kept
    return known


@functools.lru_cache(maxsize=256)  # sentences; programs that make up names for ever hear some again
def _tell_once(sentence: str) -> None:
    warn_locally(sentence)


def _connection_for_reading(
    access: ServerAccess | None, config: EventClientConfig
) -> HttpTransport | None:
    if access is None:
        return None
    from madsci.client.delivery.http import HttpTransport  # noqa: PLC0415 - see Outputs

    return HttpTransport.configured(access, config)


def _with_server_of_context(config: EventClientConfig) -> EventClientConfig:
    try:
        url = get_current_madsci_context().event_server_url
    except SettingsError as error:  # about other servers: no reason to leave a program without its log
        warn_locally(f"The addresses of the lab's servers cannot be read: {error}")
        return config
    return config if url is None else config.replaced(event_server_url=url)


def _client_of_children() -> EventClient | None:
    """Return a client of the configured server, if others have left events for it on this machine.

    A pool ends its workers before they have sent what they logged, and their parent may never log.
    """
    try:
        config = _with_server_of_context(
            EventClientConfig(log_file_enabled=False, log_console_enabled=False)
        )
        access = server_access(config)
        if access is None or not spool_directory(config.spool_dir, access.url).is_dir():
            return None
        return EventClient(config)
    except (SettingsError, OSError):  # the workers have told of it
        return None


adopt_with(_client_of_children)


@functools.cache
def _version() -> str:
    try:
        return metadata.version("madsci.event_manager")
    except metadata.PackageNotFoundError:
        return "unknown"
