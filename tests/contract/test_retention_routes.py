"""The routes that archive, list and delete, as clients of other releases and of this one use them."""

from __future__ import annotations

import json

import pytest

from madsci.common.clock import iso, now_us
from madsci.common.errors import SettingsError, StoreError, StoreUnavailableError
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.stores.memory import MemoryStore
from support.server import wait_until

DAY = 86_400_000_000


def ago(days: float) -> str:
    return iso(now_us() - int(days * DAY))


def put(client, *ids: str, **members) -> None:
    for one in ids:
        assert client.post("/event", json={"event_id": one, **members}).status_code == 200


def archive(client, **body):
    return client.post("/events/archive", json=body)


def test_archiving_by_ids_takes_events_out_of_the_lists_only(client):
    put(client, "a", "b", "c")
    reply = archive(client, event_ids=["a", "b", "nobody"])
    assert reply.status_code == 200
    assert reply.json() == {"archived_count": 2, "message": "Successfully archived 2 events"}
    assert list(client.get("/events").json()) == ["c"]
    assert set(client.get("/events?include_archived=true").json()) == {"a", "b", "c"}
    assert client.get("/event/a").json()["archived"] is True
    assert archive(client, event_ids=["a"]).json()["archived_count"] == 0


def test_more_ids_than_a_batch_are_all_archived(client):
    lines = "\n".join(json.dumps({"event_id": f"e{n}"}) for n in range(2500))
    assert client.post("/events", content=lines).json()["stored"] == 2500
    ids = [f"e{n}" for n in range(2500)]
    assert (
        archive(client, event_ids=ids, batch_size=1000, dry_run=True).json()["archived_count"] == 2500
    )
    assert archive(client, event_ids=ids, batch_size=1000).json()["archived_count"] == 2500
    assert client.get("/events").json() == {}


def test_a_date_is_exclusive_and_about_the_events_own_time(client):
    put(client, "before", event_timestamp="2019-12-31T23:59:59.999999Z")
    put(client, "at", event_timestamp="2020-01-01T00:00:00Z")
    assert archive(client, before_date="2020-01-01T00:00:00Z").json()["archived_count"] == 1
    assert list(client.get("/events").json()) == ["at"]
    assert archive(client, event_ids=[], before_date="2021-01-01").json()["archived_count"] == 1


def test_a_selector_archives_what_it_matches_and_a_dry_run_nothing(client):
    put(client, "low", log_level=10)
    put(client, "high", log_level=40)
    reply = archive(client, selector={"log_level": "debug"}, dry_run=True)
    assert reply.json() == {
        "archived_count": 1, "message": "1 events would be archived", "dry_run": True,
    }  # fmt: skip
    assert len(client.get("/events").json()) == 2
    assert archive(client, selector={"log_level": "debug"}).json()["archived_count"] == 1
    assert list(client.get("/events").json()) == ["high"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ("{}", 422, "Either event_ids or before_date must be provided"),
        ("[]", 422, "JSON object"),
        ('{"event_ids": ["a"], "batch_size": -1}', 422, "batch_size"),
        ('{"before_date": "soon"}', 422, "before_date"),
        ('{"before_date": "2020-01-01", "dry-run": true}', 422, "dry-run"),
        ('{"selector": {"$where": "1"}}', 400, "$where"),
        ("{", 400, "not JSON"),
        ('{"event_ids": ["' + "a" * 16_000_000 + '"]}', 413, "16,000,000 bytes"),
    ],
)
def test_what_cannot_be_archived_is_refused_with_a_sentence(client, body, status, words):
    reply = client.post("/events/archive", content=body)
    assert reply.status_code == status
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert words in reply.json()["detail"]


def test_the_list_of_archived_events_begins_with_the_last_and_goes_on_by_cursor(client):
    put(client, "listed")
    for one in ("c", "a", "b"):
        put(client, one)
        archive(client, event_ids=[one])
    listed = client.get("/events/archived")
    assert list(listed.json()) == ["b", "a", "c"]
    assert {event["archived"] for event in listed.json().values()} == {True}
    first = client.get("/events/archived?number=2")
    assert list(first.json()) == ["b", "a"]
    rest = client.get("/events/archived", params={"cursor": first.headers["X-Next-Cursor"]})
    assert list(rest.json()) == ["c"]
    assert "X-Next-Cursor" not in rest.headers
    assert list(client.get("/events/archived?offset=1&number=1").json()) == ["a"]


@pytest.mark.parametrize("query", ["number=-1", "number=10001", "offset=-1", "number=x"])
def test_numbers_of_the_list_have_bounds(client, query):
    assert client.get(f"/events/archived?{query}").status_code == 422


