"""The client's settings keep old programs running and refuse what cannot work."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madsci.common.errors import SettingsError
from madsci.common.settings import REDACTED, unknown_settings
from madsci.common.types.client_config import ROTATION_TIMES, EventClientConfig
from madsci.common.types.ownership import OwnershipInfo


@pytest.fixture(autouse=True)
def lab(tmp_path, monkeypatch):
    """A lab directory to work in, outside of which nothing is found."""
    for variable in ("MADSCI_SETTINGS_DIR", "EVENT_SERVER_URL", "EVENT_CLIENT_NAME"):
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / ".madsci").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def message(**values):
    with pytest.raises(SettingsError) as caught:
        EventClientConfig(**values)
    return caught.value.message


def test_without_settings_a_client_has_no_server_and_logs_locally(lab, monkeypatch):
    monkeypatch.delenv("EVENT_CLIENT_SPOOL_DIR")
    config = EventClientConfig()
    assert (config.name, config.event_server_url, config.source) == (None, None, None)
    assert config.log_level == 20
    assert config.log_dir == lab / ".madsci" / "logs"
    assert config.masked(include_defaults=False) == {}


@pytest.mark.parametrize("name", ["event_server", "event_server_url"])
def test_the_server_has_two_names(name):
    config = EventClientConfig(**{name: "http://localhost:8001"})
    assert config.event_server_url == "http://localhost:8001/"


def test_the_server_may_stand_in_a_file_under_its_short_name(lab):
    (lab / "event_client.yaml").write_text("event_server: http://file:8001")
    assert EventClientConfig().event_server_url == "http://file:8001/"


def test_the_variable_of_the_server_is_honoured_beside_arguments(monkeypatch):
    monkeypatch.setenv("EVENT_SERVER_URL", "http://shared:8001")
    assert EventClientConfig(name="x").event_server_url == "http://shared:8001/"
    monkeypatch.setenv("EVENT_CLIENT_EVENT_SERVER_URL", "https://own")
    assert EventClientConfig(name="x").event_server_url == "https://own/"
    assert EventClientConfig(event_server="http://argument").event_server_url == "http://argument/"


def test_the_password_of_the_server_is_not_shown():
    config = EventClientConfig(event_server="http://me:hunter2@lab")
    assert f"http://{REDACTED}@lab/" in repr(config)
    assert "hunter2" not in repr(config)


def test_its_files_are_read(lab):
    (lab / ".env").write_text("EVENT_CLIENT_NAME=shared\nEVENT_CLIENT_RETRY_TOTAL=7")
    (lab / "event_client.env").write_text("EVENT_CLIENT_NAME=own")
    (lab / "event_client.toml").write_text("retry_total = 8\npool_maxsize = 3")
    config = EventClientConfig()
    assert (config.name, config.retry_total, config.pool_maxsize) == ("own", 7, 3)


@pytest.mark.parametrize(("value", "level"), [("debug", 10), ("25", 25), (15, 15), ("WARN", 30)])
def test_a_level_is_any_integer_or_a_name(value, level):
    config = EventClientConfig(log_level=value)
    assert config.log_level == level
    assert type(config.log_level) is int


@given(st.integers(-(10**8), 10**8))
def test_every_integer_is_a_level(number):
    assert EventClientConfig(log_level=str(number)).log_level == number


def test_the_ids_of_the_source_may_come_from_several_places(monkeypatch):
    monkeypatch.setenv("EVENT_CLIENT_SOURCE", '{"node_id": "n", "bench": 3}')
    monkeypatch.setenv("EVENT_CLIENT_SOURCE__LAB_ID", "l")
    source = EventClientConfig(source={"node_id": "m"}).source
    assert source == OwnershipInfo(node_id="m", lab_id="l", bench=3)


@pytest.mark.parametrize("given", ["MIDNIGHT", "h", " w6 ", *ROTATION_TIMES])
def test_rotation_times_are_read_in_any_letter_case(given):
    known = EventClientConfig(log_rotation_when=given).log_rotation_when
    assert known in ROTATION_TIMES
    assert known.lower() == given.strip().lower()


def test_the_collector_has_a_url_without_a_slash_at_its_end():
    assert EventClientConfig(otel_endpoint="http://c:4317/").otel_endpoint == "http://c:4317"
    assert EventClientConfig(otel_endpoint=None).otel_endpoint is None
    assert "otel_endpoint = 'c:4317'" in message(otel_endpoint="c:4317")


@pytest.mark.parametrize(
    "values",
    [
        {"event_server": "localhost:8001"},
        {"event_server": ""},
        {"log_level": "LOUD"},
        {"log_rotation_when": "W7"},
        {"log_rotation_when": 3},
        {"log_rotation_type": "weight"},
        {"log_max_bytes": 1023},
        {"retry_status_forcelist": "429"},
        {"timeout_default": 0},
        {"timeout_default": float("nan")},
        {"rate_limit_warning_threshold": 1.1},
        {"queue_max_events": 0},
        {"otel_metric_export_interval_ms": 999},
        {"otel_protocol": "udp"},
    ],
)
def test_a_value_that_cannot_work_is_named(values):
    (name,) = values
    name = "event_server_url" if name == "event_server" else name
    assert message(**values).startswith(f"{name} = ")


def test_a_misspelt_argument_is_not_dropped():
    assert "Did you mean event_server_url?" in message(event_sever_url="http://x")


def test_a_setting_of_another_release_is_warned_of_where_it_stands():
    with pytest.warns(UserWarning, match="retry_allowed_methods is not implemented") as told:
        EventClientConfig(retry_allowed_methods=["GET"])
    assert told[0].filename == __file__


def test_variables_of_the_server_are_not_the_clients_business(monkeypatch):
    monkeypatch.setenv("EVENT_DB_URL", "mongodb://x")
    monkeypatch.setenv("EVENT_CLIENT_NAEM", "x")
    (sentence,) = unknown_settings(EventClientConfig)
    assert "EVENT_CLIENT_NAEM" in sentence
    assert "Did you mean EVENT_CLIENT_NAME?" in sentence


def test_a_path_may_be_text(lab):
    assert EventClientConfig(log_dir=str(lab)).log_dir == Path(lab)
