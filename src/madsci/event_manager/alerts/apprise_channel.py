"""Alerts over the services that the library Apprise knows: chats, phones, pagers.

See https://appriseit.com. The library is an optional extra and takes most of a second to load, so it is
imported with the first channel of this kind.
"""

from __future__ import annotations

import importlib
import inspect
import logging
import re
import threading
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any, Final

from typing_extensions import Self

from madsci.common.errors import DeliveryError, SettingsError
from madsci.common.types.alerts import AppriseConfig
from madsci.event_manager.alerts.channel import Message
from madsci.event_manager.alerts.mail import header_text
from madsci.event_manager.alerts.quoting import Quoting, pieces_of

SECONDS: Final = 60.0
"""For one message: Apprise waits four seconds for each byte of a reply, so it may wait for ever."""
_MOST_LINES: Final = 5
"""Of what Apprise logs about one failure: it says one or two."""
_LONGEST_LINE: Final = 2_000
_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]{0,30})://", re.IGNORECASE)


class AppriseChannel:
    """Sends messages over one URL of Apprise. Thread-safe: one message at a time.

    What Apprise logs meanwhile is the reason of a failure, and appears in no log.
    """

    def __init__(self, config: AppriseConfig, *, seconds: float = SECONDS) -> None:
        """``seconds`` bound the wait for an earlier message, and that for the service.

        Raises:
            SettingsError: the library is missing, or does not understand the URL.
        """
        self._name = config.name
        self._seconds = seconds
        self._quoting = Quoting([config.url, *pieces_of(config.url)])
        self._apprise = _library(config.name)
        self._service = self._service_of(config.url)
        self._turn = threading.Lock()

    @property
    def name(self) -> str:
        """By which it is configured."""
        return self._name

    @property
    def recipients(self) -> Sequence[str]:
        """One empty text: the URL says who is told."""
        return ("",)

    def send(self, message: Message, recipient: str) -> None:  # noqa: ARG002 - there is one only
        """Send a message; returning, the service has taken it.

        Raises:
            DeliveryError: it was not taken, or not in time. Never final: Apprise does not tell why.
        """
        if not self._turn.acquire(timeout=self._seconds):
            raise self._failure("is still busy with an earlier message", "")
        attempt = self._begun(message)
        if not attempt.is_over.wait(self._seconds):
            raise self._failure(f"did not take the message within {self._seconds:g} s", "")
        if not attempt.was_taken:
            reason = "; ".join(self._quoting.line(line) for line in attempt.lines)
            raise self._failure(
                f"did not take the message ({reason or 'Apprise does not say why'})",
                "Check its url and the service.",
            )

    def _begun(self, message: Message) -> _Attempt:
        # The lock is given back by the thread that sends, which may hang: then at most one does.
        attempt = _Attempt(self._turn)
        thread = threading.Thread(
            target=attempt.run, args=(self._notify, message), name=f"alerts-{self._name}", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:
            self._turn.release()
            raise self._failure("gets nothing, since no thread can be started any more", "") from None
        return attempt

    def _notify(self, message: Message) -> bool:
        return bool(
            self._service.notify(
                body=message.text,
                title=header_text(message.title),
                notify_type=_kind(message.severity),
                body_format="text",
            )
        )

    def _service_of(self, url: str) -> Any:
        with _Hearing() as heard:
            asset = self._asset()
            service = self._apprise.Apprise(asset=asset)
            instance = self._apprise.Apprise.instantiate(url, asset=asset)
        if instance is None or not service.add(instance):
            scheme = _SCHEME.match(url)
            begins = f", which begins with {scheme[0]}" if scheme else ""
            reason = "; ".join(self._quoting.line(line) for line in heard.lines)
            raise SettingsError(
                f"Apprise does not understand the url of {self._name!r}{begins}"
                + (f" ({reason})." if reason else ".")
                + " Write it as https://appriseit.com/services/ says for the service."
            )
        return service

    def _asset(self) -> Any:
        kind = self._apprise.AppriseAsset
        how: dict[str, Any] = {"async_mode": False, "app_id": "MADSci"}
        if "service_timeout" in inspect.signature(kind).parameters:
            # Threads by which newer releases bound a service are waited for at the end of a process.
            how["service_timeout"] = 0
        return kind(**how)

    def _failure(self, what: str, remedy: str) -> DeliveryError:
        return DeliveryError(f"The service of {self._name!r} {what}. {remedy}".rstrip())


class _Attempt:
    """One message on its way, in a thread that may be left behind."""

    def __init__(self, turn: threading.Lock) -> None:
        self._turn = turn
        self.is_over = threading.Event()
        self.was_taken = False
        self.lines: list[str] = []

    def run(self, notify: Any, message: Message) -> None:
        try:
            with _Hearing() as heard:
                self.lines = heard.lines
                self.was_taken = notify(message)
        finally:
            self._turn.release()
            self.is_over.set()


class _Hearing:
    """Keeps what Apprise logs for this block, its only word on a failure, and out of all logs."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __enter__(self) -> Self:
        logging.getLogger("apprise").addFilter(_is_logged)  # which adds it once
        self._before = _hearing.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        _hearing.reset(self._before)

    def take(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING and len(self.lines) < _MOST_LINES:
            self.lines.append(record.getMessage()[:_LONGEST_LINE])


# Apprise has threads of its own, and runs them in the context of who sends.
_hearing: ContextVar[_Hearing | None] = ContextVar("apprise_hearing", default=None)


def _is_logged(record: logging.LogRecord) -> bool:
    hearing = _hearing.get()
    if hearing is not None:
        hearing.take(record)
    return hearing is None


def _kind(severity: int) -> str:
    if severity >= logging.ERROR:
        return "failure"
    return "warning" if severity >= logging.WARNING else "info"


def _library(name: str) -> Any:
    try:
        return importlib.import_module("apprise")
    except ImportError as error:
        raise SettingsError(
            f"{name!r} needs the library Apprise, which cannot be imported ({error}). Install it by"
            " pip install 'madsci.event_manager[alerts]'."
        ) from None
