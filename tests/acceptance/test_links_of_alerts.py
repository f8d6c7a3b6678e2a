"""What stands in the message of an alert leads to what it says, on a real server."""

from __future__ import annotations

import json
import shlex
import urllib.request

from madsci.common.clock import parse_instant
from madsci.event_manager.alerts.evidence import Evidence
from madsci.event_manager.alerts.links import Links
from madsci.event_manager.alerts.notice import Notice, Occasion, Subject
from madsci.event_manager.alerts.rendering import render
from madsci.event_manager.testing.samples import event

AT = parse_instant("2026-11-27T07:14:13.5Z")
SECOND = 1_000_000
ODD = "a/b?c=d&e #%41 ü"
"""An id that no address has as it is."""


def read(url: str, body: str | None = None):
    sent = None if body is None else body.encode()
    with urllib.request.urlopen(url, sent, timeout=30) as reply:
        return json.loads(reply.read())


def test_the_addresses_in_an_alert_lead_to_its_events(server):
    sent = [("before", -7200), ("led", -60), (ODD, 0), ("soon", 30), ("later", 600)]
    for name, seconds in sent:
        body = {"event_id": name, "event_timestamp": AT / 1e6 + seconds, "event_type": "log_error",
                "source": {"workflow_id": "w"}, "event_data": {"message": name}}  # fmt: skip
        assert server.request("POST", "event", json.dumps(body)).status == 200
    subject = Subject("a1", "errors", 40, "It failed", "An error.", {}, AT, event_id=ODD)
    notice = Notice("k1", Occasion.OPENED, "mail", "anna@x.org", subject, AT)
    around = [event("led", AT - 60 * SECOND), event(ODD, AT)]
    query = {"source.workflow_id": "w", "event_timestamp": {"$lte": "2026-11-27T07:14:13.500000Z"}}
    message = render(notice, Evidence(around[1], around, {}, query), Links(server.url))

    one, several = (line for line in message.text.splitlines() if line.startswith("http"))
    assert read(one)["event_id"] == ODD
    assert list(read(several)) == ["soon", ODD, "led"]
    command = message.text.splitlines()[-1]
    _, address, _, body = shlex.split(command)
    assert list(read(address, body)) == [ODD, "led", "before"]
