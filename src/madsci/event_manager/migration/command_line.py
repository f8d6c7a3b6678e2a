"""The migration tool as a program: flags, what they make it do, and what it says.

Of several actions the first of these is done: validate, check, restore, back up, migrate. The exit
code is 0 when it was done or nothing is to do, 1 when a migration is needed or something failed, and 2
when the command itself is wrong; a command that is wrong never touches a database.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from madsci.common.clock import zone_named
from madsci.common.errors import (
    MadsciError,
    SchemaVersionError,
    SettingsError,
    StoreDamagedError,
    StoreError,
)
from madsci.common.settings import settings_help, settings_of_flags
from madsci.event_manager.backup.keeping import Keeping
from madsci.event_manager.backup.service import BackupService
from madsci.event_manager.backup.telling import tell_of_restore
from madsci.event_manager.migration.commands import USAGE, command_of, say
from madsci.event_manager.migration.interruption import interruptible, interruptible_at
from madsci.event_manager.migration.migrator import migrate, version_name
from madsci.event_manager.migration.progress import Bars
from madsci.event_manager.migration.schema_files import find_schema_file
from madsci.event_manager.migration.settings import MigrationSettings
from madsci.event_manager.migration.whereabouts import address_of
from madsci.event_manager.stores.factory import MONGODB_SCHEMES, StoreAddress, open_store, open_upkeep
from madsci.event_manager.stores.upkeep import DatabaseState, Upkeep

_SWITCHES: Final = ("validate_schema", "check_version", "backup_only", "dry_run", "json_output", "json")
_USAGE: Final = f"""\
usage: python -m madsci.common.mongodb_migration_tool [--database NAME] [--db-url URL] [flags]
{USAGE}
Without a flag that says otherwise, the database is backed up and migrated. Without --db-url it is
that of the server, as its settings say; with --database alone, that on mongodb://localhost:27017.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool with the arguments of the command line; return the exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        action = _help if {"-h", "--help"} & set(words) else command_of(words) or _action(words)
    except SettingsError as error:
        sys.stderr.write(f"{error.message}\n\n{_USAGE}")
        return 2
    except StoreError as error:  # such as servers that the DNS does not tell
        sys.stderr.write(f"{error.message}\n")
        return 1
    try:
        with interruptible():
            return action()
    except MadsciError as error:
        sys.stderr.write(f"{error.message}\n")
        return 2 if isinstance(error, SettingsError) else 1
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        return 1


def _action(words: Sequence[str]) -> Callable[[], int]:
    """Return what the flags ask for.

    Raises:
        SettingsError: they cannot be used.
    """
    settings = settings_of_flags(MigrationSettings, _with_values(words))
    zone_named(settings.naive_timezone)
    address = address_of(settings)
    is_mongodb = (address.url or "").startswith(MONGODB_SCHEMES)
    if is_mongodb and not settings.database and settings.db_url is not None:
        raise SettingsError(
            "Which database? Name it with --database; that of events is usually madsci_events."
        )
    schema_file = settings.schema_file
    if is_mongodb and schema_file is None:
        schema_file = find_schema_file(address.database)
    upkeep = open_upkeep(address, schema_file)
    return lambda: _with_upkeep(upkeep, address, settings)


def _help() -> int:
    sys.stdout.write(f"{_USAGE}\n{settings_help(MigrationSettings)}")
    return 0


def _with_values(words: Iterable[str]) -> list[str]:
    """Give each switch that stands alone its value, so that all flags are alike."""
    given = list(words)
    complete: list[str] = []
    for place, word in enumerate(given):
        complete.append(word)
        name = word.removeprefix("--").replace("-", "_").lower()
        following = given[place + 1] if place + 1 < len(given) else "--"
        if word.startswith("--") and name in _SWITCHES and following.startswith("--"):
            complete.append("true")
    return complete


def _with_upkeep(upkeep: Upkeep, address: StoreAddress, settings: MigrationSettings) -> int:
    with closing(upkeep):
        if settings.validate_schema:
            return _validate(upkeep, settings)
        if settings.check_version:
            return _check(upkeep, settings)
        with Bars(shown=not settings.json_output) as bars:
            backups = BackupService(
                upkeep, settings.backup_dir, keeping=Keeping(settings.backup_max_count)
            )
            if settings.restore_from is not None:
                lines, report = _restore(address, upkeep, backups, settings.restore_from, bars)
            elif settings.backup_only:
                lines, report = _back_up(upkeep, backups, bars)
            else:
                lines, report = _migrate(upkeep, backups, settings, bars)
        return _say(settings, lines, report)


