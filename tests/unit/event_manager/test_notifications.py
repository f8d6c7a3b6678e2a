"""Programs send alerts by e-mail themselves, as with the reference."""

from __future__ import annotations

import logging

import pytest

from madsci.common.errors import SettingsError
from madsci.common.types.alerts import EmailAlertsConfig
from madsci.common.types.event_types import Event, EventLogLevel, EventType
from madsci.event_manager.notifications import EmailAlerts
from support.mail_server import mail_server
from support.server import free_port


@pytest.fixture
def server():
    with mail_server(refuse=lambda to: "550 Unknown" if to.startswith("nobody") else None) as it:
        yield it


def alerts(port: int, *addresses: str, **members) -> EmailAlerts:
    config = EmailAlertsConfig(
        smtp_server="127.0.0.1", smtp_port=port, use_tls=False, email_addresses=addresses, **members
    )
    return EmailAlerts(config)


def failed_step() -> Event:
    return Event(
        event_type=EventType.WORKFLOW_STEP_FAILED,
        log_level=EventLogLevel.ERROR,
        event_data={"message": "<b>The plate is stuck.</b>"},
    )


def test_each_address_gets_a_mail_with_the_event(server):
    event = failed_step()
    alerts(server.port, "a@x.org", "b@x.org", default_importance="High").send_email_alerts(event)
    assert [recipient for recipient, _ in server.mails] == ["a@x.org", "b@x.org"]
    for _, mail in server.mails:
        assert mail["Subject"] == "ALERT (ERROR): workflow_step_failed"
        assert mail["X-MADSci-Event-ID"] == event.event_id
        assert (mail["Importance"], mail["X-Priority"]) == ("High", "1")
        text = mail.get_body(["plain"]).get_content()
        assert Event.model_validate_json(text) == event
        assert "<b>" not in mail.get_body(["html"]).get_content()


def test_one_address_that_is_refused_keeps_no_mail_from_the_others(server, caplog):
    alerts(server.port, "nobody@x.org", "no address", "b@x.org").send_email_alerts(failed_step())
    assert [recipient for recipient, _ in server.mails] == ["b@x.org"]
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(told) == 2
    assert "'nobody@x.org'" in told[0]
    assert "550 Unknown" in told[0]
    assert "no address" in told[1]


def test_without_addresses_it_is_said_that_nobody_is_told(server, caplog):
    alerts(server.port).send_email_alerts(failed_step())
    assert server.mails == []
    assert "email_addresses" in caplog.text


def test_a_text_is_sent_with_headers_and_tells_whether_it_was_taken(server):
    sender = alerts(server.port)
    assert sender.send_email("Hello", "a@x.org", "It works.", "me@x.org", {"X-Rule": "r"}, "low")
    ((_, mail),) = server.mails
    assert (mail["Subject"], mail["From"], mail["X-Rule"]) == ("Hello", "me@x.org", "r")
    assert mail["X-Priority"] == "5"
    assert not sender.send_email("Hello", "nobody@x.org", "It does not.")
    assert not alerts(free_port()).send_email("Hello", "a@x.org", "Nobody is there.")


def test_an_importance_that_there_is_not_is_said_at_once(server):
    with pytest.raises(SettingsError, match="no importance"):
        alerts(server.port, default_importance="urgent")
