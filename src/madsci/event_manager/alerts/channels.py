"""The channels that a lab has, made from its settings."""

from __future__ import annotations

from madsci.common.types.alert_settings import AlertSettings
from madsci.event_manager.alerts.channel import Channel
from madsci.event_manager.alerts.email_channel import EmailChannel


def channels_of(settings: AlertSettings) -> list[Channel]:
    """Return them, in the order in which they are documented.

    Raises:
        SettingsError: one cannot be used.
    """
    channels: list[Channel] = []
    if settings.email_alerts is not None:
        channels.append(EmailChannel(settings.email_alerts))
    return channels
