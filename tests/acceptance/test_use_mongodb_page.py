"""What docs/how-to/use-mongodb.md says of several servers on one database."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest

from support.server import running_server

pytestmark = pytest.mark.slow

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "use-mongodb.md"


@pytest.fixture
def two_servers(tmp_path, mongo_url, mongo_database):
    """Two servers with the same settings of the database."""
    settings = {"EVENT_DB_URL": mongo_url, "EVENT_DATABASE_NAME": mongo_database}
    with contextlib.ExitStack() as running:
        servers = []
        for name in ("first", "second"):
            (tmp_path / name).mkdir()
            servers.append(running.enter_context(running_server(tmp_path / name, **settings)))
        yield servers


def event(number: int) -> dict[str, object]:
    return {"event_id": f"e{number:03d}", "event_type": "log_info", "event_data": {"number": number}}


def test_the_server_says_where_its_events_are_as_printed(two_servers, mongo_database):
    printed = re.search(r"```text\n +events +(.+)\n```", PAGE.read_text(encoding="utf-8")).group(1)
    said = re.search(r"^ +events +(.+)$", two_servers[0].log.read_text(), re.MULTILINE).group(1)
    assert printed == "0 in madsci_events.events at mongodb://localhost:27017 (mongodb)"
    said = said.replace(mongo_database, "madsci_events")
    assert re.sub(r"//\S+", "//localhost:27017", said) == printed


def test_they_are_one_manager(two_servers):
    one, other = (server.get("definition")["manager_id"] for server in two_servers)
    assert one == other


def test_an_id_is_stored_once_whoever_gets_it(two_servers):
    first, second = two_servers
    assert first.post("event", event(1)).status == 200
    again = second.post("event", {**event(1), "event_data": "something else"})
    assert again.headers["X-Event-Duplicate"] == "true"
    assert again.json["event_data"] == {"number": 1}
    assert [one["event_id"] for one in first.query({"event_id": "e001"})] == ["e001"]


def test_a_cursor_continues_on_another_server(two_servers):
    first, second = two_servers
    assert first.post("events", [event(number) for number in range(9)]).status == 200
    begin = first.post("events/query?number=5", {"event_type": "log_info"})
    rest = second.post(
        f"events/query?number=5&cursor={begin.headers['X-Next-Cursor']}", {"event_type": "log_info"}
    )
    found = [one["event_id"] for reply in (begin, rest) for one in reply.json.values()]
    assert sorted(found) == [f"e{number:03d}" for number in range(9)]


def test_what_a_killed_server_acknowledged_the_other_one_has(two_servers):
    first, second = two_servers
    assert first.post("events", [event(number) for number in range(50)]).json["stored"] == 50
    first.kill()
    assert len(list(second.query({"event_type": "log_info"}))) == 50
