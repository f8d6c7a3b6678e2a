"""The routes about the manager itself, its documentation, and its conduct under trouble."""

from __future__ import annotations

import re
import threading
from typing import Any

import pytest

from madsci.common.errors import StoreError, StoreUnavailableError
from madsci.event_manager.stores.memory import MemoryStore
from support.server import wait_until


def test_health_counts_the_events_and_names_version_and_store(client):
    client.post("/event", json={})
    health = client.get("/health").json()
    assert health["healthy"] is True
    assert health["db_connected"] is True
    assert health["total_events"] == 1
    assert health["store"] == "sqlite"
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", health["version"])


def test_a_store_that_is_away_makes_health_and_requests_503_and_comes_back(serve):
    class Fading(MemoryStore):
        away = False

        def check(self):
            if self.away:
                raise StoreUnavailableError("The disk is full. Free space on it.")

        def append(self, events):
            self.check()
            return super().append(events)

    store = Fading()
    client = serve(store)
    store.away = True
    health = client.get("/health")
    assert health.status_code == 503
    assert health.json()["healthy"] is False
    assert health.json()["db_connected"] is False
    assert "disk is full" in health.json()["description"]
    refused = client.post("/event", json={})
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.json()["detail"] == "The disk is full. Free space on it."
    store.away = False
    assert client.post("/event", json={}).status_code == 200


def test_a_full_queue_answers_503_with_retry_after_and_keeps_what_it_accepted(serve):
    class Slow(MemoryStore):
        def __init__(self):
            super().__init__()
            self.entered = threading.Event()
            self.release = threading.Event()

        def append(self, events):
            self.entered.set()
            assert self.release.wait(30)
            return super().append(events)

    store = Slow()
    client = serve(store, ingest_queue_events=2)
    replies: list[Any] = []
    senders = [
        threading.Thread(target=lambda n=n: replies.append(client.post("/event", json={"_id": f"{n}"})))
        for n in range(7)
    ]
    for sender in senders:
        sender.start()
    # Two are queued, two more wait for room.
    wait_until(lambda: len(replies) == 3, "the refusal of those that are too many")
    for refused in replies:
        assert refused.status_code == 503
        assert int(refused.headers["Retry-After"]) >= 1
        assert "send it again" in refused.json()["detail"]
    store.release.set()
    for sender in senders:
        sender.join(10)
    assert [reply.status_code for reply in replies[3:]] == [200] * 4
    assert store.count() == 4


def test_an_unexpected_failure_is_500_in_json_without_details(serve):
    class Broken(MemoryStore):
        def get(self, event_id):
            raise ZeroDivisionError("secret details")

        def find(self, query):
            raise StoreError("The collection is gone. Restore a backup.")

    client = serve(Broken())
    reply = client.get("/event/a")
    assert reply.status_code == 500
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert "secret" not in reply.text
    assert client.get("/events").json()["detail"] == "The collection is gone. Restore a backup."


def test_definition_and_root_say_who_the_manager_is(serve, lab):
    (lab / "event.manager.yaml").write_text(
        "name: Example Event Manager\n"
        "description: An example\n"
        "manager_id: 01JWV8FYP11JT3E2JXDM70T6DN\n"
        "manager_type: event_manager\n"
        "lab: north\n"
        'mail: {smtp_password: "s3cret"}\n'
    )
    client = serve()
    definition = client.get("/definition").json()
    assert client.get("/").json() == definition
    assert definition["name"] == "Example Event Manager"
    assert definition["manager_id"] == "01JWV8FYP11JT3E2JXDM70T6DN"
    assert definition["lab"] == "north"
    assert "s3cret" not in client.get("/definition").text
    assert client.get("/openapi.json").json()["info"]["title"] == "Example Event Manager"


def test_settings_are_shown_without_secrets(serve):
    client = serve(
        email_alerts={"smtp_username": "ann", "smtp_password": "s3cret", "smtp_server": "mail"}
    )
    whole = client.get("/settings")
    assert "s3cret" not in whole.text
    assert whole.json()["settings"]["email_alerts"]["smtp_server"] == "mail"
    changed = client.get("/settings?include_defaults=false&include_schema=true").json()
    assert set(changed["settings"]) == {"db_url", "email_alerts", "query_processes"}
    assert "properties" in changed["schema"]


