"""Secrets stay out of events, and what only sounds like one does not."""

from __future__ import annotations

import json

import pytest

from madsci.client.testing import capture_events
from madsci.client.writing.redaction import MAX_NAMES, Redaction
from madsci.common.settings import REDACTED
from madsci.common.types.event_types import Event


@pytest.fixture
def client(make_client):
    return make_client(log_file_enabled=False)


@pytest.mark.parametrize(
    "name",
    [
        "password", "db_password", "PASSWD", "secret", "client_secret", "apiToken", "token2",
        "X-Api-Key", "API_KEY", "apikey", "Authorization", "aws_secret_access_key", "private_key",
        "credentials", "passwordHash", "set-cookie", "PGPASSWORD", "MYSQL_PWD", "DBPASSWORD",
        "dbpassword", "userpassword", "sshpass", "DB_PASS", "csrftoken", "XSRFTOKEN", "OPENAI_API_KEY",
        "openaiapikey", "clientsecret", "PHPSESSID", "encryptionKey", "myjwt",
    ],
)  # fmt: skip
def test_names_of_secrets(name):
    assert Redaction().is_secret(name)
    assert not Redaction(enabled=False).is_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "token_count", "max_tokens", "secretary", "password_length", "token_expires_at", "key",
        "author", "credential_id", "api", "keyboard", "", "7", "password_file", "tokens_per_second",
        "passage", "compass", "bypass", "lowpass", "band_pass", "pass", "first_pass", "monkey",
        "passed", "passwordless", "secretion", "tokenizer", "session_id", "key_pass_count",
    ],
)  # fmt: skip
def test_names_of_no_secrets(name):
    assert not Redaction().is_secret(name)


def test_patterns_add_the_labs_own_names():
    redaction = Redaction(["patient*", "Sample_Origin"])
    assert redaction.is_secret("PATIENT_name")
    assert redaction.is_secret("sample_origin")
    assert not redaction.is_secret("sample")


def test_secrets_are_masked_at_any_depth(client):
    with capture_events() as events:
        client.info("a", password="hunter2", user="me")
        client.info("a", request={"headers": [{"Authorization": "Bearer x"}], "path": "/"})
        client.info("a", token={"deep": 1}, pin=object)
        client.bind(api_key="k").warning("a", alert=True)
        client.log({"password": "hunter2"})
        client.log({"a": {"password": 12345}})
        client.log(Event(event_data={"secret": "s", "x": 1}, extra={"token": "t"}))
        client.exception("a", secret=b"s")
    text = json.dumps([event.model_dump(mode="json") for event in events])
    assert "hunter2" not in text
    assert "Bearer" not in text
    assert "12345" not in text
    assert events[0].event_data == {"message": "a", "password": REDACTED, "user": "me"}
    assert events[1].event_data["request"] == {"headers": [{"Authorization": REDACTED}], "path": "/"}
    assert events[2].event_data["token"] == REDACTED
    assert events[3].event_data == {"message": "a", "api_key": REDACTED}
    assert events[6].event_data == {"secret": REDACTED, "x": 1}
    assert events[6].extra == {"token": REDACTED}


def test_the_log_file_has_no_secrets_either(make_client):
    client = make_client()
    client.info("a", password="hunter2")
    assert "hunter2" not in client.logfile.read_text()


def test_what_tells_nothing_stays(client):
    with capture_events() as events:
        client.info("a", password=None, has_token=True, nested={"secret": False})
    assert events[0].event_data == {
        "message": "a", "password": None, "has_token": True, "nested": {"secret": False},
    }  # fmt: skip


def test_the_callers_data_are_not_changed(client):
    headers = {"Authorization": "Bearer x"}
    with capture_events():
        client.info("a", headers=headers)
        client.log(headers)
    assert headers == {"Authorization": "Bearer x"}


def test_the_words_of_log_calls_mean_what_they_mean(client):
    """A name that was seen as harmless data must not take the short way when it is lifted."""
    with capture_events() as events:
        for _ in range(2):
            client.info("a", nested={"alert": 1, "event_type": 2, "message": 3})
            client.info("a", alert=True, event_type="test")
    assert [event.alert for event in events] == [False, True, False, True]
    assert events[3].event_type == "test"


def test_names_that_are_made_up_forever_do_not_fill_memory():
    redaction = Redaction()
    for number in range(MAX_NAMES + 10):
        redaction.are_plain([f"name{number}"])
    assert len(redaction.plain_names) <= MAX_NAMES
