"""Any JSON value that a program logs comes back as it was, through client, wire and store."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from madsci.client.event_client import EventClient
from madsci.common.types.event_types import Event, EventType
from support import mongo_servers
from support.server import running_server

# A NUL in a name is kept as a visible escape.
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(scope="module", params=["sqlite", "memory", "mongodb"])
def client(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp(request.param)
    urls = {"memory": "memory://", "sqlite": f"sqlite:///{directory / 'events.db'}"}
    url = urls.get(request.param) or request.getfixturevalue("mongo_url")
    database = f"round_trip_{uuid.uuid4().hex}"
    with (
        running_server(directory, EVENT_DB_URL=url, EVENT_DATABASE_NAME=database) as server,
        EventClient(
            name="round-trip",
            event_server=server.url,
            log_dir=directory,
            log_console_enabled=False,
            log_file_enabled=False,
        ) as client,
    ):
        yield client
    if request.param == "mongodb":
        mongo_servers.drop_database(url, database)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=JSON, text=st.text(st.characters(exclude_categories=["Cs"])))
def test_any_json_survives_client_wire_and_store(client, value, text):
    whole = Event(event_type=EventType.TEST, event_data=value)
    client.log(whole)
    client.info(text, value=value)
    assert client.flush(10)
    assert client.get_event(whole.event_id).event_data == value
    (logged,) = [
        event for event in client.get_events(number=2).values() if event.event_id != whole.event_id
    ]
    assert logged.event_data == {"message": text, "value": value}
    assert logged.event_type is EventType.LOG_INFO
