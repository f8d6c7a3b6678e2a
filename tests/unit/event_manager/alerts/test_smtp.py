"""Mail servers take mails, or it is said why not and whether another try is of use."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest
import trustme

from madsci.common.errors import DeliveryError
from madsci.common.types.alerts import EmailAlertsConfig
from madsci.event_manager.alerts import smtp
from madsci.event_manager.alerts.mail import Mail
from madsci.event_manager.alerts.smtp import MailServer
from support.certificates import tls_of
from support.mail_server import PASSWORD, USER, MailServerOfTests, mail_server
from support.server import free_port

MESSAGE = Mail("Step failed", "It is ü.").to("anna@example.org", "lab@example.org", "key")


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def trusted(authority, tmp_path, monkeypatch):
    """The system trusts the authority."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))


def config(server: MailServerOfTests | None = None, **members) -> EmailAlertsConfig:
    port = free_port() if server is None else server.port
    return EmailAlertsConfig(**{"smtp_server": "127.0.0.1", "smtp_port": port, **members})


def refused(server: MailServer, message=MESSAGE) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        server.send(message)
    assert caught.value.message.startswith(f"The mail server {server.name} ")
    return caught.value


def test_a_mail_is_handed_over_in_clear_where_that_is_wished():
    with mail_server() as server:
        MailServer(config(server, use_tls=False)).send(MESSAGE)
        ((recipient, mail),) = server.mails
    assert recipient == "anna@example.org"
    assert mail["Message-ID"] == "<key@example.org>"
    assert mail.get_content().strip() == "It is ü."


def test_addresses_of_any_language_reach_a_server_that_knows_them():
    with mail_server() as server:
        mail = Mail("s", "t").to("Jörg <jö@exämple.org>", "lab@example.org")
        MailServer(config(server, use_tls=False)).send(mail)
        assert [recipient for recipient, _ in server.mails] == ["jö@exämple.org"]


@pytest.mark.usefixtures("trusted")
def test_by_default_the_connection_is_encrypted_before_anything_is_said(authority):
    with mail_server(tls=tls_of(authority), login=True) as server:
        MailServer(config(server, smtp_username=USER, smtp_password=PASSWORD)).send(MESSAGE)
        assert len(server.mails) == 1


@pytest.mark.usefixtures("trusted")
def test_on_port_465_it_is_encrypted_from_the_first_byte(authority, monkeypatch):
    with mail_server(tls=tls_of(authority), implicit=True) as server:
        monkeypatch.setattr(smtp, "_IMPLICIT_TLS", server.port)
        MailServer(config(server)).send(MESSAGE)
        assert len(server.mails) == 1


@pytest.mark.usefixtures("trusted")
def test_a_certificate_of_another_name_is_not_accepted(authority):
    with mail_server(tls=tls_of(authority, "mail.example.org")) as server:
        error = refused(MailServer(config(server)))
        assert server.mails == []
    assert "certificate that is not trusted" in error.message
    assert "SSL_CERT_FILE" in error.message


def test_a_certificate_that_nobody_vouches_for_is_not_accepted(authority):
    with mail_server(tls=tls_of(authority)) as server:
        assert "not trusted" in refused(MailServer(config(server))).message


def test_a_server_without_tls_gets_no_mail_unless_that_is_wished():
    with mail_server() as server:
        error = refused(MailServer(config(server)))
        assert server.mails == []
    assert "use_tls: false" in error.message
    assert not error.is_final


@pytest.mark.usefixtures("trusted")
def test_wrong_credentials_are_named_without_the_password(authority):
    with mail_server(tls=tls_of(authority), login=True) as server:
        error = refused(MailServer(config(server, smtp_username=USER, smtp_password="wrong-one")))
    assert "refused the user 'lab' (535" in error.message
    assert "wrong-one" not in error.message
    assert not error.is_final


@pytest.mark.parametrize(
    ("reply", "is_final"), [("550 No such user", True), ("451 Come back later", False)]
)
def test_what_the_server_says_of_an_address_tells_whether_to_try_again(reply, is_final):
    with mail_server(refuse=lambda _: reply) as server:
        error = refused(MailServer(config(server, use_tls=False)))
    assert f"does not take mail for anna@example.org ({reply})" in error.message
    assert error.is_final is is_final


def test_a_server_that_is_not_there_is_named():
    error = refused(MailServer(config()))
    assert "could not be spoken with" in error.message
    assert "smtp_port" in error.message


def test_a_host_that_nobody_knows_is_named():
    error = refused(MailServer(config(smtp_server="mail.invalid")))
    assert "mail.invalid" in error.message


def test_a_server_that_says_nothing_is_given_up():
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        server = MailServer(config(smtp_port=silent.getsockname()[1]), seconds=0.2)
        assert "said nothing for 0.2 s" in refused(server).message


def test_a_mail_that_was_taken_is_delivered_however_the_server_parts():
    with mail_server(goodbye="500 What?") as server:
        MailServer(config(server, use_tls=False)).send(MESSAGE)
        assert len(server.mails) == 1
