"""Putting another file in the place of an event file, so that a kill at any moment leaves one of them.

SQLite applies the log (``-wal``) or journal that lies beside a file, whichever file that is. So the old
one's are emptied into it before the new one takes its place, and never lie beside the new one.
See https://www.sqlite.org/howtocorrupt.html.
"""

from __future__ import annotations

import logging
import re
import shutil
from contextlib import closing
from pathlib import Path
from typing import Final

import apsw

from madsci.common.clock import from_us, now_us
from madsci.common.durability import sync_file, sync_folder
from madsci.common.errors import StoreInUseError
from madsci.event_manager.stores.sqlite.file.commit_mark import forget_mark

_logger = logging.getLogger(__name__)

_LOGS: Final = ("-wal", "-journal")
RESTORING_SUFFIX: Final = ".restoring"
"""Ends the name of the file that is to take the place of another one."""
_KEPT: Final = 3
"""Replaced files that stay: somebody who restores the wrong backup does so more than once."""
_PATIENCE_MS: Final = 5_000
"""How long to wait for somebody who reads the old file."""


def replace_file(path: Path, new: Path, *, keeps_log: bool = False) -> Path | None:
    """Put a file in the place of an event file; return what the old one is called now, if any.

    ``new`` lies in the same folder, is on disk, and has no log of its own. To be called by the holder
    of the lock of the old file. With ``keeps_log`` the log of the old file stays beside it whole: what
    SQLite cannot read of it, somebody may want to look at.

    Raises:
        StoreInUseError: another program reads the old file and keeps its log from being emptied.
        OSError: the folder cannot be written to; the old file is in its place.
    """
    kept = _keep(path, keeps_log=keeps_log)
    forget_mark(path)
    new.replace(path)
    sync_folder(path.parent)
    # Their names are in the order of a clock that may have been ahead: the one of now stays.
    others = [one for one in _kept_files(path) if one != kept]
    for old in others[: (kept is not None) - _KEPT]:
        for name in (old, *(Path(f"{old}{ending}") for ending in _LOGS)):
            name.unlink(missing_ok=True)
    return kept


def forget_interrupted(path: Path) -> None:
    """Remove what a killed restore left: the half of a copy, second names of the file and its logs."""
    Path(f"{path}{RESTORING_SUFFIX}").unlink(missing_ok=True)
    for ending in ("", *_LOGS):
        named = Path(f"{path}{ending}")
        for kept in _kept_files(path, ending):
            if named.exists() and kept.samefile(named):
                kept.unlink()


def _kept_files(path: Path, ending: str = "") -> list[Path]:
    pattern = re.compile(rf"{re.escape(path.name)}\.replaced-\d{{8}}_\d{{6}}_\d{{6}}{ending}")
    return sorted(one for one in path.parent.iterdir() if pattern.fullmatch(one.name))


def _keep(path: Path, *, keeps_log: bool) -> Path | None:
    """Give what is there another name, the log too where it is to stay; return it, if any."""
    kept = Path(f"{path}.replaced-{from_us(now_us()).astimezone():%Y%m%d_%H%M%S_%f}")
    logs = [ending for ending in _LOGS if _holds_something(Path(f"{path}{ending}"))]
    name_again = _copy if keeps_log else _name_again  # emptying the log empties its second name, too
    # SQLite deletes the log of a file that is too damaged, and somebody may want to save its content.
    for ending in logs:
        name_again(Path(f"{path}{ending}"), Path(f"{kept}{ending}"))
    stays = False
    try:
        # Without a file the log is all that there is.
        stays = not path.exists() or not _empty_log(path) or keeps_log
    finally:
        if not stays:  # the file holds what they held, or stays where it is, with them
            for ending in logs:
                Path(f"{kept}{ending}").unlink()
    if path.exists():
        _name_again(path, kept)
    sync_folder(path.parent)
    for ending in (*_LOGS, "-shm"):
        Path(f"{path}{ending}").unlink(missing_ok=True)
    sync_folder(path.parent)
    return kept if logs or kept.exists() else None


def _holds_something(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _name_again(path: Path, other: Path) -> None:
    try:
        other.hardlink_to(path)
    except OSError:  # a file system without such links
        _copy(path, other)


def _copy(path: Path, other: Path) -> None:
    shutil.copyfile(path, other)
    sync_file(other)


def _empty_log(path: Path) -> bool:
    """Bring what the log holds into the file; ``False`` where the file is too damaged for that."""
    try:
        with closing(apsw.Connection(str(path))) as file:
            file.set_busy_timeout(_PATIENCE_MS)
            file.execute("SELECT count(*) FROM sqlite_schema").fetchall()  # rolls a journal back
            file.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    except (apsw.BusyError, apsw.LockedError) as error:
        raise StoreInUseError(
            f"Another program reads {path}, which is to be replaced. Close it, and restore again."
        ) from error
    except apsw.Error as error:
        _logger.warning(
            "What the log of %s holds could not be brought into it (%s); both are kept beside the"
            " new file", path, error,
        )  # fmt: skip
        return False
    return True
