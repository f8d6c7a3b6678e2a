"""Alerts from the outside: a real server, real mail servers and webhooks, on both engines."""

from __future__ import annotations

import json
import random
import socket
import threading
from contextlib import ExitStack, closing

import pytest
import trustme

from madsci.client.event_client import EventClient
from madsci.common.types.event_types import Event, EventLogLevel, EventType
from support.certificates import tls_of
from support.mail_server import PASSWORD, USER, mail_server
from support.server import ServerProcess, free_port, running_server, wait_until
from support.webhook_receiver import webhook_receiver

ADDRESSES = ["anna@lab.org", "ben@lab.org"]


def email(port: int, **members) -> str:
    return json.dumps({
        "smtp_server": "127.0.0.1", "smtp_port": port, "use_tls": False, "sender": "lab@lab.org",
        "email_addresses": ADDRESSES, **members,
    })  # fmt: skip


@pytest.fixture(params=["sqlite", "mongodb"])
def store(request):
    """What tells a server which engine to use."""
    if request.param == "sqlite":
        return {}
    server = request.getfixturevalue("mongo_server")
    return {"EVENT_DB_URL": server.url, "EVENT_DATABASE_NAME": f"alerts_{random.getrandbits(40)}"}


def subjects(mails, recipient: str = ADDRESSES[0]) -> list[str]:
    return [mail["Subject"] for whom, mail in mails.mails if whom == recipient]


def follow_up(server: ServerProcess) -> None:
    """Wait until the alerts have followed all that there is, and all that was decided is sent."""
    wait_until(lambda: server.get("followers")["followers"][0]["lag"] in (0, None), "the alerts")

    def is_sent() -> bool:
        deliveries = server.get("alerts/deliveries?number=1000")["deliveries"]
        return all(one["state"] != "waiting" for one in deliveries)

    wait_until(is_sent, "the mails")


def test_the_missions_paragraph_about_alerts(tmp_path, store):
    with (
        mail_server() as mails,
        running_server(
            tmp_path, EVENT_EMAIL_ALERTS=email(mails.port), EVENT_ALERT_LEVEL="ERROR", **store
        ) as server,
        closing(
            EventClient(
                name="arm", event_server=server.url, log_dir=tmp_path / "logs", log_level="DEBUG"
            )
        ) as client,
    ):
        client.warning("warm")
        client.flush(20)
        follow_up(server)
        assert mails.mails == []  # below the level

        client.error("The gripper is stuck", event_type=EventType.NODE_ERROR)
        client.flush(20)
        wait_until(lambda: len(mails.mails) == 2, "a mail to each address")
        assert sorted(whom for whom, _ in mails.mails) == ADDRESSES
        assert subjects(mails) == ["ALERT (ERROR): node_error - arm: The gripper is stuck"]

        debug = Event(
            event_type=EventType.NODE_CREATE, log_level=EventLogLevel.DEBUG, event_data="Come and see"
        )
        client.log(debug)
        client.alert(debug)  # logged first, then alerted on, as the mission's example does
        client.flush(20)
        wait_until(lambda: len(subjects(mails)) == 2, "the mail that was asked for")
        assert subjects(mails)[1] == "STILL (ERROR): node_create (DEBUG) from arm: Come and see, 1 more"

        body = {"event_id": "posted-5-times", "log_level": 50, "source": {"node_id": "other"}}
        for _ in range(5):
            assert server.post("event", body).status == 200
        follow_up(server)
        assert len(subjects(mails)) == 3


def reasons(server: ServerProcess) -> dict[str, dict]:
    """Have a drill sent; return what is known of it by recipient or channel, once all were tried."""
    assert server.post("alerts/test", {}).status == 200

    def deliveries() -> dict[str, dict]:
        listed = server.get("alerts/deliveries")["deliveries"]
        return {one["recipient"] or one["channel"]: one for one in listed}

    wait_until(lambda: all(one["detail"] for one in deliveries().values()), "a reason for each")
    return deliveries()


