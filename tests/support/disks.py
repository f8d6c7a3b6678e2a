"""Small disks of one's own, which can be filled, frozen, broken and cut off. They need root."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.server import wait_until

_SHUTDOWN = 0x8004587D
"""``EXT4_IOC_SHUTDOWN``; with 2 what is not on the disk yet is lost, as in a power cut."""


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


class Disk:
    """An ext4 file system in a file, mounted at ``path``."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.path = folder / "disk"
        self._image = folder / "disk.image"
        self.path.mkdir()
        with self._image.open("wb") as image:
            image.truncate(megabytes * 1024 * 1024)
        _run("mkfs.ext4", "-q", "-F", "-m", "0", str(self._image))
        self.mount()

    def mount(self, option: str = "rw") -> None:
        """Mount it; what was cut off is recovered, as when a machine starts."""
        _run("mount", "-o", f"loop,errors=remount-ro,{option}", str(self._image), str(self.path))

    def unmount(self) -> None:
        """Unmount it, once nobody has a file of it open."""
        wait_until(self._unmounted, "a disk that nobody uses")

    def _unmounted(self) -> bool:
        command = ["umount", str(self.path)]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    @property
    def _filler(self) -> Path:
        return self.path / "of-somebody-else"

    def fill(self, left: int = 0) -> None:
        """Use it up, but for so many bytes."""
        file = os.open(self._filler, os.O_WRONLY | os.O_CREAT)
        with contextlib.closing(os.fdopen(file, "wb", buffering=0)) as filler:
            for size in (1024 * 1024, 4096):
                with contextlib.suppress(OSError):
                    while self.free() - size >= left:
                        filler.seek(0, os.SEEK_END)
                        filler.write(bytes(size))
            with contextlib.suppress(OSError):
                os.fsync(filler.fileno())

    def free(self) -> int:
        """Return the bytes that are free."""
        status = os.statvfs(self.path)
        return status.f_bavail * status.f_frsize

    def clear(self) -> None:
        """Give back what ``fill`` used up."""
        self._filler.unlink()

    def cut_off(self) -> None:
        """Lose what is not on the disk yet, and fail everything from now on."""
        file = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(file, _SHUTDOWN, struct.pack("I", 2))
        finally:
            os.close(file)

    def become_read_only(self) -> None:
        """Be found faulty by the system, which then lets nobody write."""
        device = subprocess.run(
            ["findmnt", "-no", "SOURCE", str(self.path)], check=True, capture_output=True, text=True
        ).stdout.strip()
        Path(f"/sys/fs/ext4/{Path(device).name}/trigger_fs_error").write_text("1")

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Let everybody wait who writes to it."""
        _run("fsfreeze", "--freeze", str(self.path))
        try:
            yield
        finally:
            _run("fsfreeze", "--unfreeze", str(self.path))


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int = 30) -> Iterator[Disk]:
    """A disk for the length of a block; skips the test where this user may not mount."""
    try:
        disk = Disk(folder, megabytes)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no disk can be mounted: {error}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk.path)], check=False, capture_output=True)
