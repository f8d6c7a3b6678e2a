"""The URL of a webhook is taken apart once, and none of its secrets can be seen."""

from __future__ import annotations

import base64

import pytest

from madsci.common.errors import SettingsError
from madsci.event_manager.alerts.receiver import receiver_of


def of(url: str):
    return receiver_of("ops", url)


@pytest.mark.parametrize(
    ("url", "authority", "port", "target"),
    [
        ("https://hooks.example.org", "hooks.example.org", 443, "/"),
        ("HTTP://Hooks.Example.org:80/a/b?c=d#e", "hooks.example.org", 80, "/a/b?c=d"),
        ("https://hooks.example.org:8443/", "hooks.example.org:8443", 8443, "/"),
        ("http://[::1]:8080/x", "[::1]:8080", 8080, "/x"),
        ("http://node_red:1880/x%20y", "node_red:1880", 1880, "/x%20y"),
        ("https://exämple.org/ü?q=ö", "xn--exmple-cua.org", 443, "/%C3%BC?q=%C3%B6"),
        ("https://hooks.example.org?a=b", "hooks.example.org", 443, "/?a=b"),
    ],
)
def test_a_url_says_where_a_request_goes(url, authority, port, target):
    receiver = of(url)
    assert (receiver.authority, receiver.port, receiver.target) == (authority, port, target)


def test_a_user_and_password_are_sent_as_basic_authentication_and_never_shown():
    receiver = of("https://ann%40lab:p%3Aw%2F@hooks.example.org/T0/secret-path?token=abc")
    assert receiver.authorization == "Basic " + base64.b64encode(b"ann@lab:p:w/").decode()
    for shown in (receiver.shown, repr(receiver), receiver.failure("said no").message):
        assert not any(part in shown for part in ("ann", "p:w", "secret-path", "abc", "Basic"))
    assert receiver.failure("said no", "Ask.").message == (
        "The webhook 'ops' (https://hooks.example.org) said no. Ask."
    )


@pytest.mark.parametrize(
    "url",
    [
        "", "hooks.example.org/secret9", "ftp://h/secret9", "file:///secret9", "http:///secret9",
        "https://h:0/secret9", "https://h:99999/secret9", "https://h:secret9/", "https://u:secret9/x@h/",
        "https://h/secret9\r\nX: y", "https://h/sec ret9", "https://a..b/secret9", "https://[::1/secret9",
        "https://[secret9]/", "https://h\\secret9/", "https://h%00/secret9",
        "https://h/" + "secret9" * 2000,
        "https://u%3Ax:secret9@h/", "https://" + "ä" * 70 + "/secret9",
    ],
)  # fmt: skip
def test_a_url_that_cannot_be_used_is_refused_without_being_quoted(url):
    with pytest.raises(SettingsError, match="the webhook 'ops'") as refused:
        of(url)
    assert "secret9" not in str(refused.value)
    assert refused.value.__cause__ is None