@pytest.mark.slow
def test_what_is_wrong_with_a_channel_is_said_and_nothing_stops(tmp_path, store):
    nowhere = free_port()
    hooks = [
        {"name": "unknown", "url": "http://nowhere.invalid/"},
        {"name": "inside", "url": f"http://localhost:{nowhere}/"},
    ]
    config = email(nowhere, email_addresses=["not an address", "anna@lab.org"])
    with running_server(
        tmp_path, EVENT_EMAIL_ALERTS=config, EVENT_ALERT_WEBHOOKS=json.dumps(hooks), **store
    ) as server:
        found = reasons(server)
        assert len(found) == 4
        assert found["not an address"]["state"] == found["inside"]["state"] == "given_up"
        assert "is no address of a mail" in found["not an address"]["detail"]
        assert "is at the private address" in found["inside"]["detail"]
        assert found["anna@lab.org"]["state"] == found["unknown"]["state"] == "waiting"
        assert "could not be spoken with" in found["anna@lab.org"]["detail"]
        assert "has a host that cannot be looked up" in found["unknown"]["detail"]
        health = server.get("health")
        assert health["healthy"]
        told = {one.partition(";")[0] for one in health["warnings"]}
        assert told == {f"People are not told of alerts over {one}" for one in ("email", "unknown")}
        assert server.post("event", {"event_data": "still taken"}).status == 200


@pytest.mark.slow
def test_wrong_credentials_certificates_and_templates_are_said_and_mended_without_a_loss(tmp_path):
    """What waits for another password is sent after a restart with the right one."""
    known = trustme.CA()
    known.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with (
        mail_server(tls=tls_of(known), login=True) as mails,
        webhook_receiver(tls=tls_of(trustme.CA())) as secure,
        webhook_receiver() as plain,
    ):
        hooks = [
            {"name": "secure", "url": secure.url(), "allow_private": True},
            {"name": "plain", "url": plain.url(), "allow_private": True,
             "template": {"plate": "${event.event_data.plate}"}},
        ]  # fmt: skip
        wrong, right = (
            email(
                mails.port, use_tls=True, smtp_username=USER, smtp_password=one,
                email_addresses=ADDRESSES[:1],
            )
            for one in ("not-this-one", PASSWORD)
        )  # fmt: skip
        channels = {
            "EVENT_EMAIL_ALERTS": wrong,
            "EVENT_ALERT_WEBHOOKS": json.dumps(hooks),
            "SSL_CERT_FILE": str(tmp_path / "ca.pem"),
        }
        with running_server(tmp_path, **channels) as server:
            assert server.post("event", {"log_level": 40, "event_data": {"volume": 3}}).status == 200
            found = reasons(server)
            assert f"refused the user '{USER}'" in found[ADDRESSES[0]]["detail"]
            assert "certificate that is not trusted" in found["secure"]["detail"]
            assert "asks for $event.event_data.plate" in found["plain"]["detail"]
            states = [found[one]["state"] for one in (ADDRESSES[0], "secure", "plain")]
            assert states == ["waiting", "waiting", "given_up"]
            health = server.get("health")
            assert health["healthy"]
            assert {"email", "secure"} <= {one["name"] for one in health["alert_channels"]}
            assert "not-this-one" not in json.dumps([found, health]) + server.log.read_text()
        assert (mails.mails, plain.requests) == ([], [])
        with running_server(tmp_path, **{**channels, "EVENT_EMAIL_ALERTS": right}):
            wait_until(lambda: len(subjects(mails)) == 2, "the alert and the drill", seconds=120)


