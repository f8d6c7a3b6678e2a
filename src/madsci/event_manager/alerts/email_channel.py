"""Messages as mails, one to each address."""

from __future__ import annotations

from collections.abc import Sequence

from madsci.common.types.alerts import EmailAlertsConfig
from madsci.event_manager.alerts.channel import Channel, Message
from madsci.event_manager.alerts.mail import Importance, Mail
from madsci.event_manager.alerts.smtp import MailServer

EMAIL = "email"
"""The name of the channel."""


class EmailChannel(Channel):
    """Mails over the server that a configuration names, as important as it says. Thread-safe."""

    name = EMAIL

    def __init__(self, config: EmailAlertsConfig) -> None:
        self._config = config
        self._server = MailServer(config)
        self._importance = Importance.named(config.default_importance)

    @property
    def recipients(self) -> Sequence[str]:
        """The addresses."""
        return self._config.email_addresses

    def send(self, message: Message, recipient: str) -> None:
        """Hand a mail over; see ``Channel``."""
        headers = {} if message.event_id is None else {"X-MADSci-Event-ID": message.event_id}
        mail = Mail(message.title, message.text, message.html, self._importance, headers)
        self._server.send(mail.to(recipient, self._config.sender, message.key))
