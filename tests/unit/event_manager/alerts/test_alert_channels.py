"""All that is configured becomes a channel with a name of its own."""

from __future__ import annotations

import pytest

from madsci.common.errors import SettingsError
from madsci.common.types.alerts import AppriseConfig, EmailAlertsConfig, WebhookConfig
from madsci.event_manager.alerts.channel import Channel
from madsci.event_manager.alerts.channels import channels_of

# A part of Apprise looks for a module that Python 3.13 does not have any more.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def webhook(name: str) -> WebhookConfig:
    return WebhookConfig(name=name, url="https://hooks.example.org/")


def service(name: str) -> AppriseConfig:
    return AppriseConfig(name=name, url="json://127.0.0.1:9/")


def test_mails_come_first_then_webhooks_then_services():
    channels: list[Channel] = channels_of(
        EmailAlertsConfig(email_addresses=["a@example.org"]),
        [webhook("b"), webhook("a")],
        [service("c")],
    )
    assert [one.name for one in channels] == ["email", "b", "a", "c"]
    assert [list(one.recipients) for one in channels] == [["a@example.org"], [""], [""], [""]]


def test_nothing_is_configured_by_default():
    assert channels_of(None, [], []) == []


@pytest.mark.parametrize(
    ("webhooks", "services"),
    [([webhook("a"), webhook("a")], []), ([webhook("a")], [service("a")]), ([], [service("a")] * 2)],
)
def test_two_channels_of_one_name_are_refused(webhooks, services):
    with pytest.raises(SettingsError, match="Two webhooks or services are called 'a'"):
        channels_of(None, webhooks, services)


@pytest.mark.parametrize(("webhooks", "services"), [([webhook("email")], []), ([], [service("email")])])
def test_the_name_of_mails_is_theirs_also_where_there_are_none(webhooks, services):
    with pytest.raises(SettingsError, match="called 'email', as mails are"):
        channels_of(None, webhooks, services)
