"""Alerts by e-mail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from madsci.common.types.alerts import EmailAlertsConfig
from madsci.event_manager.alerts.channel import Message
from madsci.event_manager.alerts.mail import Importance, Mail
from madsci.event_manager.alerts.smtp import MailServer

EMAIL: Final = "email"


class EmailChannel:
    """Mails messages to the addresses of a configuration, each with a mail of its own. Thread-safe.

    All have the configured importance. A mail that is sent again has the same ``Message-ID``, by which
    mail programs show it once.
    """

    def __init__(self, config: EmailAlertsConfig) -> None:
        """Raises ``SettingsError`` if there is no importance of the configured name."""
        self._server = MailServer(config)
        self._sender = config.sender
        self._importance = Importance.named(config.default_importance)
        self._recipients = tuple(dict.fromkeys(config.email_addresses))

    @property
    def name(self) -> str:
        """Always the same: there is one mail server."""
        return EMAIL

    @property
    def recipients(self) -> Sequence[str]:
        """The configured addresses, each once."""
        return self._recipients

    def send(self, message: Message, recipient: str) -> None:
        """Hand a mail to the mail server; returning, that has answered for it.

        Raises:
            DeliveryError: it was not taken; says why, and whether another try is of use.
        """
        mail = Mail(
            subject=message.title,
            text=message.text,
            html=message.html,
            importance=self._importance,
            headers={} if message.event_id is None else {"X-MADSci-Event-ID": message.event_id},
        )
        self._server.send(mail.to(recipient, self._sender, message.key))
