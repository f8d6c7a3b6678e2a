"""What the migration tool is told by flags, variables and files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from madsci.common.errors import SettingsError
from madsci.common.settings import environment_names
from madsci.event_manager.migration.command_line import main
from madsci.event_manager.migration.settings import MigrationSettings

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "migration-tool.md"


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """No variables and no files but those of the test."""
    for name in MigrationSettings.model_fields:
        for variable in environment_names(MigrationSettings, name):
            monkeypatch.delenv(variable, raising=False)
    (tmp_path / ".madsci").mkdir()
    monkeypatch.chdir(tmp_path)


def test_without_anything_said_it_is_for_the_server_to_say_where_the_database_is(tmp_path):
    settings = MigrationSettings()
    assert settings.db_url is None
    assert settings.backup_dir == tmp_path / ".madsci" / "mongodb" / "backups"
    assert settings.database is None


def test_of_several_variables_for_the_url_the_first_wins(monkeypatch):
    for variable in reversed(environment_names(MigrationSettings, "db_url")):
        monkeypatch.setenv(variable, f"mongodb://{variable.lower().replace('_', '-')}")
        assert MigrationSettings().db_url.endswith(variable.lower().replace("_", "-"))


def test_files_of_earlier_releases_are_read_and_the_more_special_ones_win(tmp_path):
    (tmp_path / "settings.yaml").write_text("mongo_db_url: mongodb://shared\ndatabase: shared\n")
    (tmp_path / "migration.settings.yaml").write_text("database: special\n")
    (tmp_path / "mongodb.env").write_text("MONGODB_MIGRATION_BACKUP_DIR=elsewhere\n")
    settings = MigrationSettings()
    assert (settings.db_url, settings.database) == ("mongodb://shared", "special")
    assert settings.backup_dir == Path("elsewhere")


def test_passwords_do_not_show():
    settings = MigrationSettings(db_url="mongodb://ann:secret77@host")
    assert "secret77" not in f"{settings!r} {settings}"


def test_a_value_that_cannot_be_used_is_told_with_its_place(monkeypatch):
    monkeypatch.setenv("MONGODB_MIGRATION_BACKUP_MAX_COUNT", "none")
    with pytest.raises(SettingsError, match="MONGODB_MIGRATION_BACKUP_MAX_COUNT"):
        MigrationSettings()


def test_every_flag_and_variable_stands_in_the_reference():
    text = PAGE.read_text(encoding="utf-8")
    for name in MigrationSettings.model_fields:
        flag = name.removesuffix("_output").replace("_", "-")
        assert f"`--{flag}" in text, name
        variables = environment_names(MigrationSettings, name)
        if variables != (f"MONGODB_MIGRATION_{name.upper()}",):
            row = next(line for line in text.splitlines() if line.startswith(f"| `--{flag}`"))
            assert ", ".join(f"`{variable}`" for variable in variables) in row


def test_actions_have_an_order(tmp_path, capsys):
    """Validating goes before checking, checking before restoring, restoring before a backup."""
    url = ["--db-url", "sqlite:///events.db"]
    actions = ["--check-version", "--restore-from", "nowhere", "--backup-only"]
    assert main([*url, *actions, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["migration_needed"] is False
    assert main([*url, *actions[1:]]) == 1
    assert "nowhere" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [tmp_path / ".madsci"]


@pytest.mark.parametrize(
    "words",
    [
        ["--database"],
        ["--databse", "x"],
        ["madsci_events"],
        ["--database", "madsci_events", "--backup-only", "maybe"],
        ["--database", "madsci_events", "--naive-timezone", "Mars/Olympus"],
        ["--database", "madsci_events", "--db-url", "postgresql://host/x"],
        ["--db-url", "mongodb://host"],
    ],
)
def test_a_wrong_command_is_told_with_the_usage(words, capsys):
    assert main(words) == 2
    assert "usage: python -m madsci.common.mongodb_migration_tool" in capsys.readouterr().err
