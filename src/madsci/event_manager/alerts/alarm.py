"""Telling people that the recorder itself is not well, also where it cannot keep an event of that."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, Final, Protocol

from madsci.common.clock import Clock, now_us
from madsci.common.errors import MadsciError
from madsci.common.ids import new_ulid
from madsci.common.types.health import ChannelHealth
from madsci.common.types.log_level import EventLogLevel
from madsci.event_manager.alerts.channel import Channel
from madsci.event_manager.alerts.dispatcher import Dispatcher
from madsci.event_manager.alerts.notice import Notice, Occasion, Subject

_OF_ALERTS: Final = ("follower alerts", "channel")
"""What concerns telling people itself, so that no event of it would reach them."""


class Recorder(Protocol):
    """Keeps events of the server; see ``OwnEvents``."""

    def begin_alarm(self, message: str) -> Future[Any]:
        """Begin to keep an event with an alert; does not wait."""
        ...


class Alarm:
    """Tells by an event with an alert, as anybody would; where that fails, over every channel at once.

    Thread-safe; never waits for a disk.
    """

    def __init__(
        self, events: Recorder, dispatcher: Dispatcher, channels: list[Channel], clock: Clock = now_us
    ) -> None:
        self._events = events
        self._dispatcher = dispatcher
        self._channels = channels
        self._clock = clock

    def channels(self) -> list[ChannelHealth]:
        """Return how it stands with each channel."""
        return self._dispatcher.stats()

    def give(self, topic: str, sentence: str) -> None:
        """Tell people of something, which ``topic`` names in a word."""
        if topic.startswith(_OF_ALERTS):
            self._tell_at_once(topic, sentence)
            return
        try:
            kept = self._events.begin_alarm(sentence)
        except MadsciError:
            self._tell_at_once(topic, sentence)
            return

        def done(kept: Future[Any]) -> None:
            if kept.cancelled() or kept.exception() is not None:
                self._tell_at_once(topic, sentence)

        kept.add_done_callback(done)

    def _tell_at_once(self, topic: str, sentence: str) -> None:
        """Tell of it without the store."""
        now, alert_id = self._clock(), new_ulid()
        title = f"The Event Manager is not well: {topic}"
        severity = int(EventLogLevel.CRITICAL)
        subject = Subject(alert_id, "recorder", severity, title, sentence, {}, now)
        number = 0
        for channel in self._channels:
            for recipient in channel.recipients:
                key = f"{now:016d}-{alert_id}-{number}"
                notice = Notice(key, Occasion.OPENED, channel.name, recipient, subject, now)
                self._dispatcher.send_at_once(notice)
                number += 1
