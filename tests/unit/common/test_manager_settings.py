"""The server's settings read old labs' variables, files and definitions."""

import itertools

import pytest

from madsci.common.errors import SettingsError
from madsci.common.settings import REDACTED, settings_of_flags, unknown_settings
from madsci.common.types import event_types
from madsci.common.types.event_types import (
    EmailAlertsConfig,
    EventLogLevel,
    EventManagerDefinition,
    EventManagerSettings,
)

DB_VARIABLES = (
    "EVENT_DB_URL",
    "EVENT_DOCUMENT_DB_URL",
    "EVENT_MONGO_DB_URL",
    "MONGO_DB_URL",
    "DOCUMENT_DB_URL",
    "DB_URL",
)


@pytest.fixture(autouse=True)
def lab(tmp_path, monkeypatch):
    """A lab directory to work in, outside of which nothing is found."""
    for variable in ("MADSCI_SETTINGS_DIR", "EVENT_SERVER_URL", *DB_VARIABLES):
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / ".madsci").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def message(**values):
    with pytest.raises(SettingsError) as caught:
        EventManagerSettings(**values)
    return caught.value.message


def test_nothing_needs_to_be_set():
    settings = EventManagerSettings()
    assert (settings.host, settings.port) == ("localhost", 8001)
    assert settings.db_url is None
    assert settings.alert_level is EventLogLevel.ERROR
    assert settings.masked(include_defaults=False) == {}
    assert settings.warnings() == []
    assert settings.definition() == {
        "name": "Event Manager",
        "description": None,
        "manager_id": None,
        "manager_type": "event_manager",
    }


class TestServerUrl:
    @pytest.mark.parametrize(
        ("url", "host", "port"),
        [("http://0.0.0.0:80", "0.0.0.0", 80), ("http://[::1]:9/", "::1", 9), ("http://h", "h", 80)],
    )
    def test_it_says_where_to_serve(self, url, host, port):
        settings = EventManagerSettings(server_url=url)
        assert (settings.host, settings.port) == (host, port)
        assert settings.server_url.endswith("/")

    def test_https_is_refused_with_what_to_do_instead(self):
        assert "reverse proxy" in message(server_url="https://localhost:8001")

    def test_a_user_is_refused_and_not_shown(self):
        text = message(server_url="http://me:hunter2@localhost")
        assert "without a user" in text
        assert "hunter2" not in text


class TestStore:
    @pytest.mark.parametrize(("higher", "lower"), list(itertools.combinations(DB_VARIABLES, 2)))
    def test_of_two_variables_the_more_special_one_wins(self, monkeypatch, higher, lower):
        monkeypatch.setenv(lower, "mongodb://lower")
        assert EventManagerSettings().db_url == "mongodb://lower"
        monkeypatch.setenv(higher, "mongodb://higher")
        assert EventManagerSettings().db_url == "mongodb://higher"

    @pytest.mark.parametrize("name", ["db_url", "mongo_db_url", "document_db_url"])
    def test_all_its_names_are_taken_as_argument_and_in_files(self, lab, name):
        (lab / "settings.yaml").write_text(f"event_{name}: mongodb://shared")
        assert EventManagerSettings().db_url == "mongodb://shared"
        (lab / "events.settings.yaml").write_text(f"{name}: mongodb://own")
        assert EventManagerSettings().db_url == "mongodb://own"
        assert EventManagerSettings(**{name: "memory:"}).db_url == "memory:"

    @pytest.mark.parametrize(
        "url", ["sqlite:///x/events.db", "memory://", "mongodb+srv://c.lab", "MongoDB://h"]
    )
    def test_a_store_we_have_is_taken(self, url):
        assert EventManagerSettings(db_url=url).db_url == url

    @pytest.mark.parametrize("url", ["postgresql://u:hunter2@h/db", "events.db", "sqlite:x", ""])
    def test_another_store_is_refused_with_the_list(self, url):
        text = message(db_url=url)
        assert "sqlite://, memory://, mongodb://, mongodb+srv://" in text
        assert "hunter2" not in text

    def test_its_password_is_masked_and_a_url_without_one_is_shown(self):
        settings = EventManagerSettings(db_url="mongodb://u:hunter2@h:27017/?x=1")
        assert settings.masked()["db_url"] == f"mongodb://{REDACTED}@h:27017/?x=1"
        assert "hunter2" not in f"{settings!r}{settings}"
        assert EventManagerSettings(db_url="sqlite:///x").masked()["db_url"] == "sqlite:///x"