def test_a_cursor_of_another_list_is_refused(client):
    put(client, "a", "b")
    cursor = client.get("/events?number=1").headers["X-Next-Cursor"]
    reply = client.get("/events/archived", params={"cursor": cursor})
    assert (reply.status_code, reply.json()["code"]) == (400, "invalid-cursor")


def test_deleting_removes_what_was_archived_long_enough_ago(client):
    put(client, "old", archived=True, archived_at=ago(400))
    put(client, "young", archived=True, archived_at=ago(300))
    put(client, "listed", event_timestamp=ago(4000))
    dry = client.delete("/events/archived?dry_run=true").json()
    assert (dry["deleted_count"], dry["dry_run"]) == (1, True)
    reply = client.delete("/events/archived")
    assert reply.json() == {
        "deleted_count": 1,
        "message": "Permanently deleted 1 archived events older than 365 days",
    }
    assert client.get("/event/old").status_code == 404
    reply = client.delete("/events/archived?older_than_days=0")
    assert reply.json() == {
        "deleted_count": 1,
        "message": "Permanently deleted 1 archived events older than 0 days",
    }
    assert client.get("/event/listed").status_code == 200
    told = [one["event_data"] for one in client.get("/events").json().values() if one["source"]]
    assert [(one["task"], one["deleted"]) for one in told if "task" in one] == [("purge", 1)] * 2


def test_a_purge_of_everything_leaves_a_backup_of_before(client):
    put(client, *[f"e{n}" for n in range(20)])
    archive(client, selector={})
    purged = client.delete("/events/archived?older_than_days=0").json()
    assert purged["deleted_count"] >= 20
    (listed,) = client.get("/backup").json()["available_backups"]
    assert (listed["path"], listed["origin"]) == (purged["backup_path"], "pre_purge")
    assert listed["events"] >= 20
    told = [one["event_data"] for one in client.get("/events").json().values()]
    assert [one["backup_path"] for one in told if one.get("task") == "purge"] == [listed["path"]]


@pytest.mark.parametrize(
    ("settings", "query"), [({"backup_before_purge": False}, ""), ({}, "&backup=0")]
)
def test_where_no_backup_is_wanted_none_is_made(serve, settings, query):
    client = serve(**settings)
    put(client, *[f"e{n}" for n in range(20)])
    archive(client, selector={})
    purged = client.delete(f"/events/archived?older_than_days=0{query}").json()
    assert "backup_path" not in purged
    assert client.get("/backup").json()["available_backups"] == []


def test_what_cannot_be_backed_up_is_not_deleted(serve, lab):
    (lab / "taken").write_text("a file")
    client = serve(backup_dir=lab / "taken" / "backups")
    put(client, *[f"e{n}" for n in range(20)])
    archive(client, selector={})
    reply = client.delete("/events/archived?older_than_days=0")
    assert (reply.status_code, reply.json()["code"]) == (503, "store-unavailable")
    assert "Nothing was deleted" in reply.json()["detail"]
    assert "backup=false" in reply.json()["detail"]
    assert client.get("/event/e0").status_code == 200
    assert client.delete("/events/archived?older_than_days=0&backup=false").status_code == 200
    assert client.get("/event/e0").status_code == 404


@pytest.mark.parametrize("days", ["-1", "-0.001", "nan", "inf", "1e9", "x"])
def test_days_have_bounds(client, days):
    put(client, "a", archived=True)
    reply = client.delete(f"/events/archived?older_than_days={days}")
    assert reply.status_code == 422
    assert "older_than_days" in reply.json()["detail"]
    assert client.get("/event/a").status_code == 200


def test_nothing_is_deleted_that_is_held(serve):
    client = serve(legal_hold={"source": {"experiment_id": "exp-1"}})
    put(client, "held", archived=True, source={"experiment_id": "exp-1"})
    put(client, "free", archived=True)
    assert client.delete("/events/archived?older_than_days=0&dry_run=1").json()["deleted_count"] == 1
    assert client.delete("/events/archived?older_than_days=0").json()["deleted_count"] == 1
    assert list(client.get("/events/archived").json()) == ["held"]


def test_a_hold_that_cannot_be_used_keeps_the_server_from_starting(serve, lab):
    with pytest.raises(SettingsError, match=r"legal_hold: selector 1 cannot be used.*\$where"):
        serve(legal_hold=[{"$where": "true"}])
    assert not (lab / "events.db").exists()


