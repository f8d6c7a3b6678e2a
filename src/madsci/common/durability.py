"""Waiting until files, and their names, are on disk."""

from __future__ import annotations

import os
from pathlib import Path


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


def make_private_folders(path: Path) -> None:
    """Make a folder and those above it that are missing, durably, for this user alone.

    Folders that are there keep their mode.

    Raises:
        OSError: one cannot be made.
    """
    missing = [one for one in (path, *path.parents) if not one.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
        sync_folder(folder.parent)


def write_durably(path: Path, text: str) -> None:
    """Write a file in UTF-8 and return when its content is on disk; its name may not be."""
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