class TestValues:
    def test_the_variables_of_the_mission_work(self, monkeypatch):
        monkeypatch.setenv("EVENT_DB_URL", "mongodb://localhost:27017")
        monkeypatch.setenv("EVENT_COLLECTION_NAME", "madsci_events")
        monkeypatch.setenv("EVENT_ALERT_LEVEL", "WARNING")
        monkeypatch.setenv("EVENT_EMAIL_ALERTS__SMTP_SERVER", "mail.lab")
        monkeypatch.setenv("EVENT_EMAIL_ALERTS__EMAIL_ADDRESSES", '["a@b"]')
        settings = EventManagerSettings()
        assert settings.db_url == "mongodb://localhost:27017"
        assert settings.collection_name == "madsci_events"
        assert settings.alert_level is EventLogLevel.WARNING
        assert settings.email_alerts == EmailAlertsConfig(
            smtp_server="mail.lab", email_addresses=["a@b"]
        )

    def test_limits_can_be_lifted(self, monkeypatch):
        monkeypatch.setenv("EVENT_RATE_LIMIT_SHORT_REQUESTS", "null")
        assert EventManagerSettings().rate_limit_short_requests is None

    @pytest.mark.parametrize(
        "values",
        [
            {"max_event_bytes": 0},
            {"ingest_queue_events": 0},
            {"shutdown_timeout_seconds": -1},
            {"integrity_check_seconds": float("inf")},
            {"rate_limit_window": 0},
            {"rate_limit_short_window": 0},
            {"alert_level": 60},
            {"collection_name": ""},
            {"cors_origins": "*"},
            {"email_alerts": 3},
        ],
    )
    def test_a_value_that_cannot_work_is_named(self, values):
        (name,) = values
        assert message(**values).startswith(f"{name} = ")

    def test_a_zone_is_checked(self):
        assert EventManagerSettings(naive_timezone="Europe/Berlin").naive_timezone
        assert "Use an IANA name" in message(naive_timezone="Berlin")

    def test_flags_of_the_command_line_become_arguments(self):
        settings = settings_of_flags(EventManagerSettings, ["--mongo-db-url", "memory://"])
        assert settings.db_url == "memory://"