@pytest.mark.slow
def test_a_webhook_is_told_by_the_rule_that_it_was_given(tmp_path, store):
    with (
        webhook_receiver() as hook,
        running_server(
            tmp_path,
            EVENT_ALERT_WEBHOOKS=json.dumps(
                [{"name": "hook", "url": hook.url(), "allow_private": True, "secret": "lab"}]
            ),
            **store,
        ) as server,
    ):
        rule = {"name": "plates", "selector": {"event_data.plate": "P7"}, "severity": "warning"}
        server.post("event", {"event_data": {"plate": "P6", "message": "before"}})
        former = {**rule, "selector": {"event_data.plate": "P6"}}
        preview = server.post("alerts/rules/preview", former).json
        assert (preview["opened"], preview["is_whole"]) == (1, True)
        assert server.post("alerts/rules", rule).status == 200
        server.post("event", {"event_data": {"plate": "P7", "message": "dropped"}})
        wait_until(lambda: hook.requests, "a post")
        assert hook.requests[0].json["alert"]["rule"] == "plates"
        assert hook.requests[0].json["event"]["event_data"]["message"] == "dropped"
        (alert,) = server.get("alerts?state=open")["alerts"]
        act = {"alert_id": alert["alert_id"], "by": "Anna", "note": "On my way"}
        assert server.post("alerts/acknowledge", act).status == 200

        def acknowledged() -> bool:
            one = server.get(f"alert/{alert['alert_id']}")
            return one["acknowledged_by"] == "Anna" and one["seconds_to_acknowledge"] >= 0

        wait_until(acknowledged, "the act")
        assert server.request("DELETE", "alerts/rules/plates").status == 200


def test_a_wrong_rule_in_the_settings_stops_the_start_with_a_sentence(tmp_path):
    rules = [{"name": "r", "kind": "rate", "selector": {}}]
    server = ServerProcess(tmp_path, EVENT_ALERT_RULES=json.dumps(rules))
    assert server.launch().wait(60) == 1
    assert "a rule of the kind rate needs more_than" in server.log.read_text()


def test_a_mail_server_that_hangs_holds_up_nobody_who_sends_events(tmp_path):
    with ExitStack() as stack:
        silent = stack.enter_context(closing(socket.create_server(("127.0.0.1", 0))))
        server = stack.enter_context(
            running_server(tmp_path, EVENT_EMAIL_ALERTS=email(silent.getsockname()[1]))
        )
        for number in range(50):
            reply = server.post("event", {"log_level": 50, "source": {"node_id": f"n{number}"}})
            assert reply.status == 200
        wait_until(lambda: len(server.get("alerts")["alerts"]) == 50, "the alerts")
        assert server.get("health")["healthy"]


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("count", [1, 3])
def test_killed_at_any_moment_every_mail_goes_out_and_none_twice(tmp_path, count, request):
    """`kill -9` between commit and delivery: repetitions, if any, bear the same key."""
    kills = request.config.getoption("kills") * 2 // (1 if count == 1 else 8)
    environment = {}
    if count > 1:
        database = request.getfixturevalue("mongo_server")
        environment = {"EVENT_DB_URL": database.url, "EVENT_DATABASE_NAME": "killed_alerts"}
    chance = random.Random(count)
    with mail_server() as mails, ExitStack() as stack:
        servers = []
        for number in range(count):
            folder = tmp_path / f"server-{number}"
            folder.mkdir()
            server = ServerProcess(folder, EVENT_EMAIL_ALERTS=email(mails.port), **environment)
            servers.append(server.start())
            stack.callback(server.stop)
        sent = []
        for number in range(kills):
            server = chance.choice(servers)
            event_id = f"alarm-{number}"
            reply = server.post("event", {
                "event_id": event_id, "alert": True, "source": {"node_id": f"n{number}"},
            })  # fmt: skip
            assert reply.status == 200
            sent.append(event_id)
            threading.Event().wait(chance.uniform(0.0, 1.6))  # the moment of the blow is the test
            server.kill()
            server.start()

        def arrived() -> set[str]:
            return {mail["X-MADSci-Event-ID"] for _, mail in mails.mails}

        wait_until(lambda: arrived() >= set(sent), "all mails", seconds=900)
        for server in servers:
            follow_up(server)
        keys = {(whom, mail["X-MADSci-Event-ID"]): set() for whom, mail in mails.mails}
        for whom, mail in mails.mails:
            keys[whom, mail["X-MADSci-Event-ID"]].add(str(mail["Message-ID"]).strip())
        assert len(keys) == 2 * kills
        assert all(len(ids) == 1 for ids in keys.values())
        assert len(mails.mails) - 2 * kills <= kills // 4, "more repetitions than kills explain"
