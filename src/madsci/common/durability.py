"""Waiting until files, and their names, are on disk; and folders that are their user's alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_PRIVATE: Final = 0o700


def sync_file(path: Path) -> None:
    """Return when the content of a file is on disk."""
    descriptor = os.open(path, os.O_RDWR)  # Windows syncs only what may be written to
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Return when the names in a folder are on disk, where the system lets one wait for that."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, text: str) -> None:
    """Write a file in UTF-8 and return when its content is on disk; its name may not be."""
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def make_private_folders(path: Path) -> None:
    """Make a folder, and those above it that are missing, for this user alone, and sync their names.

    Folders that exist keep their mode: whoever made them for several users meant it.

    Raises:
        OSError: one cannot be made, or something else stands there.
    """
    for parent in begin_private_folders(path):
        sync_folder(parent)


def begin_private_folders(path: Path) -> list[Path]:
    """Do as ``make_private_folders`` and leave the syncing, which may take long, to the caller.

    Returns the folders with a new name in them, in the order in which they are to be synced.

    Raises:
        OSError: one cannot be made, or something else stands there.
    """
    missing = []
    while not path.is_dir():
        missing.append(path)
        if path.parent == path:
            break
        path = path.parent
    for folder in reversed(missing):
        try:
            folder.mkdir(_PRIVATE)
        except FileExistsError:
            if not folder.is_dir():  # else another process was quicker
                raise
    return [folder.parent for folder in reversed(missing)]
