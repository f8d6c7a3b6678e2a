"""Webhooks reach the receiver that was checked, signed, and say what became of each message."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import socket
import sys
import time
from contextlib import closing
from threading import Thread

import pytest
import trustme

from madsci.common.errors import DeliveryError, SettingsError
from madsci.common.types.alerts import WebhookConfig
from madsci.event_manager.alerts.channel import Message
from madsci.event_manager.alerts.webhook import WebhookChannel
from support.certificates import tls_of
from support.server import free_port
from support.webhook_receiver import Peer, Request, answer, webhook_receiver

PUBLIC = "203.0.114.7"
"""An address of the public internet. Tests do not let anything out to it."""
MESSAGE = Message(
    key="01JD-opened",
    title="Too hot",
    text="The reactor is at 90 °C.",
    html=None,
    severity=40,
    event_id="01JE",
    document={"alert": {"rule": "hot"}, "title": "of the document"},
)


def channel(url: str, *, resolve=None, seconds: float = 20.0, **members) -> WebhookChannel:
    config = WebhookConfig(**{"name": "ops", "url": url, "allow_private": True, **members})
    how = {} if resolve is None else {"resolve": resolve}
    return WebhookChannel(config, seconds=seconds, **how)


def refused(webhook: WebhookChannel, message: Message = MESSAGE) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        webhook.send(message, "")
    assert caught.value.__cause__ is None
    assert "webhook 'ops'" in caught.value.message
    return caught.value


def delivered(message: Message = MESSAGE, **members) -> Request:
    with webhook_receiver() as receiver:
        channel(receiver.url(), **members).send(message, "")
        (request,) = receiver.requests
    return request


class Outgoing:
    """What this process connects to, seen by the interpreter itself; may keep it from doing so."""

    def __init__(self) -> None:
        self.addresses: list[str] = []
        self.is_on = False

    def see(self, event: str, arguments: tuple) -> None:
        if self.is_on and event == "socket.connect":
            self.addresses.append(arguments[1][0])
            raise OSError(101, "Network is unreachable")


_outgoing = Outgoing()


@pytest.fixture(scope="module")
def _hook():
    sys.addaudithook(_outgoing.see)  # for as long as the process lives, so it is switched


@pytest.fixture
def outgoing(_hook):
    """Nothing gets out during this test."""
    _outgoing.addresses = []
    _outgoing.is_on = True
    yield _outgoing.addresses
    _outgoing.is_on = False


def test_the_document_is_posted_with_what_the_message_says_itself():
    request = delivered()
    assert request.line == "POST /hook HTTP/1.1"
    assert request.header("Content-Type") == "application/json"
    assert request.json == {
        "alert": {"rule": "hot"},
        "title": "Too hot",
        "text": "The reactor is at 90 °C.",
        "severity": 40,
        "key": "01JD-opened",
    }


def test_a_webhook_has_its_name_and_one_recipient_whom_only_the_receiver_knows():
    webhook = channel("https://hooks.example.org/")
    assert (webhook.name, list(webhook.recipients)) == ("ops", [""])


def test_a_template_is_what_is_posted():
    request = delivered(template={"text": "*$title*\n$alert.rule", "level": 1})
    assert request.json == {"text": "*Too hot*\nhot", "level": 1}


def test_a_template_that_names_what_there_is_not_is_refused_when_the_channel_is_made():
    with pytest.raises(SettingsError, match="Did you mean title"):
        channel("https://hooks.example.org/", template='{"text": "$titl"}')


def test_the_signature_is_that_of_the_bytes_that_arrive():
    secret = base64.b64encode(b"k" * 32).decode()
    before = int(time.time())
    request = delivered(secret=f"whsec_{secret}")
    at = request.header("webhook-timestamp")
    signed = b"01JD-opened." + at.encode() + b"." + request.body
    digest = hmac.new(b"k" * 32, signed, hashlib.sha256).digest()
    assert request.header("webhook-id") == "01JD-opened"
    assert request.header("webhook-signature") == "v1," + base64.b64encode(digest).decode()
    assert before <= int(at) <= time.time()


def test_without_a_secret_nothing_is_signed():
    request = delivered()
    assert request.header("webhook-signature") is None
    assert request.header("webhook-id") == "01JD-opened"


def test_configured_headers_are_sent_and_win_over_the_credentials_of_the_url():
    with webhook_receiver() as receiver:
        url = receiver.url().replace("://", "://ann:pw@")
        channel(url).send(MESSAGE, "")
        channel(url, headers={"authorization": "Bearer t", "X-Lab": "a"}).send(MESSAGE, "")
        first, second = receiver.requests
    assert first.header("Authorization") == "Basic " + base64.b64encode(b"ann:pw").decode()
    assert (second.header("Authorization"), second.header("X-Lab")) == ("Bearer t", "a")


EVIL = 'a\r\nX-Evil: 1\r\n\r\n{"x": 1}\x00\u2028\ud800"'


def test_no_text_of_an_event_makes_a_header_or_another_member():
    message = Message(
        key=EVIL, title=EVIL, text=EVIL, html=None, severity=40, event_id=EVIL, document={EVIL: EVIL}
    )
    for template in (None, {"a": "$title $text $key $event_id"}):
        request = delivered(message, template=template, secret="s")
        names = {name.lower() for name, _ in request.headers}
        assert names == {
            "host", "accept-encoding", "content-length", "content-type", "user-agent",
            "webhook-id", "webhook-timestamp", "webhook-signature",
        }  # fmt: skip
        assert re.fullmatch(r"[\w%-]+", request.header("webhook-id"))
        assert len(request.json) == (5 if template is None else 1)


def test_a_document_that_is_too_large_is_left_out_and_this_is_said():
    message = Message("k", "t" * 30_000, "x", None, 40, document={"data": "x" * 1_000_000})
    sent = delivered(message).json
    assert sent == {
        "title": "t" * 19_999 + "…", "text": "x", "severity": 40, "key": "k", "truncated": True,
    }  # fmt: skip


def test_a_document_that_is_no_json_fails_for_good():
    message = Message("k", "t", "x", None, 40, document={"data": float("nan")})
    assert refused(channel("http://127.0.0.1:9/"), message).is_final


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_success_is_any_status_of_success(status):
    with webhook_receiver(answer(status)) as receiver:
        channel(receiver.url()).send(MESSAGE, "")
        assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("status", "is_final"),
    [
        (400, True), (401, True), (404, True), (410, True), (413, True), (408, False), (425, False),
        (429, False), (500, False), (503, False), (599, False),
    ],
)  # fmt: skip
def test_a_refusal_tells_whether_another_try_is_of_use(status, is_final):
    with webhook_receiver(answer(status, b"no\r\nway")) as receiver:
        error = refused(channel(receiver.url()))
        assert len(receiver.requests) == 1
    assert f"answered {status}: no way." in error.message
    assert error.is_final is is_final


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 300, 304])
def test_redirects_are_not_followed_and_final(status):
    with webhook_receiver() as other:
        reply = answer(status, Location=other.url("/stolen"))
        with webhook_receiver(reply) as receiver:
            error = refused(channel(receiver.url()))
        assert other.requests == []
    assert error.is_final
    assert (
        f"answered {status}. Redirects are not followed: set url to where it points." in error.message
    )


def test_no_proxy_of_the_environment_is_used(monkeypatch):
    with webhook_receiver() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url("/"))
        assert delivered().line == "POST /hook HTTP/1.1"
        assert proxy.requests == []


# What must not be seen


SECRET_URL = "http://ann:url-password@127.0.0.1:{port}/services/T0000/path-token?key=query-token"
SECRETS = {
    "secret": "sign-secret",
    "headers": {"X-Api-Key": "header-key", "X-B": "Bearer bearer-token"},
}


def test_secrets_that_a_receiver_repeats_are_not_in_the_error():
    def repeats(peer: Peer) -> None:
        (request,) = receiver.requests
        said = f"{request.line} {request.headers} url-password ann sign-secret".encode()
        peer.sock.sendall(answer(400, said))

    with webhook_receiver(repeats) as receiver:
        error = refused(channel(SECRET_URL.format(port=receiver.port), **SECRETS))
    shown = str(error) + repr(error)
    assert "answered 400: POST" in shown
    basic = base64.b64encode(b"ann:url-password").decode()
    for secret in (
        "url-password",
        "sign-secret",
        "path-token",
        "query-token",
        "header-key",
        "bearer-token",
        basic,
    ):
        assert secret not in shown


def test_secrets_of_a_few_letters_are_not_in_the_error_either():
    with webhook_receiver(answer(400, b"no qy, xz or jw; whsec_amp3dw==, amp3dw==")) as receiver:
        url = receiver.url().replace("://", "://qy:xz@")
        error = refused(channel(url, secret="whsec_amp3dw==", headers={"X-A": "jw"}))
    assert not any(secret in str(error) for secret in ("qy", "xz", "jw", "amp3"))


@pytest.mark.parametrize("reply", [answer(500), answer(302), b"no HTTP\r\n\r\n", b""])
def test_secrets_are_in_no_error_of_any_kind(reply):
    with webhook_receiver(reply) as receiver:
        errors = [refused(channel(SECRET_URL.format(port=receiver.port), **SECRETS))]
    errors.append(refused(channel(SECRET_URL.format(port=free_port()), **SECRETS)))
    url = SECRET_URL.replace("127.0.0.1", "h").format(port=1)
    errors.append(refused(channel(url, allow_private=False, resolve=lambda *_: ["::1"])))
    for error in errors:
        assert not any(word in str(error) for word in ("password", "token", "secret", "-key"))


@pytest.mark.parametrize(
    "name", ["webhook-id", "Webhook-Signature", "Host", "Content-Length", "a b", "a\r\nb"]
)
def test_headers_that_would_change_what_a_request_is_are_refused(name):
    with pytest.raises(ValueError, match="header") as caught:
        WebhookConfig(name="ops", url="https://h/", headers={name: "hunter2"})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "\x00", "ü\u2028", " a"])
def test_a_configured_header_is_one_line(value):
    with pytest.raises(ValueError, match="X-Lab should be one line"):
        WebhookConfig(name="ops", url="https://h/", headers={"X-Lab": value})


# Where messages may go


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "192.168.7.7", "[::ffff:10.0.0.1]", "2130706433", "127.1"]
)
def test_a_private_address_in_the_url_is_found_when_the_channel_is_made(host):
    with pytest.raises(SettingsError, match=r"private address.*allow_private: true"):
        channel(f"http://{host}/", allow_private=False)


def test_a_name_of_this_machine_is_refused_unless_that_is_allowed():
    with webhook_receiver() as receiver:
        error = refused(channel(receiver.url(host="localhost"), allow_private=False))
        assert receiver.connections == 0
        channel(receiver.url(host="localhost")).send(MESSAGE, "")
        assert receiver.requests[0].header("Host") == f"localhost:{receiver.port}"
    assert error.is_final
    assert "private address" in error.message
    assert "allow_private: true" in error.message


@pytest.mark.parametrize("private", ["127.0.0.1", "::1", "64:ff9b::7f00:1", "100.64.0.9", "fe80::1%lo"])
def test_a_name_with_a_private_address_among_public_ones_is_refused(private, outgoing):
    for addresses in ([PUBLIC, private], [private, PUBLIC]):
        error = refused(
            channel("http://hooks.example.org/", allow_private=False, resolve=lambda *_, a=addresses: a)
        )
        assert f"is at the private address {private}." in error.message
        assert error.is_final
    assert outgoing == []


def test_a_name_that_means_another_address_the_second_time_is_connected_to_where_it_was_checked(
    outgoing,
):
    answers = iter([[PUBLIC], ["127.0.0.1"], ["127.0.0.1"]])
    webhook = channel(
        f"http://hooks.example.org:{free_port()}/",
        allow_private=False,
        resolve=lambda *_: next(answers),
    )
    error = refused(webhook)
    assert outgoing == [PUBLIC]
    assert not error.is_final
    assert f"cannot be connected to, at {PUBLIC}" in error.message
    assert refused(webhook).is_final  # each message is checked anew
    assert outgoing == [PUBLIC]


def test_a_name_is_looked_up_once_and_its_address_is_the_one_that_gets_the_message():
    asked = []

    def resolve(host, port):
        asked.append((host, port))
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    with webhook_receiver() as receiver:
        channel(receiver.url(host="hooks.example.org"), resolve=resolve).send(MESSAGE, "")
        (request,) = receiver.requests
        assert asked == [("hooks.example.org", receiver.port)]
    assert request.header("Host") == f"hooks.example.org:{receiver.port}"


def test_the_next_address_is_tried_where_one_does_not_answer(outgoing):
    error = refused(channel("http://h/", resolve=lambda *_: [f"203.0.114.{n}" for n in range(9)]))
    assert outgoing == [f"203.0.114.{n}" for n in range(4)]
    assert "203.0.114.0 and 203.0.114.1" in error.message


def test_the_next_address_gets_the_message_where_nobody_listens_at_one():
    with webhook_receiver() as receiver:
        url = receiver.url(host="hooks.example.org")
        channel(url, resolve=lambda *_: ["127.0.0.2", "127.0.0.1"]).send(MESSAGE, "")
        assert len(receiver.requests) == 1


def test_ipv6_is_spoken():
    with webhook_receiver(host="::1") as receiver:
        channel(receiver.url(host="[::1]")).send(MESSAGE, "")
        assert receiver.requests[0].header("Host") == f"[::1]:{receiver.port}"


def test_a_host_that_nobody_knows_may_be_known_later():
    def resolve(*_):
        raise socket.gaierror(-2, "Name or service not known")

    error = refused(channel("https://hooks.invalid/", resolve=resolve))
    assert "cannot be looked up" in error.message
    assert "hooks.invalid" in error.message
    assert not error.is_final


def test_a_host_without_addresses_is_not_reached():
    assert "at no address" in refused(channel("http://h/", resolve=lambda *_: [])).message


# TLS


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def trusted(authority, tmp_path, monkeypatch):
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))


def at_this_machine(*_):
    return ["127.0.0.1"]


@pytest.mark.usefixtures("trusted")
def test_the_certificate_is_that_of_the_name_though_an_address_is_connected_to(authority):
    with webhook_receiver(tls=tls_of(authority, "hooks.example.org")) as receiver:
        url = receiver.url(host="hooks.example.org")
        channel(url, resolve=at_this_machine).send(MESSAGE, "")
        assert receiver.names == ["hooks.example.org"]
        assert receiver.requests[0].json["key"] == "01JD-opened"


@pytest.mark.usefixtures("trusted")
def test_a_certificate_of_an_address_is_accepted_where_the_url_has_the_address(authority):
    with webhook_receiver(tls=tls_of(authority, "127.0.0.1")) as receiver:
        channel(receiver.url()).send(MESSAGE, "")
        assert len(receiver.requests) == 1


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("name", ["127.0.0.1", "other.example.org"])
def test_a_certificate_of_another_name_is_not_accepted(authority, name):
    with webhook_receiver(tls=tls_of(authority, name)) as receiver:
        url = receiver.url(host="hooks.example.org")
        error = refused(channel(url, resolve=at_this_machine))
        assert receiver.requests == []
    assert "certificate that is not trusted" in error.message
    assert "SSL_CERT_FILE" in error.message
    assert not error.is_final


def test_a_certificate_that_nobody_vouches_for_is_not_accepted(authority):
    with webhook_receiver(tls=tls_of(authority, "127.0.0.1")) as receiver:
        assert "not trusted" in refused(channel(receiver.url())).message
        assert receiver.requests == []


def test_a_receiver_that_does_not_speak_tls_is_named():
    with webhook_receiver(reads=False) as receiver:
        error = refused(channel(receiver.url().replace("http:", "https:")))
    assert "broke off (SSLError)" in error.message


# Receivers that would take for ever


def within(seconds: float, webhook: WebhookChannel) -> DeliveryError:
    start = time.monotonic()
    error = refused(webhook)
    assert time.monotonic() - start < seconds
    return error


def drip_headers(peer: Peer) -> None:
    peer.sock.sendall(b"HTTP/1.1 200 OK\r\n")
    peer.drip(b"X-A: b\r\n")


def drip_line(peer: Peer) -> None:
    peer.drip(b"H")


def drip_continue(peer: Peer) -> None:
    peer.drip(b"HTTP/1.1 100 Continue\r\n\r\n")


@pytest.mark.parametrize("behaviour", [Peer.hang, drip_line, drip_headers, drip_continue])
def test_a_receiver_that_never_comes_to_its_answer_is_given_up(behaviour):
    with webhook_receiver(behaviour) as receiver:
        error = within(10, channel(receiver.url(), seconds=0.5))
    assert "did not answer in time" in error.message
    assert not error.is_final


@pytest.mark.usefixtures("trusted")
def test_a_receiver_that_drips_over_tls_is_given_up(authority):
    with webhook_receiver(drip_line, tls=tls_of(authority, "127.0.0.1")) as receiver:
        assert "did not answer in time" in within(10, channel(receiver.url(), seconds=0.5)).message


def test_a_receiver_that_is_silent_instead_of_tls_is_given_up():
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
        assert "did not answer in time" in within(10, channel(url, seconds=0.3)).message


def test_a_receiver_that_reads_nothing_is_given_up():
    large = Message("k", "t", "x", None, 40, document={"data": "x" * 900_000})
    with webhook_receiver(Peer.hang, reads=False) as receiver:
        start = time.monotonic()
        refused(channel(receiver.url(), seconds=0.5), large)
        assert time.monotonic() - start < 10


def test_what_was_taken_is_delivered_however_long_the_reply_goes_on():
    def drips(peer: Peer) -> None:
        peer.sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        peer.drip(b"1\r\nx\r\n")

    with webhook_receiver(drips) as receiver:
        channel(receiver.url()).send(MESSAGE, "")


@pytest.mark.parametrize("status", [400, 500])
def test_of_a_huge_reply_the_beginning_is_read(status):
    sent = []

    def floods(peer: Peer) -> None:
        peer.sock.sendall(f"HTTP/1.1 {status} No\r\nContent-Length: 10000000000\r\n\r\n".encode())
        while not peer.is_closing.is_set():
            peer.sock.sendall(b"why " * 5_000)
            sent.append(20_000)

    with webhook_receiver(floods) as receiver:
        error = refused(channel(receiver.url()))
    assert len(error.message) < 500
    assert f"answered {status}: why why" in error.message
    assert sum(sent) < 50_000_000


def test_a_reply_that_stops_in_its_middle_still_says_its_status():
    def stops(peer: Peer) -> None:
        peer.sock.sendall(b"HTTP/1.1 400 No\r\nContent-Length: 100\r\n\r\nbecause")

    with webhook_receiver(stops) as receiver:
        error = refused(channel(receiver.url()))
    assert "answered 400" in error.message
    assert error.is_final


def test_an_answer_before_the_end_of_the_request_is_read():
    large = Message("k", "t", "x", None, 40, document={"data": "x" * 900_000})
    with webhook_receiver(answer(413), reads=False) as receiver:
        assert "answered 413" in refused(channel(receiver.url()), large).message


@pytest.mark.parametrize("reply", [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_what_is_no_answer_of_http_is_told(reply):
    with webhook_receiver(reply) as receiver:
        error = refused(channel(receiver.url()))
    assert "broke off" in error.message
    assert not error.is_final


def test_nobody_listening_is_told_with_the_address():
    error = refused(channel(f"http://127.0.0.1:{free_port()}/"))
    assert "cannot be connected to, at 127.0.0.1" in error.message
    assert not error.is_final


def test_many_threads_may_send_over_one_channel():
    with webhook_receiver() as receiver:
        webhook = channel(receiver.url(), secret="s")
        threads = [
            Thread(target=webhook.send, args=(Message(f"k{n}", "t", "x", None, 40), ""))
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        keys = sorted(json.loads(request.body)["key"] for request in receiver.requests)
    assert keys == [f"k{n}" for n in range(8)]
