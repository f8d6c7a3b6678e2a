"""Messages over whatever the Apprise library reaches: chats, phones, push services.

See https://appriseit.com for the URLs. It is imported only where a lab has such a channel.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import Any, Final

from madsci.common.errors import DeliveryError, SettingsError
from madsci.common.types.alerts import AppriseConfig
from madsci.common.types.log_level import EventLogLevel
from madsci.event_manager.alerts.channel import Message

_LONGEST: Final = 1_500
"""Characters of a text: what the stricter of the chats take, and what is read on a phone."""
_SHOWN: Final = 500
_STAMP: Final = re.compile(r"^[\d\-: ,]+ - [A-Z]+ - ", re.MULTILINE)


class AppriseChannel:
    """Sends the title and the beginning of the text. One send at a time, from any thread."""

    recipients: Sequence[str] = ("",)

    def __init__(self, config: AppriseConfig) -> None:
        """Raises ``SettingsError``: the library is not there, or does not know the URL."""
        self.name = config.name
        try:
            import apprise  # noqa: PLC0415 - some 200 modules, for labs that use it
        except ImportError as error:
            raise SettingsError(
                f"The channel {config.name} of alert_apprise needs the Apprise library. Install it:"
                " pip install 'madsci.event_manager[alerts]'"
            ) from error
        self._library: Any = apprise
        self._service = apprise.Apprise()
        if not self._service.add(config.url):
            raise SettingsError(
                f"The url of the channel {config.name} of alert_apprise is none that Apprise knows."
                " Its form is at https://appriseit.com."
            )

    def send(self, message: Message, recipient: str) -> None:
        """Hand a message over; see ``Channel``."""
        del recipient
        kind = self._library.NotifyType
        is_grave = message.severity >= EventLogLevel.ERROR
        text = message.text if len(message.text) <= _LONGEST else f"{message.text[:_LONGEST]}…"
        # What failed, and why, it tells to its log only.
        with self._library.LogCapture(level=logging.WARNING) as log:
            was_taken = self._service.notify(
                body=text,
                title=message.title,
                notify_type=kind.FAILURE if is_grave else kind.WARNING,
                body_format=self._library.NotifyFormat.TEXT,
            )
            told = " ".join(_STAMP.sub("", log.getvalue()).split())
        if not was_taken:
            raise DeliveryError(f"{self.name} did not take the message: {told[:_SHOWN] or '?'}")
