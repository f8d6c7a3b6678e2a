"""Services that Apprise knows get messages, and what it says of failures is told without secrets."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from contextlib import ExitStack

import pytest

from madsci.common.errors import DeliveryError, SettingsError
from madsci.common.types.alerts import AppriseConfig
from madsci.event_manager.alerts.apprise_channel import AppriseChannel
from madsci.event_manager.alerts.channel import Message
from support.webhook_receiver import Peer, answer, webhook_receiver

# A part of Apprise looks for a module that Python 3.13 does not have any more.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

MESSAGE = Message(key="k1", title="Too hot", text="It is 90 °C, <b>$x</b>.", html=None, severity=40)


def channel(port: int, path: str = "/hook-secret", **how) -> AppriseChannel:
    url = f"json://ann:pass-secret@127.0.0.1:{port}{path}"
    return AppriseChannel(AppriseConfig(name="chat", url=url), **how)


def senders() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "alerts-chat"]


def refused(one: AppriseChannel) -> DeliveryError:
    with pytest.raises(DeliveryError, match="The service of 'chat'") as caught:
        one.send(MESSAGE, "")
    assert "secret" not in str(caught.value)
    assert not caught.value.is_final
    return caught.value


def test_a_message_reaches_a_service():
    with webhook_receiver() as receiver:
        service = channel(receiver.port)
        assert (service.name, list(service.recipients)) == ("chat", [""])
        service.send(MESSAGE, "")
        (request,) = receiver.requests
    assert request.line == "POST /hook-secret HTTP/1.1"
    assert request.json["title"] == "Too hot"
    assert request.json["message"] == "It is 90 °C, <b>$x</b>."
    assert request.json["type"] == "failure"


@pytest.mark.parametrize(("severity", "kind"), [(50, "failure"), (30, "warning"), (20, "info")])
def test_the_kind_of_a_notification_is_that_of_the_level(severity, kind):
    with webhook_receiver() as receiver:
        channel(receiver.port).send(Message("k", "t", "x", None, severity), "")
        assert receiver.requests[0].json["type"] == kind


def test_a_title_is_one_line():
    with webhook_receiver() as receiver:
        channel(receiver.port).send(Message("k", "a\r\nb: c", "x", None, 40), "")
        assert receiver.requests[0].json["title"] == "a b: c"


def test_what_apprise_says_of_a_failure_is_told_and_logged_nowhere(caplog):
    with webhook_receiver(answer(500)) as receiver:
        error = refused(channel(receiver.port))
    assert "Failed to send JSON POST notification" in error.message
    assert "500" in error.message
    assert caplog.records == []


def test_what_others_say_through_apprise_is_logged_as_ever(caplog):
    with webhook_receiver() as receiver:
        channel(receiver.port)
    logging.getLogger("apprise").warning("of somebody else")
    assert [record.getMessage() for record in caplog.records] == ["of somebody else"]


def test_a_service_that_is_away_is_told_without_its_url():
    with webhook_receiver() as receiver:
        port = receiver.port
    assert "Connection error" in refused(channel(port)).message


def test_a_service_that_takes_for_ever_is_given_up_and_holds_up_one_thread_only():
    with webhook_receiver(lambda peer: peer.drip(b"HTTP/1.1 100 Continue\r\n\r\n")) as receiver:
        service = channel(receiver.port, seconds=0.3)
        assert "within 0.3 s" in refused(service).message
        assert "still busy with an earlier message" in refused(service).message
        assert len(senders()) == 1
        assert receiver.connections == 1
    for thread in senders():
        thread.join(30)
    assert senders() == []


def test_after_a_service_that_was_given_up_answers_the_next_message_is_sent():
    go_on = threading.Event()

    def waits(peer: Peer) -> None:
        go_on.wait(30)
        peer.sock.sendall(answer(200))

    with webhook_receiver(waits) as receiver:
        service = channel(receiver.port, seconds=0.3)
        refused(service)
        go_on.set()
        for thread in senders():
            thread.join(30)
        service.send(MESSAGE, "")
        assert len(receiver.requests) == 2


def test_failures_of_two_services_at_once_do_not_mix():
    errors: dict[int, str] = {}

    def send(service: AppriseChannel, status: int) -> None:
        errors[status] = refused(service).message

    with ExitStack() as stack:
        threads = []
        for status in (500, 403):
            receiver = stack.enter_context(webhook_receiver(answer(status)))
            threads.append(threading.Thread(target=send, args=(channel(receiver.port), status)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert "500" in errors[500]
    assert "500" not in errors[403]


@pytest.mark.parametrize(
    "url",
    ["nothing-secret", "slak://token-secret", "json://", "slack://secret", "mailto://", "://secret"],
)
def test_a_url_that_apprise_does_not_understand_is_refused_when_the_channel_is_made(url, caplog):
    with pytest.raises(SettingsError, match="Apprise does not understand the url of 'chat'") as caught:
        AppriseChannel(AppriseConfig(name="chat", url=url))
    assert "secret" not in str(caught.value)
    assert caplog.records == []


HANGING = """
import sys
from madsci.common.errors import DeliveryError
from madsci.common.types.alerts import AppriseConfig
from madsci.event_manager.alerts.apprise_channel import AppriseChannel
from madsci.event_manager.alerts.channel import Message
channel = AppriseChannel(AppriseConfig(name="chat", url=sys.argv[1]), seconds=0.5)
try:
    channel.send(Message("k", "t", "x", None, 40), "")
except DeliveryError as error:
    print(error)
"""


def test_a_process_ends_though_a_service_takes_for_ever():
    with webhook_receiver(lambda peer: peer.drip(b"HTTP/1.1 100 Continue\r\n\r\n")) as receiver:
        run = subprocess.run(
            [sys.executable, "-c", HANGING, f"json://127.0.0.1:{receiver.port}/"],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert receiver.connections == 1
    assert "within 0.5 s" in run.stdout
    assert run.stderr == ""


WITHOUT = """
import sys
sys.modules["apprise"] = None
from madsci.common.types.alerts import AppriseConfig
from madsci.event_manager.alerts.channels import channels_of
print(len(channels_of(None, [], [])))
try:
    channels_of(None, [], [AppriseConfig(name="chat", url="json://localhost")])
except Exception as error:
    print(type(error).__name__, error)
"""


def test_without_the_library_only_who_wants_it_is_told_how_to_install_it():
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True, timeout=60
    )
    first, second = run.stdout.splitlines()
    assert first == "0"
    assert second.startswith("SettingsError 'chat' needs the library Apprise")
    assert "pip install 'madsci.event_manager[alerts]'" in second


def test_the_library_is_loaded_with_the_first_channel_that_needs_it():
    program = "import sys, madsci.event_manager.alerts.channels; print('apprise' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert run.stdout == "False\n"
