"""All ways to people that are configured."""

from __future__ import annotations

from collections.abc import Sequence

from madsci.common.errors import SettingsError
from madsci.common.types.alerts import AppriseConfig, EmailAlertsConfig, WebhookConfig
from madsci.event_manager.alerts.apprise_channel import AppriseChannel
from madsci.event_manager.alerts.channel import Channel
from madsci.event_manager.alerts.email_channel import EMAIL, EmailChannel
from madsci.event_manager.alerts.webhook import WebhookChannel


def channels_of(
    email: EmailAlertsConfig | None,
    webhooks: Sequence[WebhookConfig],
    apprise: Sequence[AppriseConfig],
) -> list[Channel]:
    """Return a channel for each configuration, in this order. None of them connects to anything yet.

    Raises:
        SettingsError: two have the same name, one is called ``email``, or one of them cannot be used.
    """
    _check_names([one.name for one in (*webhooks, *apprise)])
    channels: list[Channel] = [] if email is None else [EmailChannel(email)]
    channels += [WebhookChannel(one) for one in webhooks]
    channels += [AppriseChannel(one) for one in apprise]
    return channels


def _check_names(names: Sequence[str]) -> None:
    seen = {EMAIL}
    for name in names:
        if name == EMAIL:
            raise SettingsError(
                f"A webhook or service is called {EMAIL!r}, as mails are. Give it another name."
            )
        if name in seen:
            raise SettingsError(
                f"Two webhooks or services are called {name!r}. Give one of them another name."
            )
        seen.add(name)
