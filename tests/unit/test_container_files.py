"""What users and their scripts rely on in the Dockerfile and in compose.yaml."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from madsci.common.types.manager_settings import EventManagerSettings
from support.server import running_server, wait_until

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs" / "how-to" / "run-in-containers.md").read_text(encoding="utf-8")
MONGODB_URL = "mongodb://mongodb:27017"


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile, continued lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]


def last_stage() -> list[tuple[str, str]]:
    found = instructions()
    begin = max(place for place, (name, _) in enumerate(found) if name == "FROM")
    return found[begin:]


def of(name: str) -> str:
    """The last value that an instruction has in the image."""
    return [rest for instruction, rest in last_stage() if instruction == name][-1]


def environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in shlex.split(of("ENV")))


def health_check() -> list[str]:
    return json.loads(of("HEALTHCHECK").split(" CMD ", 1)[1])


class TestImage:
    def test_serves_every_network_of_the_container_at_the_port_that_it_names(self):
        settings = EventManagerSettings(server_url=environment()["EVENT_SERVER_URL"])
        assert (settings.host, str(settings.port)) == ("0.0.0.0", of("EXPOSE"))

    def test_runs_as_a_user_without_rights_whose_number_can_be_checked(self):
        assert int(of("USER")) > 0
        assert f"--uid {of('USER')} " in of("RUN")

    def test_keeps_what_the_server_writes_in_a_volume_below_its_working_directory(self):
        assert of("VOLUME") == of("WORKDIR") + "/.madsci"
        assert of("VOLUME") in of("RUN"), "a volume has the owner that the folder has in the image"

    def test_has_the_schema_where_migration_commands_name_it(self):
        (copied,) = [rest for name, rest in last_stage() if name == "COPY"]
        assert copied == "--from=build /app /app"
        assert environment()["PYTHONPATH"] == "/app"
        assert (ROOT / "src" / "madsci" / "event_manager" / "schema.json").is_file()

    def test_starts_the_server_without_a_shell_so_that_it_gets_the_signal_to_stop(self):
        assert json.loads(of("CMD")) == ["python", "-m", "madsci.event_manager.event_server"]

    def test_is_made_of_files_that_are_there_and_not_left_out(self):
        ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        kept = [line[1:] for line in ignore if line.startswith("!")]
        copied = [
            source
            for name, rest in instructions()
            if name == "COPY" and "--from" not in rest
            for source in rest.split()[:-1]
        ]
        assert sorted(copied) == sorted(kept)
        assert [name for name in copied if not (ROOT / name).exists()] == []

    def test_has_no_step_that_only_one_builder_knows(self):
        assert not any(rest.startswith("--mount") or "<<" in rest for _, rest in instructions())


class TestHealthCheck:
    @pytest.fixture
    def check(self):
        def run(url: str) -> int:
            command = health_check()
            assert command[0] == "python"
            # A proxy must not be asked about a server of this machine.
            variables = {"EVENT_SERVER_URL": url, "http_proxy": "http://127.0.0.1:9/"}
            return subprocess.run(
                [sys.executable, *command[1:]],
                env={**os.environ, **variables},
                capture_output=True,
                timeout=30,
                check=False,
            ).returncode

        return run

    def test_tells_a_server_that_works_from_none(self, check, tmp_path):
        with running_server(tmp_path) as server:
            url = server.url
            assert check(url) == 0
            assert check(url.rstrip("/")) == 0
            assert check(url.replace("127.0.0.1", "0.0.0.0")) == 0
        assert check(url) != 0

    @pytest.mark.slow
    def test_tells_a_server_that_cannot_use_its_database(self, check, tmp_path, mongo_server):
        impatient = mongo_server.url + "?serverSelectionTimeoutMS=500"
        with running_server(tmp_path, EVENT_DB_URL=impatient) as server:
            assert check(server.url) == 0
            mongo_server.kill()
            wait_until(lambda: server.request("GET", "health").status == 503)
            assert check(server.url) != 0


class TestCompose:
    def test_the_server_needs_no_database(self):
        services = COMPOSE["services"]
        assert [name for name, service in services.items() if "profiles" not in service] == [
            "event-manager"
        ]
        assert "depends_on" not in services["event-manager"]

    def test_the_database_stands_under_the_name_of_migration_commands(self):
        database = COMPOSE["services"]["mongodb"]
        assert database["profiles"] == ["mongodb"]
        assert database["command"][:2] == ["--replSet", "rs0"]
        (script,) = [part for part in database["healthcheck"]["test"] if "rs.initiate" in part]
        assert "_id: 'rs0'" in script
        assert f"host: '{MONGODB_URL.partition('//')[2]}'" in script
        assert "ports" not in database, "it has no password"

    def test_events_are_kept_in_the_volume_of_the_image(self):
        (mount,) = COMPOSE["services"]["event-manager"]["volumes"]
        name, _, path = mount.partition(":")
        assert path == of("VOLUME")
        assert name in COMPOSE["volumes"]

    def test_every_volume_is_declared_and_used(self):
        mounts = [mount for service in COMPOSE["services"].values() for mount in service["volumes"]]
        assert {mount.partition(":")[0] for mount in mounts} == set(COMPOSE["volumes"])

    def test_the_port_is_that_of_the_image_and_of_this_machine_only(self):
        assert COMPOSE["services"]["event-manager"]["ports"] == [
            f"${{EVENT_PUBLISH:-127.0.0.1:8001}}:{of('EXPOSE')}"
        ]

    def test_the_server_has_time_to_finish_what_it_accepted(self):
        grace = COMPOSE["services"]["event-manager"]["stop_grace_period"]
        assert int(grace.removesuffix("s")) > EventManagerSettings().shutdown_timeout_seconds

    def test_variables_are_settings_and_empty_ones_mean_the_defaults(self, monkeypatch, tmp_path):
        monkeypatch.chdir(tmp_path)
        given = COMPOSE["services"]["event-manager"]["environment"]
        assert all(value == f"${{{name}:-}}" for name, value in given.items())
        before = EventManagerSettings()
        for name in given:
            monkeypatch.setenv(name, "")
        assert EventManagerSettings() == before
        assert not EventManagerSettings().warnings()


def test_the_page_says_every_variable_that_compose_reads():
    read = set(re.findall(r"\$\{(\w+)", (ROOT / "compose.yaml").read_text(encoding="utf-8")))
    assert [name for name in read if f"`{name}`" not in PAGE] == []


def test_the_page_names_services_profiles_and_volumes_that_there_are():
    services = COMPOSE["services"]
    commands = re.findall(r"^docker[ -]compose (.+)$", PAGE, re.MULTILINE)
    assert commands
    for command in commands:
        for profile in re.findall(r"--profile (\S+)", command):
            assert [name for name in services if profile in services[name].get("profiles", [])]
        for name in re.findall(r"(?:run --rm|exec|logs(?: -f)?) (\S+)", command):
            assert fnmatch.filter(services, name), command
