"""Alerts by e-mail, for programs that send them themselves."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from html import escape
from typing import Protocol

from madsci.common.errors import DeliveryError
from madsci.common.types.alerts import EmailAlertsConfig
from madsci.common.types.event import Event
from madsci.event_manager.alerts.mail import Importance, Mail
from madsci.event_manager.alerts.smtp import MailServer


class _Logger(Protocol):
    def warning(self, message: str, /) -> object: ...
    def error(self, message: str, /) -> object: ...


class EmailAlerts:
    """Sends mails about events to the people whom a configuration names. Thread-safe.

    What cannot be sent is told by ``logger``, an ``EventClient`` or one of the standard library.
    """

    def __init__(self, config: EmailAlertsConfig, logger: _Logger | None = None) -> None:
        self._config = config
        self._server = MailServer(config)
        self._logger = logger or logging.getLogger(__name__)
        self._importance = Importance.named(config.default_importance)

    def send_email_alerts(self, event: Event) -> None:
        """Send a mail about an event to each address; waits until all are handed over, or failed."""
        if not self._config.email_addresses:
            self._logger.warning("Nobody is told of alerts: name somebody in email_addresses.")
        mail = _about(event, self._importance)
        for recipient in self._config.email_addresses:
            self._send(mail, recipient, self._config.sender)

    def send_email(  # noqa: PLR0913, PLR0917 - what a mail has
        self,
        subject: str,
        email_address: str,
        body: str,
        sender: str | None = None,
        headers: Mapping[str, str] | None = None,
        importance: str | None = None,
    ) -> bool:
        """Send a text to one address; tell whether the mail server took it. Raises nothing of that.

        Raises:
            SettingsError: there is no such importance.
        """
        urgency = self._importance if importance is None else Importance.named(importance)
        mail = Mail(subject, body, importance=urgency, headers=headers or {})
        return self._send(mail, email_address, sender or self._config.sender)

    def _send(self, mail: Mail, recipient: str, sender: str) -> bool:
        try:
            self._server.send(mail.to(recipient, sender))
        except DeliveryError as error:
            reason = f"A mail to {recipient!r} was not sent. {error.message}"
            self._logger.error(reason)  # noqa: TRY400 - the reason is what an operator can act on
            return False
        return True


def _about(event: Event, importance: Importance) -> Mail:
    text = event.model_dump_json(indent=2)
    return Mail(
        subject=f"ALERT ({event.log_level.name}): {event.event_type.value}",
        text=text,
        html=f"<pre>{escape(text)}</pre>",
        importance=importance,
        headers={"X-MADSci-Event-ID": event.event_id},
    )
