"""Folders of backups: ours, those of earlier releases, and what only looks like one."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madsci.common.errors import StoreDamagedError
from madsci.event_manager.backup import layout

MOMENT = datetime(2026, 1, 31, 2, 0, 0, 5, tzinfo=timezone.utc)


def backup(folder: Path, name: str, *, metadata: dict | None = None, data: bytes = b"data") -> Path:
    path = folder / name
    (path / "madsci_events").mkdir(parents=True)
    (path / "madsci_events" / "events.bson").write_bytes(data)
    if metadata is not None:
        (path / layout.METADATA).write_text(json.dumps(metadata))
    return path


def test_the_name_tells_database_time_and_description():
    name = layout.folder_name("madsci_events", MOMENT, "before the move!")
    assert name == "madsci_events_backup_20260131_020000_000005_before_the_move"
    assert layout.folder_name("lab", MOMENT, None) == "lab_backup_20260131_020000_000005"


@given(st.text(max_size=300))
def test_no_description_leads_out_of_the_folder(description):
    name = layout.folder_name("lab", MOMENT, description)
    assert Path(name).name == name
    assert len(name) < 120
    assert name.isascii()


@pytest.mark.parametrize(
    "name",
    [
        "madsci_events_backup_20260131_020000",
        "madsci_events_backup_20260131_020000_000005",
        "madsci_events_backup_20260131_020000_000005_pre_migration",
        "madsci_events_backup_20260131_020000_nightly",
    ],
)
def test_backups_of_every_release_are_read(tmp_path, name):
    """Earlier releases did not say of what their size is: it is not compared."""
    path = backup(tmp_path, name, metadata={"backup_size": 12345, "database_version": None})
    found = layout.read_backup(path, "madsci_events")
    assert found is not None
    assert found.is_valid
    assert found.size_bytes == 4
    assert found.created_at.replace(tzinfo=None, microsecond=0) == datetime(2026, 1, 31, 2)  # noqa: DTZ001


@pytest.mark.parametrize(
    "name",
    [
        "madsci_events", "madsci_events_backup_", "madsci_events_backup_2026",
        "other_backup_20260131_020000",
        "madsci_events_backup_20269931_020000", ".madsci_events_backup_20260131_020000.part",
    ],
)  # fmt: skip
def test_other_folders_are_no_backups(tmp_path, name):
    assert layout.read_backup(backup(tmp_path, name, metadata={}), "madsci_events") is None


def test_a_file_with_the_name_of_a_backup_is_none(tmp_path):
    (tmp_path / "lab_backup_20260131_020000").write_text("")
    assert layout.read_backup(tmp_path / "lab_backup_20260131_020000", "lab") is None


@pytest.mark.parametrize("metadata", [None, [], {"format": 1, "backup_size": 5}])
def test_a_backup_is_not_valid_without_the_files_and_sizes_that_it_tells(tmp_path, metadata):
    path = backup(tmp_path, "madsci_events_backup_20260131_020000", metadata=metadata)
    found = layout.read_backup(path, "madsci_events")
    assert found is not None
    assert not found.is_valid


def test_the_checksum_is_that_of_the_files_in_the_order_of_their_names(tmp_path):
    path = backup(tmp_path, "madsci_events_backup_20260131_020000", data=b"second")
    (path / "madsci_events" / "a.bson").write_bytes(b"first")
    (path / "madsci_events" / "a.metadata.json").write_bytes(b"not counted")
    assert layout.checksum_of(path) == hashlib.sha256(b"firstsecond").hexdigest()


def test_of_a_dump_of_several_databases_the_one_of_that_name_is_meant(tmp_path):
    path = backup(tmp_path, "dump")
    for name in ("admin", "zebra"):
        (path / name).mkdir()
        (path / name / "things.bson").write_bytes(b"")
    assert layout.data_folder(path, "madsci_events") == path / "madsci_events"
    with pytest.raises(StoreDamagedError, match="admin, madsci_events, zebra"):
        layout.data_folder(path, "lab")


def test_the_only_database_of_a_backup_is_meant_whatever_it_is_called(tmp_path):
    path = backup(tmp_path, "dump")
    assert layout.data_folder(path, "lab") == path / "madsci_events"
    assert layout.data_folder(path / "madsci_events", "lab") == path / "madsci_events"
    with pytest.raises(StoreDamagedError, match="no backup"):
        layout.data_folder(tmp_path / "nowhere", "lab")
