"""The migration tool as a program: flags, what they make it do, and what it says.

Of several actions the first of these is done: validate, check, restore, back up, migrate. The exit
code is 0 when it was done or nothing is to do, 1 when a migration is needed or something failed, and 2
when the command itself is wrong; a command that is wrong never touches a database.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from madsci.common.clock import zone_named
from madsci.common.errors import MadsciError, SettingsError, StoreError
from madsci.common.settings import command_line_values, resolve_madsci_path, settings_help
from madsci.event_manager.backup.keeping import Keeping
from madsci.event_manager.backup.service import BackupService
from madsci.event_manager.backup.telling import tell_of_restore
from madsci.event_manager.migration.copying import copy_events
from madsci.event_manager.migration.interruption import interruptible, interruptible_at
from madsci.event_manager.migration.migrator import migrate, version_name
from madsci.event_manager.migration.progress import Bars
from madsci.event_manager.migration.schema_files import find_schema_file
from madsci.event_manager.migration.settings import MigrationSettings
from madsci.event_manager.stores.factory import (
    DEFAULT_STORE,
    MONGODB_SCHEMES,
    Place,
    open_store,
    open_upkeep,
)
from madsci.event_manager.stores.upkeep import DatabaseState, Upkeep

_SWITCHES: Final = ("validate_schema", "check_version", "backup_only", "dry_run", "json_output", "json")
_COPY_FLAGS: Final = ("--from", "--to", "--from-database", "--to-database", "--collection-name")
_USAGE: Final = """\
usage: python -m madsci.common.mongodb_migration_tool --database NAME [--db-url URL] [flags]
       python -m madsci.common.mongodb_migration_tool copy --from URL --to URL
           [--from-database NAME] [--to-database NAME] [--collection-name NAME] [--json]

Without a flag that says otherwise, the database is backed up and migrated.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool with the arguments of the command line; return the exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        action = _copy_action(words[1:]) if words[:1] == ["copy"] else _action(words)
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
    if {"-h", "--help"} & set(words):
        return _help
    settings = MigrationSettings(**command_line_values(MigrationSettings, _with_values(words)))
    zone_named(settings.naive_timezone)
    is_mongodb = settings.db_url.startswith(MONGODB_SCHEMES)
    if is_mongodb and not settings.database:
        raise SettingsError(
            "Which database? Name it with --database; that of events is usually madsci_events."
        )
    schema_file = settings.schema_file
    if is_mongodb and schema_file is None:
        schema_file = find_schema_file(settings.database or "")
    place = _place(settings.db_url, settings.database, settings.collection_name)
    upkeep = open_upkeep(place, schema_file)
    return lambda: _with_upkeep(upkeep, place, settings)


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


def _place(url: str, database: str | None, collection: str) -> Place:
    place = Place(url, resolve_madsci_path(DEFAULT_STORE), collection=collection)
    return replace(place, database=database) if database else place


def _with_upkeep(upkeep: Upkeep, place: Place, settings: MigrationSettings) -> int:
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
                lines, report = _restore(place, upkeep, backups, settings.restore_from, bars)
            elif settings.backup_only:
                lines, report = _back_up(upkeep, backups, bars)
            else:
                lines, report = _migrate(upkeep, backups, settings, bars)
        return _say(settings, lines, report)


_Outcome = tuple[list[str], dict[str, Any]]


def _restore(place: Place, upkeep: Upkeep, backups: BackupService, path: Path, bars: Bars) -> _Outcome:
    with interruptible_at(bars) as progress:
        events = backups.restore(path, progress)
    lines = [f"{path} was restored into {upkeep.location}: {events:,} events."]
    found, expected = upkeep.version(), upkeep.expected_version()
    if found.version != expected:
        lines.append(
            f"It is as an earlier release wrote it ({version_name(found)}). Before a server of this one"
            " works with it, run the tool again without --restore-from, which migrates it."
        )
        return lines, {"restored": str(path), "events": events}
    try:
        with closing(open_store(place)) as store:
            tell_of_restore(store, path, events)
    except StoreError as error:
        lines.append(f"No event could be kept that says so: {error.message}")
    return lines, {"restored": str(path), "events": events}


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
    text = json.dumps(report) if settings.json_output else "\n".join(lines)
    sys.stdout.write(f"{text}\n")
    return 0


def _copy_action(words: Sequence[str]) -> Callable[[], int]:
    if {"-h", "--help"} & set(words):
        return _help
    given: dict[str, str] = {}
    rest = list(words)
    as_json = "--json" in rest
    rest = [word for word in rest if word != "--json"]
    while rest:
        flag, equals, value = rest.pop(0).partition("=")
        if flag not in _COPY_FLAGS:
            raise SettingsError(f"{flag} is not a flag of copy.")
        if not equals and not rest:
            raise SettingsError(f"The flag {flag} has no value. Write {flag} value.")
        given[flag] = value if equals else rest.pop(0)
    if "--from" not in given or "--to" not in given:
        raise SettingsError("copy needs --from URL and --to URL.")
    collection = given.get("--collection-name", "events")
    source = _place(given["--from"], given.get("--from-database"), collection)
    target = _place(given["--to"], given.get("--to-database"), collection)
    if source == target:
        raise SettingsError("--from and --to name the same store.")
    return lambda: _copy(source, target, as_json=as_json)


def _copy(source: Place, target: Place, *, as_json: bool) -> int:
    name = hashlib.sha256(repr((source, target)).encode()).hexdigest()[:16]
    bookmark = resolve_madsci_path(f".madsci/copies/{name}.json")
    with (
        closing(open_store(source)) as one,
        closing(open_store(target)) as other,
        Bars(shown=not as_json) as bars,
    ):
        report = copy_events(one, other, bookmark, bars)
    text = json.dumps(report.as_json()) if as_json else "\n".join(report.sentences())
    sys.stdout.write(f"{text}\n")
    return 0
