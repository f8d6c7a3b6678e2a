"""The channels that a lab has, made from its settings."""

from __future__ import annotations

from madsci.common.errors import SettingsError
from madsci.common.types.alert_settings import AlertSettings
from madsci.event_manager.alerts.apprise_channel import AppriseChannel
from madsci.event_manager.alerts.channel import Channel
from madsci.event_manager.alerts.email_channel import EmailChannel
from madsci.event_manager.alerts.webhook import WebhookChannel


def channels_of(settings: AlertSettings) -> list[Channel]:
    """Return them, in the order in which they are documented.

    Raises:
        SettingsError: one cannot be used.
    """
    channels: list[Channel] = []
    if settings.email_alerts is not None:
        channels.append(EmailChannel(settings.email_alerts))
    channels.extend(WebhookChannel(one) for one in settings.alert_webhooks)
    channels.extend(AppriseChannel(one) for one in settings.alert_apprise)
    names = [one.name for one in channels]
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled is not None:
        raise SettingsError(
            f"Two channels of alerts are called {doubled!r}. Give each a name of its own."
        )
    return channels