class TestDefinition:
    def test_the_example_of_old_labs_is_read(self, lab):
        path = lab / "event.manager.yaml"
        text = (
            "name: Example Event Manager\ndescription: An example event manager\n"
            "manager_id: 01JWV8FYP11JT3E2JXDM70T6DN\nmanager_type: event_manager\n"
        )
        path.write_text(text)
        settings = EventManagerSettings()
        assert settings.manager_name == "Example Event Manager"
        assert settings.definition() == {
            "name": "Example Event Manager",
            "description": "An example event manager",
            "manager_id": "01JWV8FYP11JT3E2JXDM70T6DN",
            "manager_type": "event_manager",
        }
        assert path.read_text() == text

    def test_settings_in_it_apply_beneath_all_others(self, lab, monkeypatch):
        (lab / "event.manager.yaml").write_text(
            "event_manager_id: old\nhost: 127.0.0.1\nport: 9001\nalert_level: WARNING\n"
            'db_url: "mongodb://u:hunter2@h"\ncollection_name: madsci_events\n'
            "email_alerts: {smtp_password: hunter2, smtp_server: mail.lab}\n"
            "event_client_config: {log_level: 10, token: hunter2}\nmanager_definition: x.yaml\n"
        )
        settings = EventManagerSettings()
        assert settings.manager_id == "old"
        assert settings.server_url == "http://127.0.0.1:9001/"
        assert settings.alert_level is EventLogLevel.WARNING
        assert settings.collection_name == "madsci_events"
        assert settings.email_alerts.smtp_password == "hunter2"
        shown = settings.definition()
        assert shown["db_url"] == f"mongodb://{REDACTED}@h"
        assert shown["event_client_config"] == {"log_level": 10, "token": REDACTED}
        assert shown["email_alerts"] == {"smtp_password": REDACTED, "smtp_server": "mail.lab"}
        assert "hunter2" not in str(shown)
        (lab / "settings.yaml").write_text("collection_name: shared")
        monkeypatch.setenv("EVENT_ALERT_LEVEL", "50")
        settings = EventManagerSettings(server_url="http://argument:1")
        assert settings.collection_name == "shared"
        assert settings.alert_level is EventLogLevel.CRITICAL
        assert settings.host == "argument"

    @pytest.mark.parametrize(
        ("content", "url"),
        [
            ("host: '::1'", "http://[::1]:8001/"),
            ("port: 9", "http://localhost:9/"),
            ("host: h\nserver_url: http://other:1", "http://other:1/"),
        ],
    )
    def test_host_and_port_make_the_url(self, lab, content, url):
        (lab / "event.manager.yaml").write_text(content)
        assert EventManagerSettings().server_url == url

    def test_another_file_can_be_named_anywhere(self, lab, monkeypatch):
        (lab / "managers").mkdir()
        path = lab / "managers" / "my.manager.yaml"
        path.write_text("name: mine")
        monkeypatch.setenv("EVENT_MANAGER_DEFINITION", "my.manager.yaml")
        assert EventManagerSettings().manager_name == "mine"
        assert EventManagerSettings(manager_definition=path).definition()["name"] == "mine"

    def test_a_named_file_that_is_missing_is_warned_about_and_not_written(self, lab):
        settings = EventManagerSettings(manager_definition="typo.yaml")
        (warning,) = settings.warnings()
        assert "typo.yaml (manager_definition) was not found" in warning
        assert not (lab / "typo.yaml").exists()

    def test_a_wrong_name_of_the_file_is_a_wrong_setting(self):
        assert message(manager_definition=3).startswith("manager_definition = 3")

    def test_what_is_wrong_in_it_is_named_with_the_file(self, lab):
        path = lab / "event.manager.yaml"
        path.write_text("alert_level: LOUD")
        assert f"(alert_level in {path})" in message()
        path.write_text("name: [1]")
        assert message() == f"name in {path}: it should be a valid string. Correct the file."
        path.write_text("name: [1")
        assert str(path) in message()

    def test_it_can_be_made_by_name(self):
        definition = EventManagerDefinition(manager_id="x", room=3)
        assert definition.model_extra == {"room": 3}
        assert definition.name == "Event Manager"


class TestUnknownSettings:
    def test_settings_of_other_releases_and_mistakes_are_told_apart(self, lab, monkeypatch):
        monkeypatch.setenv("EVENT_OTEL_ENABLED", "true")
        monkeypatch.setenv("EVENT_COLECTION_NAME", "x")
        monkeypatch.setenv("EVENT_CLIENT_NAME", "the client's")
        monkeypatch.setenv("EVENT_SERVER_URL", "http://localhost:8001")
        (lab / "settings.yaml").write_text("event_client_log_level: 10\nworkcell_server_url: x")
        mistake, other_release = unknown_settings(EventManagerSettings)
        assert "EVENT_COLECTION_NAME" in mistake
        assert "Did you mean EVENT_COLLECTION_NAME?" in mistake
        assert "EVENT_OTEL_ENABLED is not implemented in this version" in other_release

    @pytest.mark.parametrize(
        "name", ["uvicorn_workers", "enable_registry_resolution", "registry_lock_timeout", "lab_url"]
    )
    def test_an_argument_of_another_release_is_warned_of(self, name):
        with pytest.warns(UserWarning, match=f"{name} is not implemented") as told:
            EventManagerSettings(**{name: 2})
        assert told[0].filename == __file__


def test_the_front_lists_its_names_in_order():
    assert event_types.__all__ == sorted(event_types.__all__)
    assert all(hasattr(event_types, name) for name in event_types.__all__)
