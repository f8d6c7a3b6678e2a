"""The routes about backups, as clients of other releases and of this one use them."""

from __future__ import annotations

import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest

from madsci.common.errors import SettingsError
from madsci.common.file_lock import try_lock
from support.server import wait_until


def put(client, *ids: str) -> None:
    for one in ids:
        assert client.post("/event", json={"event_id": one}).status_code == 200


def back_up(client, **body):
    reply = client.post("/backup", json=body) if body else client.post("/backup")
    assert reply.status_code == 200, reply.text
    return reply.json()


def told_of_success(client) -> list[dict]:
    """The events that the server kept about backups that were made."""
    selector = {"event_type": "backup_create", "log_level": 20}
    return list(client.post("/events/query", json=selector).json().values())


def test_a_backup_is_made_without_a_body_and_named_by_the_moment(client, lab):
    put(client, "a", "b")
    made = back_up(client)
    path = Path(made["backup_path"])
    assert path.parent == lab / ".madsci" / "backups" / "events"
    assert re.fullmatch(r"events_backup_\d{8}_\d{6}_\d{6}_manual_backup", path.name)
    assert (made["status"], made["is_valid"]) == ("completed", True)
    assert made["events"] >= 2
    assert (path / "events" / "events.db").is_file()
    metadata = json.loads((path / "backup_metadata.json").read_text())
    assert metadata["checksum"] == (path / "backup.checksum").read_text()
    assert metadata["database_version"] == made["database_version"]


def test_no_description_leads_out_of_the_folder(client, lab):
    made = back_up(client, description="../../../etc/before the upgrade/..")
    path = Path(made["backup_path"])
    assert path.parent == lab / ".madsci" / "backups" / "events"
    assert path.name.endswith("_etc_before_the_upgrade")


def test_the_status_lists_the_newest_first_and_both_paths_say_the_same(client, lab):
    made = [back_up(client, description=name)["backup_path"] for name in ("one", "two")]
    status = client.get("/backup/status")
    assert status.status_code == 200
    shown = status.json()
    assert client.get("/backup").json() == shown
    assert (shown["backup_enabled"], shown["backup_schedule"]) == (False, None)
    assert shown["backup_dir"] == str(lab / ".madsci" / "backups" / "events")
    assert [one["path"] for one in shown["available_backups"]] == made[::-1]
    for one in shown["available_backups"]:
        assert one["is_valid"] is True
        assert one["size_bytes"] > 0
        assert datetime.fromisoformat(one["created_at"]).tzinfo is not None


def test_without_any_backup_the_list_is_empty_and_no_folder_is_made(client, lab):
    assert client.get("/backup/status").json()["available_backups"] == []
    assert not (lab / ".madsci" / "backups").exists()


def test_a_stranger_who_asks_for_many_pushes_out_none_of_the_schedule(serve):
    client = serve(backup_enabled=True, backup_schedule="0 0 1 1 *", backup_max_count=2)

    def origins():
        return [one["origin"] for one in client.get("/backup").json()["available_backups"]]

    wait_until(origins, "the backup of this year")
    for _ in range(5):
        back_up(client, description="scheduled")
    assert origins() == ["request", "request", "schedule"]


def test_a_backup_of_a_store_that_shrank_is_marked_and_told_of(client):
    put(client, *[f"e{number}" for number in range(50)])
    assert back_up(client)["shrank"] is False
    client.post("/events/archive", json={"selector": {}})
    client.delete("/events/archived?older_than_days=0&backup=false")
    made = back_up(client)
    assert made["shrank"] is True
    assert [one["shrank"] for one in client.get("/backup").json()["available_backups"]] == [True, False]
    selector = {"event_type": "backup_create", "log_level": 30}
    (event,) = client.post("/events/query", json=selector).json().values()
    assert "more than twice as many" in event["event_data"]["message"]


def test_each_backup_leaves_an_event(client):
    made = back_up(client, description="nightly")
    (event,) = told_of_success(client)
    assert made["backup_path"] in event["event_data"].values()
    assert event["event_data"]["events"] == made["events"]


def test_while_another_program_makes_one_it_is_refused_and_the_server_answers(client, lab):
    """Several servers, and the migration tool, may have one folder of backups."""
    folder = lab / ".madsci" / "backups" / "events"
    folder.mkdir(parents=True)
    descriptor = os.open(folder / ".events.lock", os.O_RDWR | os.O_CREAT)
    try:
        assert try_lock(descriptor)
        reply = client.post("/backup")
        assert (reply.status_code, reply.json()["code"]) == (409, "store-in-use")
        assert "being made already" in reply.json()["detail"]
        put(client, "meanwhile")
        assert client.get("/backup/status").json()["available_backups"] == []
    finally:
        os.close(descriptor)
    assert back_up(client)["is_valid"] is True


def test_of_many_at_once_each_is_made_or_refused(client):
    with ThreadPoolExecutor(6) as pool:
        replies = list(pool.map(lambda _: client.post("/backup").status_code, range(6)))
    assert set(replies) <= {200, 409}
    made = replies.count(200)
    assert made >= 1
    assert len(client.get("/backup").json()["available_backups"]) == made
    assert len(told_of_success(client)) == made


@pytest.mark.parametrize("body", ["[]", '{"description": 7}', '"nightly"', "{"])
def test_a_body_that_cannot_be_used_is_refused(client, body):
    reply = client.post("/backup", content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code in (400, 422)
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert client.get("/backup").json()["available_backups"] == []


def test_a_folder_that_cannot_be_written_to_is_told_with_a_remedy(serve, lab):
    (lab / "taken").write_text("a file")
    client = serve(backup_dir=lab / "taken" / "backups")
    reply = client.post("/backup")
    assert (reply.status_code, reply.json()["code"]) == (503, "store-unavailable")
    assert "EVENT_BACKUP_DIR" in reply.json()["detail"]
    assert client.post("/event", json={"event_id": "a"}).status_code == 200


def test_a_store_that_keeps_nothing_has_no_backups(serve):
    client = serve(db_url="memory://")
    reply = client.post("/backup")
    assert reply.status_code == 422
    assert "memory store" in reply.json()["detail"]
    assert client.get("/backup/status").json()["available_backups"] == []


def test_the_schedule_makes_one_when_its_time_has_come(serve, lab):
    client = serve(backup_enabled=True, backup_schedule="* * * * *")

    def backups():
        return client.get("/backup/status").json()["available_backups"]

    wait_until(backups, "the backup of this minute")
    assert backups()[-1]["description"] == "scheduled"
    tasks = {one["name"]: one for one in client.get("/health").json()["tasks"]}
    assert "backup" in tasks


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("nightly", "cron expression|5 fields"),
        ("0 2 * *", "5 fields"),
        ("0 25 * * *", "cron expression"),
        ("0 0 30 2 *", "cron expression|a time that comes"),
    ],
)
def test_a_schedule_that_means_nothing_keeps_the_server_from_starting(serve, lab, expression, words):
    with pytest.raises(SettingsError, match=words):
        serve(backup_enabled=True, backup_schedule=expression)
    assert not (lab / "events.db").exists()
