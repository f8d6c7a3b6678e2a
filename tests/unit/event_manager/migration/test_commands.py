"""The commands of the migration tool that are words, and which database it works with."""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from madsci.common.settings import environment_names
from madsci.common.types.manager_settings import EventManagerSettings
from madsci.event_manager.migration.command_line import main
from madsci.event_manager.migration.settings import MigrationSettings
from madsci.event_manager.model.query import Query
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.stores.mongo.store import MongoStore
from madsci.event_manager.stores.sqlite.store import SqliteStore

LAB_FILE = Path(".madsci/events/events.db")


@pytest.fixture(autouse=True)
def lab(tmp_path, monkeypatch):
    """A lab's own folder, and no variables but those of the test."""
    for model in (MigrationSettings, EventManagerSettings):
        for name in model.model_fields:
            for variable in environment_names(model, name):
                monkeypatch.delenv(variable, raising=False)
    (tmp_path / ".madsci").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def event(name: str) -> StoredEvent:
    return StoredEvent(name, "log", 20, False, 1_000, 1_000, {}, f'{{"message":"about {name}"}}')


def fill(path: Path, number: int) -> None:
    with closing(SqliteStore(path)) as store:
        store.append([event(f"e{place:03}") for place in range(number)])


def ids(path: Path) -> set[str]:
    with closing(SqliteStore(path)) as store:
        return {one.event_id for one in store.find(Query(limit=1000)).events}