_Outcome = tuple[list[str], dict[str, Any]]


def _restore(
    address: StoreAddress, upkeep: Upkeep, backups: BackupService, path: Path, bars: Bars
) -> _Outcome:
    held = _held(upkeep)
    sys.stderr.write(f"{path} is to be restored into {upkeep.location}, {held}.\n")
    before = {backup.path for backup in backups.backups()}
    with interruptible_at(bars) as progress:
        events = backups.restore(path, progress)
    lines = [f"{path} was restored into {upkeep.location}: {events:,} events."]
    made = [str(backup.path) for backup in backups.backups() if backup.path not in before]
    kept = [*made, *filter(None, [upkeep.replaced])]
    if kept:
        lines.append(f"What was there before is kept: {', '.join(kept)}.")
    lines += _said_of_restored(address, upkeep, path, events)
    report = {"restored": str(path), "into": upkeep.location, "events": events, "kept": kept}
    return lines, report


def _said_of_restored(address: StoreAddress, upkeep: Upkeep, path: Path, events: int) -> Iterator[str]:
    """Let an event tell of the restore where one can be kept; yield why not."""
    found, expected = upkeep.version(), upkeep.expected_version()
    if found.version != expected:
        yield (
            f"It is as an earlier release wrote it ({version_name(found)}). Before a server of this one"
            " works with it, run the tool again without --restore-from, which migrates it."
        )
        return
    try:
        with closing(open_store(address)) as store:
            tell_of_restore(store, path, events)
    except StoreError as error:
        yield f"No event could be kept that says so: {error.message}"


def _held(upkeep: Upkeep) -> str:
    """Say what a database holds that is to be overwritten."""
    try:
        number = upkeep.number_of_events()
    except StoreDamagedError:
        return "which is damaged"
    except SchemaVersionError as error:
        return f"which another version wrote ({error.message})"
    return "which is not there yet and is made" if number is None else f"which holds {number:,} events"


def _back_up(upkeep: Upkeep, backups: BackupService, bars: Bars) -> _Outcome:
    backup = backups.create(None, bars)
    line = f"Backup of {upkeep.location}: {backup.path} ({backup.content})."
    report = {"backup": str(backup.path), "events": backup.events, "damaged_events": backup.damaged}
    return [line], report


def _migrate(
    upkeep: Upkeep, backups: BackupService, settings: MigrationSettings, bars: Bars
) -> _Outcome:
    expected = upkeep.expected_version()
    if settings.target_version not in (None, expected):
        raise SettingsError(
            f"--target-version is {settings.target_version}, but the schema leads to {expected} only."
            " Leave the flag out."
        )
    report = migrate(
        upkeep,
        backups,
        zone=zone_named(settings.naive_timezone),
        progress=bars,
        dry_run=settings.dry_run,
    )
    return list(report.sentences()), report.as_json()


def _validate(upkeep: Upkeep, settings: MigrationSettings) -> int:
    differences = upkeep.differences()
    report = {
        "valid": not differences,
        "differences": differences,
        "expected_version": upkeep.expected_version(),
        "current_version": upkeep.version().version,
    }
    if not differences:
        return _say(settings, [f"{upkeep.location} is as its schema says."], report)
    lines = [f"{upkeep.location} differs from its schema:", json.dumps(differences, indent=2)]
    _say(settings, lines, report)
    return 1


def _check(upkeep: Upkeep, settings: MigrationSettings) -> int:
    found, expected = upkeep.version(), upkeep.expected_version()
    needed = found.state is not DatabaseState.FRESH and (found.version != expected or found.has_older)
    lines = [f"Expected: {expected}", f"Current: {version_name(found)}"]
    if found.state is DatabaseState.FRESH:
        lines.append(f"{upkeep.location} is empty: the server makes it ready when it starts.")
    else:
        if found.has_older:
            lines.append("An earlier release has written events into it since it was migrated.")
        lines.append("A migration is needed." if needed else "No migration is needed.")
    report = {
        "database": upkeep.name,
        "expected_version": expected,
        "current_version": found.version,
        "state": found.state.value,
        "migration_needed": needed,
    }
    _say(settings, lines, report)
    return int(needed)


def _say(settings: MigrationSettings, lines: Iterable[str], report: dict[str, Any]) -> int:
    say(lines, report, as_json=settings.json_output)
    return 0
