"""Credentials, headers and certificates reach the connection, and nothing that is shown."""

import base64

import pytest

from madsci.client.delivery.access import ServerAccess, server_access, split_credentials
from madsci.common.errors import SettingsError
from madsci.common.types.client_config import EventClientConfig


def basic(pair: str) -> str:
    return "Basic " + base64.b64encode(pair.encode()).decode()


@pytest.mark.parametrize(
    ("url", "plain", "pair"),
    [
        ("http://lab:8001/", "http://lab:8001", None),
        ("http://me:hunter2@lab:8001/", "http://lab:8001", "me:hunter2"),
        ("https://me:p%40ss%2F%3Aword@lab/base/", "https://lab/base", "me:p@ss/:word"),
        ("http://me@lab", "http://lab", "me:"),
        ("http://:token@[::1]:8001/", "http://[::1]:8001", ":token"),
        ("http://j%C3%B6rg:%E2%82%AC@lab", "http://lab", "jörg:€"),
    ],
)
def test_credentials_are_decoded_and_leave_the_url(url, plain, pair):
    assert split_credentials(url) == (plain, None if pair is None else basic(pair))


def test_a_user_with_a_colon_is_refused_without_being_shown():
    with pytest.raises(SettingsError) as caught:
        split_credentials("http://us%3Aer:hunter2@lab")
    assert "hunter2" not in caught.value.message
    assert "er:" not in caught.value.message


def test_without_a_server_there_is_no_access():
    assert server_access(EventClientConfig()) is None


def test_headers_and_credentials_go_together_and_a_header_of_ones_own_wins():
    config = EventClientConfig(
        event_server="http://me:hunter2@lab", event_server_headers={"X-Api-Key": "k1"}
    )
    assert server_access(config) == ServerAccess(
        "http://lab", (("X-Api-Key", "k1"), ("Authorization", basic("me:hunter2")))
    )
    own = config.replaced(event_server_headers={"authorization": "Bearer t"})
    assert server_access(own) == ServerAccess("http://lab", (("authorization", "Bearer t"),))
    assert config.event_server_headers == {"X-Api-Key": "k1"}


def test_access_shows_no_secret():
    config = EventClientConfig(
        event_server="http://me:hunter2@lab", event_server_headers={"X-Api-Key": "sesame"}
    )
    for shown in (repr(server_access(config)), repr(config), str(config), str(config.masked())):
        assert "hunter2" not in shown
        assert "sesame" not in shown
        assert base64.b64encode(b"me:hunter2").decode() not in shown
