"""A program is told by a signed POST, never one that somebody else's setting leads into the lab."""

from __future__ import annotations

import base64
import hashlib
import hmac
import socket
import ssl
import time

import pytest
import trustme

from madsci.common.errors import DeliveryError, SettingsError
from madsci.common.types.alert_settings import AlertSettings
from madsci.common.types.alerts import AppriseConfig, WebhookConfig
from madsci.event_manager.alerts.apprise_channel import AppriseChannel
from madsci.event_manager.alerts.channel import Message
from madsci.event_manager.alerts.channels import channels_of
from madsci.event_manager.alerts.webhook import WebhookChannel
from support.server import free_port
from support.webhook_receiver import webhook_receiver

through_apprise = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
"""Apprise imports what Python 3.13 does not have any more, where there is nothing better."""
NAUGHTY = 'A "plate"\r\nX-Evil: 1, \\ </script> ☃ \x00'
MESSAGE = Message(
    "k-1", f"ALERT (ERROR): {NAUGHTY}", "text", None, 40, "e1",
    {"type": "alert.opened", "alert": {"rule": "errors", "count": 3, "group": {"node": NAUGHTY}}},
)  # fmt: skip


@pytest.fixture
def receiver():
    with webhook_receiver() as it:
        yield it


def channel(port: int, *, resolve=None, path: str = "", host: str = "127.0.0.1", **members):
    config = {"url": f"http://{host}:{port}/{path}", "allow_private": True, **members}
    seconds = {"seconds": 1.0, "seconds_in_all": 1.5}
    if resolve is not None:
        return WebhookChannel(WebhookConfig(**config), resolve, **seconds)
    return WebhookChannel(WebhookConfig(**config), **seconds)


def failure(channel: WebhookChannel) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        channel.send(MESSAGE, "")
    return caught.value


def test_the_document_is_posted_with_title_text_and_key(receiver):
    channel(receiver.port, path="hook?a=1").send(MESSAGE, "")
    assert receiver.paths == ["/hook?a=1"]
    assert receiver.json() == {
        "type": "alert.opened",
        "alert": {"rule": "errors", "count": 3, "group": {"node": NAUGHTY}},
        "title": f"ALERT (ERROR): {NAUGHTY}",
        "text": "text",
        "severity": "ERROR",
        "key": "k-1",
        "event_id": "e1",
    }
    headers, _ = receiver.posts[0]
    assert headers["webhook-id"] == "k-1"
    assert headers["Host"] == f"127.0.0.1:{receiver.port}"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    assert "webhook-signature" not in headers
    assert "X-Evil" not in headers


@pytest.mark.parametrize("secret", ["whsec_" + base64.b64encode(b"of the lab").decode(), "of the lab"])
def test_what_is_posted_is_signed_by_standard_webhooks(receiver, secret):
    channel(receiver.port, secret=secret).send(MESSAGE, "")
    headers, body = receiver.posts[0]
    signed = b".".join([b"k-1", headers["webhook-timestamp"].encode(), body])
    expected = base64.b64encode(hmac.new(b"of the lab", signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


def test_a_template_makes_what_a_chat_wants(receiver):
    template = {
        "text": "$title ($severity) of ${alert.rule}s for $$5, $alert.nothing",
        "n": "$alert.count", "list": [{"all": "$alert"}, 7], "fixed": True,
    }  # fmt: skip
    channel(receiver.port, template=template).send(MESSAGE, "")
    assert receiver.json() == {
        "text": f"ALERT (ERROR): {NAUGHTY} (ERROR) of errorss for $5, ",
        "n": 3,
        "list": [{"all": MESSAGE.document["alert"]}, 7],
        "fixed": True,
    }


def test_a_place_that_alerts_do_not_have_is_said_when_the_channel_is_made():
    with pytest.raises(SettingsError, match=r"\$titel, which alerts do not have\. Did you mean title"):
        channel(1, template={"text": "$titel"})


@pytest.mark.parametrize(
    ("status", "is_final"),
    [(301, True), (307, True), (400, True), (401, True), (404, True), (408, False), (410, True),
     (425, False), (429, False), (500, False), (503, False)],
)  # fmt: skip
def test_what_a_receiver_says_decides_whether_it_is_tried_again(receiver, status, is_final):
    receiver.status, receiver.body = status, b"not \n now\x07" + b"x" * 100_000
    receiver.headers = {"Location": f"http://127.0.0.1:{receiver.port}/other"}
    error = failure(channel(receiver.port))
    assert error.is_final is is_final
    assert f"answered {status}: not now" in error.message
    assert len(error.message) < 400
    assert len(receiver.posts) == 1


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.1.5", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
     "224.0.0.1", "240.0.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1",
     "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "2001:0:1::1",
     "255.255.255.255"],
)  # fmt: skip
def test_no_address_of_the_labs_own_network_is_spoken_with(address):
    def resolve(_host, port):
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 0, "", (one, port)) for one in ("8.8.8.8", address)
        ]

    error = failure(channel(80, host="alerts.example.org", allow_private=False, resolve=resolve))
    assert f"is at {address}, which is no public address" in error.message
    assert error.is_final


