"""The channel of mails sends one to each address, as urgent as what it is about."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from madsci.common.errors import DeliveryError, SettingsError
from madsci.common.types.alerts import EmailAlertsConfig
from madsci.event_manager.alerts.channel import Message
from madsci.event_manager.alerts.email_channel import EmailChannel
from madsci.event_manager.alerts.mail import Mail
from support.mail_server import mail_server
from support.server import free_port

ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"


def message(**members) -> Message:
    given = {"key": "k1", "title": "Too hot", "text": "It is ü.", "html": None, "severity": 40}
    return Message(**{**given, **members})


def config(port: int, **members) -> EmailAlertsConfig:
    given = {
        "smtp_server": "127.0.0.1",
        "smtp_port": port,
        "use_tls": False,
        "sender": "lab@example.org",
    }
    return EmailAlertsConfig(**{**given, **members})


def received(one: Message, **members):
    with mail_server() as server:
        EmailChannel(config(server.port, **members)).send(one, "anna@example.org")
        ((recipient, mail),) = server.mails
    assert recipient == "anna@example.org"
    return mail


def test_the_channel_has_the_configured_recipients_each_once():
    addresses = ["a@example.org", "b@example.org", "a@example.org"]
    channel = EmailChannel(config(25, email_addresses=addresses))
    assert channel.name == "email"
    assert list(channel.recipients) == ["a@example.org", "b@example.org"]


def test_a_mail_says_what_the_message_says():
    mail = received(message(html="<p>It is ü.</p>", event_id="01JE"))
    assert (mail["Subject"], mail["From"], mail["To"]) == (
        "Too hot", "lab@example.org", "anna@example.org",
    )  # fmt: skip
    assert mail["X-MADSci-Event-ID"] == "01JE"
    assert mail["Message-ID"] == "<k1@example.org>"
    assert mail.get_body(["plain"]).get_content().strip() == "It is ü."
    assert mail.get_body(["html"]).get_content().strip() == "<p>It is ü.</p>"


def test_a_message_about_no_event_names_none():
    assert received(message())["X-MADSci-Event-ID"] is None


@pytest.mark.parametrize("severity", [10, 50])
@pytest.mark.parametrize(("configured", "importance"), [("low", "Low"), ("High", "High")])
def test_mails_are_as_important_as_the_configuration_says(severity, configured, importance):
    mail = received(message(severity=severity), default_importance=configured)
    assert mail["Importance"] == importance


def test_an_importance_that_there_is_not_is_refused_when_the_channel_is_made():
    with pytest.raises(SettingsError, match="no importance"):
        EmailChannel(config(25, default_importance="Urgent"))


def test_texts_of_events_make_no_header_and_no_recipient():
    evil = "a\r\nBcc: eve@example.org\r\n\r\nx"
    mail = received(message(key=evil, title=evil, text=evil, html=evil, event_id=evil))
    assert mail["Bcc"] is None
    assert mail["To"] == "anna@example.org"
    assert re.fullmatch(rf"<{ATOM}@example\.org>", mail["Message-ID"])
    assert not mail.defects


@settings(max_examples=25)  # writing a mail takes the standard library a while
@given(st.text(st.characters(), max_size=200))
def test_any_key_makes_a_message_id_of_one_line(key):
    raw = Mail("s", "t").to("anna@example.org", "lab@" + "a" * 60 + ".example.org", key).as_bytes()
    unfolded = raw.replace(b"\r\n ", b" ").split(b"\r\n")
    (line,) = [line for line in unfolded if line.lower().startswith(b"message-id:")]
    assert re.fullmatch(rf"message-id: +<{ATOM}@a+\.example\.org>", line.decode("ascii"), re.IGNORECASE)


def test_what_the_mail_server_refuses_is_told():
    with mail_server(refuse=lambda _: "550 No such user") as server:
        channel = EmailChannel(config(server.port))
        with pytest.raises(DeliveryError, match=r"does not take mail for anna@example\.org") as refused:
            channel.send(message(), "anna@example.org")
    assert refused.value.is_final


def test_a_mail_server_that_is_away_may_come_back():
    with pytest.raises(DeliveryError, match="could not be spoken with") as refused:
        EmailChannel(config(free_port())).send(message(), "anna@example.org")
    assert not refused.value.is_final


def test_what_is_no_address_is_refused_for_good():
    with pytest.raises(DeliveryError, match="no address of a mail") as refused:
        EmailChannel(config(25)).send(message(), "anna")
    assert refused.value.is_final