class TestWhichDatabase:
    def test_without_a_url_it_is_the_file_of_the_server_found_upwards(self, lab, monkeypatch, capsys):
        fill(lab / LAB_FILE, 3)
        below = lab / "notebooks"
        below.mkdir()
        monkeypatch.chdir(below)
        assert main(["--backup-only", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["events"] == 3
        assert list(below.iterdir()) == []

    def test_without_a_url_it_is_the_database_of_the_servers_settings(self, lab, capsys):
        fill(lab / "mine.db", 4)
        (lab / "event_manager.settings.yaml").write_text("db_url: sqlite:///mine.db\n")
        (lab / "event.manager.yaml").write_text("db_url: sqlite:///mine.db\n")
        assert main(["--backup-only", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["events"] == 4

    def test_a_database_without_a_url_is_that_of_the_mongodb_of_this_machine(self, capsys):
        assert main(["--database", "madsci_events", "--schema-file", "none.json"]) == 2
        assert "none.json" in capsys.readouterr().err

    def test_a_url_of_the_labs_folder_means_the_same_file_everywhere(self, lab, monkeypatch, capsys):
        fill(lab / LAB_FILE, 2)
        below = lab / "notebooks"
        below.mkdir()
        monkeypatch.chdir(below)
        assert main(["--db-url", f"sqlite:///{LAB_FILE}", "--backup-only", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["events"] == 2


class TestRestoring:
    def test_what_is_overwritten_is_said_before_and_where_it_is_kept_after(self, lab, capsys):
        fill(lab / LAB_FILE, 3)
        assert main(["--backup-only", "--json"]) == 0
        backup = json.loads(capsys.readouterr().out)["backup"]
        with closing(SqliteStore(lab / LAB_FILE)) as store:
            store.append([event("late")])
        assert main(["--restore-from", backup]) == 0
        told = capsys.readouterr()
        assert f"into {lab / LAB_FILE}, which holds 4 events" in told.err
        kept = next(line for line in told.out.splitlines() if line.startswith("What was there before"))
        assert "pre_restore" in kept
        replaced = kept.removesuffix(".").rsplit(", ", 1)[1]
        assert "late" in ids(Path(replaced))
        assert ids(lab / LAB_FILE) >= {"e000", "e001", "e002"}
        assert "late" not in ids(lab / LAB_FILE)

    def test_a_file_that_is_not_there_yet_is_said(self, lab, capsys):
        fill(lab / "one.db", 1)
        assert main(["--db-url", "sqlite:///one.db", "--backup-only", "--json"]) == 0
        backup = json.loads(capsys.readouterr().out)["backup"]
        assert main(["--db-url", "sqlite:///new/two.db", "--restore-from", backup]) == 0
        assert "which is not there yet and is made" in capsys.readouterr().err

    def test_a_damaged_file_is_said_to_be_damaged(self, lab, capsys):
        fill(lab / "one.db", 1)
        assert main(["--db-url", "sqlite:///one.db", "--backup-only", "--json"]) == 0
        backup = json.loads(capsys.readouterr().out)["backup"]
        (lab / "one.db").write_bytes(b"x" * 20_000)
        assert main(["--db-url", "sqlite:///one.db", "--restore-from", backup]) == 0
        told = capsys.readouterr()
        assert "which is damaged" in told.err
        assert "one.db.replaced-" in told.out


class TestCopying:
    @pytest.mark.parametrize("content", [None, b""])
    def test_a_source_that_is_not_there_is_refused_and_not_made(self, lab, content, capsys):
        if content is not None:
            (lab / "one.db").write_bytes(content)
        assert main(["copy", "--from", "sqlite:///one.db", "--to", "sqlite:///two.db"]) == 1
        assert "nothing of that name is there" in capsys.readouterr().err
        assert not (lab / "two.db").exists()
        assert (lab / "one.db").exists() == (content is not None)

    def test_a_mongodb_without_the_collection_is_refused(self, lab, mongo_url, mongo_database, capsys):
        with closing(MongoStore(mongo_url, database=mongo_database, collection="others")) as store:
            store.append([event("one")])
        names = ["--from-database", mongo_database]
        assert main(["copy", "--from", mongo_url, *names, "--to", "sqlite:///two.db"]) == 1
        assert "nothing of that name is there" in capsys.readouterr().err
        assert not (lab / "two.db").exists()

    def test_an_empty_source_is_said_to_be_empty(self, lab, capsys):
        fill(lab / "one.db", 0)
        assert main(["copy", "--from", "sqlite:///one.db", "--to", "sqlite:///two.db"]) == 0
        told = capsys.readouterr().out
        assert "holds no events: there was nothing to copy" in told
        assert "read back" not in told


class TestRecovering:
    def damaged(self, lab: Path) -> Path:
        path = lab / LAB_FILE
        fill(path, 40)
        with path.open("r+b") as file:
            file.write(bytes(4096))
        return path

    def test_the_file_of_the_server_is_saved_beside_it_with_what_to_do_next(self, lab, capsys):
        path = self.damaged(lab)
        before = path.read_bytes()
        assert main(["recover"]) == 0
        told = capsys.readouterr().out
        saved = path.with_name("events-recovered.db")
        assert f"40 events of {path} were saved to {saved}" in told
        assert "Nothing is damaged, and nothing is missing" in told
        assert f"mv {saved} {path}" in told
        assert path.read_bytes() == before
        assert len(ids(saved)) == 40
        assert main(["recover"]) == 1
        assert "exists and is not overwritten" in capsys.readouterr().err

    def test_in_place_the_server_goes_on_with_what_was_saved(self, lab, capsys):
        path = self.damaged(lab)
        assert main(["recover", "--in-place", "--json"]) == 0
        report = json.loads(capsys.readouterr().out)
        assert (report["events"], report["damaged"], report["missing"]) == (40, 0, 0)
        assert Path(report["kept"]).read_bytes()[:4096] == bytes(4096)
        assert len(ids(path)) == 40

    def test_what_was_not_saved_is_named(self, lab, capsys):
        path = lab / "events.db"
        fill(path, 40)
        content = path.read_bytes()
        path.write_bytes(content.replace(b"about e017", b"about \xff\xfe17"))
        words = ["recover", "--db-url", "sqlite:///events.db", "--to", "sqlite:///new.db"]
        assert main(words) == 0
        told = capsys.readouterr().out
        assert "39 events" in told
        assert "e017, number 18" in told
        listed = [
            json.loads(line) for line in (lab / "new.db.troubles.ndjson").read_text().splitlines()
        ]
        assert [one["event_id"] for one in listed] == ["e017"]

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["--db-url", "mongodb://127.0.0.1:1"], "repaired by its own tools"),
            (["--to", "mongodb://127.0.0.1:1"], "names a new event file"),
            (["--to", "x.db", "--in-place"], "cannot both"),
            (["--form", "x.db"], "Unknown flag --form"),
            (["--jsn"], "Unknown flag --jsn; did you mean --json?"),
            (["--to"], "--to has no value"),
            (["events.db"], "is not a flag"),
        ],
    )
    def test_a_wrong_command_is_told_with_the_usage(self, words, said, capsys):
        assert main(["recover", *words]) == 2
        told = capsys.readouterr().err
        assert said in told
        assert "recover [--db-url URL]" in told

    def test_without_a_file_nothing_is_made(self, lab, capsys):
        assert main(["recover", "--db-url", "sqlite:///deep/none.db"]) == 1
        assert "There is no file" in capsys.readouterr().err
        assert [one.name for one in lab.iterdir()] == [".madsci"]


class TestChecking:
    def test_a_whole_store_is_well(self, lab, capsys):
        fill(lab / LAB_FILE, 7)
        assert main(["check"]) == 0
        assert capsys.readouterr().out == f"7 events of {lab / LAB_FILE} are whole.\n"
        assert main(["check", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["well"] is True

    def test_a_damaged_event_is_named_and_listed_and_the_server_passes_over_it(self, lab, capsys):
        path = lab / LAB_FILE
        fill(path, 7)
        path.write_bytes(path.read_bytes().replace(b"about e004", b"about e994"))
        assert main(["check"]) == 1
        told = capsys.readouterr().out
        assert "6 events of" in told
        assert "e004, number 5: it is not what was written" in told
        assert "listed in the table damaged_events" in told
        assert "recover --db-url" in told
        assert len(ids(path)) == 6

    def test_beside_a_server_a_damaged_event_is_named_and_nothing_is_written(self, lab, capsys):
        path = lab / LAB_FILE
        fill(path, 7)
        path.write_bytes(path.read_bytes().replace(b"about e004", b"about e994"))
        with closing(SqliteStore(path, integrity_seconds=0)):
            assert main(["check", "--json"]) == 1
        report = json.loads(capsys.readouterr().out)
        assert (report["number_damaged"], report["is_listed"]) == (1, False)

    def test_a_damaged_structure_is_told(self, lab, capsys):
        path = lab / "events.db"
        fill(path, 900)
        content = bytearray(path.read_bytes())
        middle = len(content) // 2 // 4096 * 4096
        content[middle : middle + 8192] = b"\x17" * 8192
        path.write_bytes(content)
        assert main(["check", "--db-url", "sqlite:///events.db"]) == 1
        assert "recover --db-url" in capsys.readouterr().out

    def test_what_is_not_there_or_no_store_is_refused(self, lab, capsys):
        assert main(["check", "--db-url", "sqlite:///none.db"]) == 1
        assert "nothing" in capsys.readouterr().err
        assert not (lab / "none.db").exists()
        (lab / "text.db").write_text("hello" * 5_000)
        assert main(["check", "--db-url", "sqlite:///text.db"]) == 1
        assert "damaged" in capsys.readouterr().err

    def test_documents_that_are_no_events_are_named(self, mongo_url, mongo_database, capsys):
        with closing(MongoStore(mongo_url, database=mongo_database)) as store:
            store.append([event("one")])
        words = ["check", "--db-url", mongo_url, "--database", mongo_database]
        assert main(words) == 0
        assert "1 events" in capsys.readouterr().out


class TestFlags:
    def test_an_unknown_flag_is_told_with_the_one_that_may_be_meant(self, capsys):
        assert main(["--databse", "x"]) == 2
        assert "Unknown flag --databse; did you mean --database?" in capsys.readouterr().err
        assert main(["copy", "--fron", "x"]) == 2
        assert "Unknown flag --fron; did you mean --from?" in capsys.readouterr().err

    def test_a_wrong_value_is_told_with_its_flag(self, capsys):
        assert main(["--backup-max-count", "none", "--backup-only"]) == 2
        assert "(flag --backup-max-count)" in capsys.readouterr().err

    @pytest.mark.parametrize("words", [["--help"], ["recover", "-h"], ["copy", "--help"]])
    def test_help_shows_flags_with_dashes(self, words, capsys):
        assert main(words) == 0
        told = capsys.readouterr().out
        for flag in (
            "--db-url",
            "--backup-only",
            "--restore-from",
            "recover [--db-url URL]",
            "check [",
        ):
            assert flag in told
        assert "--db_url" not in told


@pytest.mark.parametrize("name", ["my lab/events-recovered.db", "other disk/it's new.db"])
def test_the_commands_that_are_printed_put_what_was_saved_in_place(lab, name, capsys):
    """In folders with spaces in their names, too; what lies around stays where it is."""
    path = lab / "my lab" / "events.db"
    fill(path, 5)
    shutil.copy(path, path.with_name("kept"))
    shutil.copy(path, f"{path}.replaced-20260101_000000_000000")
    target = lab / name
    url = f"sqlite:///{path}"
    assert main(["recover", "--db-url", url, "--to", f"sqlite:///{target}"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    done = subprocess.run(["sh", "-e", "-c", "\n".join(lines)], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(ids(path)) == 5
    assert not target.exists()
    aside = path.with_name("events.db.damaged")
    assert (aside / "events.db").read_bytes() == path.with_name("kept").read_bytes()
    assert Path(f"{path}.replaced-20260101_000000_000000").exists()