def test_the_policy_is_shown_with_what_it_would_do(serve):
    client = serve(
        retention_rules=[{"event_types": ["log_debug"], "archive_after_days": 3}],
        legal_hold=[{"event_data.incident": True}],
    )
    put(client, "debug", event_type="log_debug", event_timestamp=ago(4))
    put(client, "plain", event_timestamp=ago(91))
    put(client, "gone", archived=True, archived_at=ago(366))
    put(client, "held", archived=True, archived_at=ago(366), event_data={"incident": True})
    shown = client.get("/retention").json()
    assert shown["enabled"] is False
    assert (shown["last_run"], shown["task"], shown["preview"]) == (None, None, None)
    assert shown["legal_hold"] == [{"event_data.incident": True}]
    assert [(rule["rule"], rule["archive_after_days"], rule["delete_after_days"])
            for rule in shown["rules"]] == [("rule 1", 3, None), ("others", 90, 365)]  # fmt: skip
    assert shown["rules"][0]["event_types"] == ["log_debug"]
    preview = client.get("/retention?preview=true").json()["preview"]
    assert preview == {"archive": {"rule 1": 1, "others": 1}, "delete": {"others": 1}, "held": 1}


def test_retention_runs_when_the_server_starts_and_says_so(serve):
    store = MemoryStore()
    before = serve(store)
    put(before, "old", event_timestamp=ago(91))
    put(before, "gone", archived=True, archived_at=ago(366))
    put(before, "fresh")
    client = serve(store, retention_enabled=True)

    def last_run():
        return client.get("/retention").json()["last_run"]

    wait_until(last_run, "the first run")
    run = last_run()
    assert (run["archived"], run["deleted"], run["complete"]) == (1, 1, True)
    assert client.get("/event/gone").status_code == 404
    wait_until(lambda: client.get("/health").json()["tasks"][0]["last_outcome"], "its end")
    task, *_ = client.get("/health").json()["tasks"]
    assert (task["name"], task["last_outcome"], task["failures"]) == ("retention", "done", 0)
    assert task["next_start"] > iso(now_us())
    assert client.get("/retention").json()["task"] == task
    (told,) = [one for one in client.get("/events").json().values()
               if isinstance(one["event_data"], dict) and one["event_data"].get("task")]  # fmt: skip
    assert told["event_type"] == "log_info"
    assert told["event_data"]["archived"] == 1
    assert told["source"] == {"manager_id": "manager"}


def test_retention_that_the_clock_holds_back_says_so_and_goes_on_when_that_is_confirmed(serve):
    store = MemoryStore()
    long_ago = now_us() - 1000 * DAY
    store.append([StoredEvent("last", "log", 20, False, long_ago, long_ago, {}, "{}")])
    client = serve(store, retention_enabled=True)

    def task():
        return client.get("/health").json()["tasks"][0]

    wait_until(lambda: task()["last_outcome"] == "held", "the hold")
    assert client.get("/health").status_code == 200
    assert "nothing is known of the 1,000 d since" in task()["detail"]
    assert client.get("/event/last").json()["archived"] is False
    told = [one["event_data"]["message"] for one in client.get("/events?level=30").json().values()]
    assert task()["detail"] in told
    confirmed = client.post("/retention/confirm")
    assert confirmed.status_code == 200
    assert confirmed.json()["clock"] <= iso(now_us())


class Broken(MemoryStore):
    """A store that archives nothing."""

    error: StoreError = StoreError("The table is gone.")

    def archive(self, event_ids, at):
        raise self.error


def with_something_to_archive(store: Broken) -> Broken:
    now = now_us() - DAY // 2  # there is something new, so that the clock is believed
    store.append(
        [
            StoredEvent("old", "log", 20, False, 0, 0, {}, "{}"),
            StoredEvent("new", "log", 20, False, now, now, {}, "{}"),
        ]
    )
    return store


def test_a_failed_run_is_told_of_and_the_server_goes_on(serve):
    client = serve(with_something_to_archive(Broken()), retention_enabled=True)
    wait_until(lambda: client.get("/health").json()["tasks"][0]["failures"], "the failure")
    reply = client.get("/health")
    assert reply.status_code == 503
    assert reply.json()["healthy"] is False
    assert reply.json()["description"] == (
        "The task retention failed: The table is gone. It is tried again."
    )
    assert client.post("/event", json={}).status_code == 200


def test_a_failed_run_makes_the_server_unhealthy_where_that_is_wanted(serve):
    client = serve(
        with_something_to_archive(Broken()), retention_enabled=True, fail_on_retention_error=True
    )
    wait_until(lambda: client.get("/health").status_code == 503, "the failure")
    health = client.get("/health").json()
    assert (health["healthy"], health["db_connected"]) == (False, True)
    assert "The task retention failed: The table is gone." in health["description"]
    assert health["tasks"][0]["ended"] is True
    assert client.post("/event", json={}).status_code == 200


def test_a_store_that_is_away_is_503_and_come_back(serve):
    store = with_something_to_archive(Broken())
    store.error = StoreUnavailableError("The disk is full.")
    reply = archive(serve(store), selector={})
    assert reply.status_code == 503
    assert int(reply.headers["Retry-After"]) >= 1
    assert reply.json()["detail"] == "The disk is full."