def test_every_route_is_described_with_its_replies(client):
    document = client.get("/openapi.json").json()
    described = {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert set(described) == {
        ("POST", "/event"), ("POST", "/events"), ("GET", "/event/{event_id}"), ("GET", "/events"),
        ("POST", "/events/import"), ("POST", "/events/query"),
        ("GET", "/events/count"), ("POST", "/events/count"),
        ("GET", "/events/histogram"), ("POST", "/events/histogram"),
        ("GET", "/events/facets"), ("POST", "/events/facets"),
        ("GET", "/events/export"), ("POST", "/events/export"),
        ("GET", "/events/stream"), ("POST", "/events/stream"),
        ("GET", "/followers"), ("POST", "/followers/skip"),
        ("GET", "/utilization/sessions"), ("GET", "/utilization/periods"),
        ("GET", "/utilization/user"), ("GET", "/utilization/users"), ("GET", "/metrics/lab"),
        ("GET", "/alerts"), ("GET", "/alert/{alert_id}"), ("POST", "/alerts/acknowledge"),
        ("POST", "/alerts/snooze"), ("POST", "/alerts/resolve"), ("GET", "/alerts/rules"),
        ("POST", "/alerts/rules"), ("DELETE", "/alerts/rules/{name}"),
        ("POST", "/alerts/rules/preview"), ("GET", "/alerts/deliveries"), ("POST", "/alerts/test"),
        ("POST", "/events/archive"), ("GET", "/events/archived"), ("DELETE", "/events/archived"),
        ("POST", "/backup"), ("GET", "/backup"), ("GET", "/backup/status"),
        ("GET", "/retention"), ("POST", "/retention/confirm"),
        ("GET", "/health"), ("GET", "/settings"), ("GET", "/definition"), ("GET", "/"),
    }  # fmt: skip
    for route, operation in described.items():
        assert operation["summary"], route
        content = operation["responses"]["200"]["content"]
        assert all(media["schema"] for media in content.values()), route
    references = set(re.findall(r'"#/components/schemas/([^"]+)"', client.get("/openapi.json").text))
    assert references <= set(document["components"]["schemas"])
    event = document["components"]["schemas"]["StoredEventReply"]
    assert {"_id", "event_id", "event_type", "source", "event_data"} <= set(event["properties"])
    assert "workflow_complete" in str(document["components"]["schemas"]["EventType"])


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_the_documentation_pages_need_nothing_from_the_internet(client, page):
    html = client.get(page).text
    assets = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert assets
    for asset in assets:
        assert asset.startswith("/"), f"{page} loads {asset}"
        assert client.get(asset).status_code == 200


def test_sending_is_not_limited_by_default_nor_by_the_rate_limit(serve):
    client = serve(rate_limit_enabled=True, rate_limit_exempt_ips=[], rate_limit_short_requests=3)
    replies = [client.get("/health") for _ in range(5)]
    assert [reply.status_code for reply in replies[:3]] == [200, 200, 200]
    assert replies[0].headers["X-RateLimit-Burst-Limit"] == "3"
    assert replies[0].headers["X-RateLimit-Limit"] == "300"
    refused = replies[-1]
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.json()["detail"] == "Rate limit exceeded: 3 requests per 1 seconds (burst limit)"
    assert {client.post("/event", json={}).status_code for _ in range(400)} == {200}


@pytest.mark.parametrize("path", ["/", "/health", "/events", "/definition", "/settings", "/docs"])
def test_head_answers_as_get_does_without_the_body(client, path):
    client.post("/event", json={})
    got, asked = client.get(path), client.head(path)
    assert (asked.status_code, asked.content) == (got.status_code, b"")
    assert asked.headers["Content-Type"] == got.headers["Content-Type"]


def test_head_of_a_long_answer_breaks_it_off(client):
    client.post("/events", content=b'{"event_data": {"x": 1}}\n' * 5_000)
    reply = client.head("/events/export?format=ndjson")
    assert (reply.status_code, reply.content) == (200, b"")


def test_head_of_what_cannot_be_got_says_so(client):
    assert client.head("/event").status_code == 405
    assert client.head("/nowhere").status_code == 404
