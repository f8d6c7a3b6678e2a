"""New folders are private, and their names are synced."""

from __future__ import annotations

import os

import pytest

from madsci.common import durability
from madsci.common.durability import begin_private_folders, make_private_folders

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX only")


@posix
def test_missing_folders_are_private_and_existing_ones_keep_their_mode(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    before = os.umask(0)
    try:
        make_private_folders(shared / "a" / "b")
    finally:
        os.umask(before)
    modes = [path.stat().st_mode & 0o777 for path in (shared, shared / "a", shared / "a" / "b")]
    assert modes == [0o777, 0o700, 0o700]
    make_private_folders(shared)
    assert shared.stat().st_mode & 0o777 == 0o777


def test_each_folder_that_got_a_new_name_is_to_be_synced(tmp_path):
    assert begin_private_folders(tmp_path / "a" / "b") == [tmp_path, tmp_path / "a"]
    assert begin_private_folders(tmp_path / "a" / "c") == [tmp_path / "a"]
    assert begin_private_folders(tmp_path / "a" / "c") == []


def test_making_folders_syncs_them(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(durability, "sync_folder", synced.append)
    make_private_folders(tmp_path / "a" / "b")
    assert synced == [tmp_path, tmp_path / "a"]


def test_a_file_in_the_way_is_an_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file"):
        make_private_folders(tmp_path / "file" / "folder")
    with pytest.raises(FileExistsError):
        make_private_folders(tmp_path / "file")
