"""Old programs reach for the client's session, and get what they use of it, for their own server."""

import pytest

from madsci.client.event_client import EventClient
from madsci.common.errors import EventServerError, ServerRefusedError


def test_a_session_asks_the_clients_server_by_url_or_path(make_client, peer):
    client = make_client(event_server=peer.url)
    event = {"event_id": "e1", "event_data": {"message": "by hand"}}
    with client.session as session:
        reply = session.post(f"{client.event_server}event", json=event, timeout=5)
        assert (reply.ok, reply.status_code) == (True, 200)
        assert session.get("event/e1").json()["_id"] == "e1"
        assert session.get("/event/e1").url == f"{client.event_server}event/e1"
        assert "by hand" in session.get(client.event_server + "event/e1").text


def test_an_error_is_raised_when_asked_for(make_client, peer):
    reply = make_client(event_server=peer.url).session.get("event/none")
    assert (reply.ok, reply.status_code) == (False, 404)
    with pytest.raises(ServerRefusedError, match="404"):
        reply.raise_for_status()


@pytest.mark.parametrize("url", ["http://elsewhere/event", "https://127.0.0.1/event", "ftp://x"])
def test_no_credentials_go_to_another_server(make_client, peer, url):
    with pytest.raises(ValueError, match="is not below"):
        make_client(event_server=peer.url).session.get(url)


def test_a_client_without_a_server_has_a_session_that_says_so():
    with EventClient(log_file_enabled=False, log_console_enabled=False) as client:
        client.session.close()
        with pytest.raises(EventServerError, match="event_server_url"):
            client.session.get("health")
