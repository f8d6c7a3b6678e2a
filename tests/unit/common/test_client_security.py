"""A wrong header, certificate or key is told when the settings are read, not when a request fails."""

import pytest

from madsci.common.errors import SettingsError
from madsci.common.types.client_config import EventClientConfig

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"
LOCKED = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n"


def message(**values):
    with pytest.raises(SettingsError) as caught:
        EventClientConfig(**values)
    return caught.value.message


def pem(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"X-Key": "sesame\r\nX-Other: 1"}, "the value of X-Key should be one line of plain text"),
        ({"X-Key": "ses\x00ame"}, "the value of X-Key should be one line of plain text"),
        ({"X-Key": "sesame €"}, "the value of X-Key should be one line of plain text"),
        ({"X-Key": " sesame"}, "the value of X-Key should be one line of plain text"),
        ({"X-Key": 12345678}, "the value of X-Key should be one line of plain text"),
        ({"X Key": "sesame"}, "names of HTTP headers"),
        ({"X-Key": "sesame", "x-key": "other"}, "x-key once"),
        ({"Content-Length": "0"}, "should not have Content-Length"),
        ("sesame", "valid dictionary"),
    ],
)
def test_headers_that_would_break_a_request_are_refused_by_name_and_never_shown(headers, reason):
    told = message(event_server_headers=headers)
    assert told.startswith("event_server_headers = ***REDACTED*** (argument event_server_headers): ")
    assert reason in told
    assert "ame" not in told.replace("names of HTTP", "")
    assert "12345678" not in told


def test_headers_come_from_the_environment_as_json(monkeypatch):
    monkeypatch.setenv("EVENT_CLIENT_EVENT_SERVER_HEADERS", '{"X-Api-Key": "sesame"}')
    assert EventClientConfig().event_server_headers == {"X-Api-Key": "sesame"}
    monkeypatch.setenv("EVENT_CLIENT_EVENT_SERVER_HEADERS", "X-Api-Key=sesame")
    assert "sesame" not in message()


def test_certificates_and_keys_are_looked_at(tmp_path):
    config = EventClientConfig(
        event_server_ca_file=pem(tmp_path, "ca.pem", CERTIFICATE),
        event_server_client_cert_file=str(pem(tmp_path, "me.pem", CERTIFICATE)),
        event_server_client_key_file=str(pem(tmp_path, "me.key", KEY)),
    )
    assert config.event_server_client_key_file == tmp_path / "me.key"
    both = EventClientConfig(event_server_client_cert_file=pem(tmp_path, "both.pem", CERTIFICATE + KEY))
    assert both.event_server_client_key_file is None


def test_files_that_cannot_serve_are_told_of_with_the_reason(tmp_path):
    certificate = pem(tmp_path, "me.pem", CERTIFICATE)
    binary = tmp_path / "me.der"
    binary.write_bytes(b"\x30\x82\x01")
    missing = tmp_path / "missing.pem"
    key = pem(tmp_path, "me.key", KEY)
    assert "cannot be read: No such file" in message(event_server_ca_file=missing)
    assert "cannot be read: Is a directory" in message(event_server_ca_file=tmp_path)
    assert "certificates in PEM" in message(event_server_ca_file=binary)
    assert "certificates in PEM" in message(event_server_client_cert_file=key)
    assert "holds no key either" in message(event_server_client_cert_file=certificate)
    assert "is not set" in message(event_server_client_key_file=key)
    cases = {binary: "private key in PEM", pem(tmp_path, "l.key", LOCKED): "without a passphrase"}
    for path, reason in cases.items():
        told = message(event_server_client_cert_file=certificate, event_server_client_key_file=path)
        assert reason in told
        assert str(path) in told


@pytest.mark.parametrize(
    "url", ["http://me:hun/ter2@lab", "http://me:hun?ter2@lab", "http://me:hun#ter2@lab"]
)
def test_a_password_that_breaks_the_url_is_not_told(url):
    assert "hun" not in message(event_server_url=url)