def test_who_is_checked_is_who_is_spoken_with(receiver):
    answers = iter(["127.0.0.1", "8.8.8.8"])  # a name that is another one the next time it is asked

    def resolve(_host, port):
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (next(answers), port))]

    channel(receiver.port, host="alerts.example.org", resolve=resolve).send(MESSAGE, "")
    assert receiver.posts[0][0]["Host"] == f"alerts.example.org:{receiver.port}"


def test_an_address_of_ipv6_is_spoken_with():
    with webhook_receiver(address="::1") as receiver:
        channel(receiver.port, host="[::1]").send(MESSAGE, "")
        assert len(receiver.posts) == 1


def test_user_and_password_of_the_url_are_sent_and_not_told(receiver):
    hook = channel(receiver.port, host="lab:p%40ss@127.0.0.1")
    hook.send(MESSAGE, "")
    sent = base64.b64encode(b"lab:p@ss").decode()
    assert receiver.posts[0][0]["Authorization"] == f"Basic {sent}"
    receiver.status = 401
    assert "p%40ss" not in failure(hook).message


@pytest.mark.parametrize("way", ["is_silent", "dribbles"])
def test_a_receiver_that_does_not_come_to_an_end_is_given_up(receiver, way):
    setattr(receiver, way, True)
    began = time.monotonic()
    error = failure(channel(receiver.port))
    assert time.monotonic() - began < 30
    assert not error.is_final


def test_nobody_there_and_no_such_host_are_said():
    assert "could not be spoken with" in failure(channel(free_port())).message
    assert "There is no host 'nowhere.invalid'" in failure(channel(80, host="nowhere.invalid")).message


def test_a_certificate_has_to_be_of_the_name_that_was_asked(tmp_path, monkeypatch):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("hooks.lab.org").configure_cert(tls)

    def resolve(_host, port):
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port))]

    with webhook_receiver(tls) as receiver:
        for host, is_right in (("hooks.lab.org", True), ("evil.org", False)):
            config = WebhookConfig(url=f"https://{host}:{receiver.port}/", allow_private=True)
            hook = WebhookChannel(config, resolve)
            if is_right:
                hook.send(MESSAGE, "")
            else:
                assert "a certificate that is not trusted" in failure(hook).message
        assert len(receiver.posts) == 1


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ({"url": "ftp://x/"}, "none such as https://example.org/alerts"),
        ({"url": "https://"}, "none such as https://example.org/alerts"),
        ({"url": "https://x:99999/"}, "none such as https://example.org/alerts"),
        ({"url": "https://x/a b"}, "none such as https://example.org/alerts"),
        ({"secret": "whsec_!!"}, "no base64 after it"),
        ({"headers": {"X-A\r\nB": "1"}}, "none that HTTP takes"),
        ({"headers": {"X-A": "1\r\nX-B: 2"}}, "none that HTTP takes"),
    ],
)
def test_what_is_wrong_with_a_webhook_is_said_when_it_is_made(members, sentence):
    with pytest.raises(SettingsError) as caught:
        WebhookChannel(WebhookConfig(**{"url": "https://example.org/", **members}))
    assert sentence in caught.value.message


def test_two_channels_of_one_name_are_refused():
    hooks = [WebhookConfig(url="https://example.org/"), WebhookConfig(url="https://example.com/")]
    with pytest.raises(SettingsError, match="Two channels of alerts are called 'webhook'"):
        channels_of(AlertSettings(alert_webhooks=hooks))


@through_apprise
def test_apprise_carries_title_and_text(receiver):
    AppriseChannel(AppriseConfig(url=f"json://127.0.0.1:{receiver.port}/hook")).send(MESSAGE, "")
    assert receiver.json()["message"] == "text"
    assert receiver.json()["title"].startswith("ALERT (ERROR)")


@through_apprise
def test_what_apprise_cannot_deliver_is_said_without_its_secrets(receiver):
    receiver.status = 500
    config = AppriseConfig(url=f"json://lab:secret@127.0.0.1:{receiver.port}/hook")
    with pytest.raises(DeliveryError) as caught:
        AppriseChannel(config).send(MESSAGE, "")
    assert "apprise did not take the message: Failed to send JSON" in caught.value.message
    assert "secret" not in caught.value.message


@through_apprise
def test_a_url_that_apprise_does_not_know_is_said_when_the_channel_is_made():
    with pytest.raises(SettingsError, match="none that Apprise knows"):
        AppriseChannel(AppriseConfig(url="nonsense://x"))
