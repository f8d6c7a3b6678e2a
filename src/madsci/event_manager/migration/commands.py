"""The commands of the tool that are words: copy, recover, check."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from madsci.common.errors import SettingsError, StoreError
from madsci.common.settings import read_flags, resolve_madsci_path
from madsci.event_manager.migration.copying import copy_events
from madsci.event_manager.migration.progress import Bars
from madsci.event_manager.migration.recovering import salvaged_as_json, salvaged_sentences
from madsci.event_manager.migration.settings import MigrationSettings
from madsci.event_manager.migration.whereabouts import address_from, address_of
from madsci.event_manager.stores.factory import StoreAddress, open_salvage, open_store, open_upkeep
from madsci.event_manager.stores.upkeep import Inspection, Upkeep

SHOWN: Final = 20
"""Names that are shown to people; ``--json`` has more."""
_TOOL: Final = "python -m madsci.common.mongodb_migration_tool"
USAGE: Final = """\
       python -m madsci.common.mongodb_migration_tool copy --from URL --to URL
           [--from-database NAME] [--to-database NAME] [--collection-name NAME] [--json]
       python -m madsci.common.mongodb_migration_tool recover [--db-url URL]
           [--to URL | --in-place] [--json]
       python -m madsci.common.mongodb_migration_tool check [--db-url URL] [--database NAME]
           [--collection-name NAME] [--json]
"""
_COPY: Final = ("from", "to", "from-database", "to-database", "collection-name")
_RECOVER: Final = ("db-url", "to")
_CHECK: Final = ("db-url", "database", "collection-name")

Flags = Mapping[str, str]
"""What flags were given; the value of a switch is empty."""


def command_of(words: Sequence[str]) -> Callable[[], int] | None:
    """Return what a command line asks for that begins with one of the words, else ``None``.

    Raises:
        SettingsError: its flags cannot be used.
    """
    commands = {"copy": _copy_command, "recover": _recover_command, "check": _check_command}
    command = commands.get(words[0]) if words else None
    return None if command is None else command(words[1:])


def say(lines: Iterable[str], report: Mapping[str, Any], *, as_json: bool) -> None:
    """Write the lines, or the report as one JSON object, to standard output."""
    text = json.dumps(report) if as_json else "\n".join(lines)
    sys.stdout.write(f"{text}\n")


def _copy_command(words: Sequence[str]) -> Callable[[], int]:
    given = read_flags(words, _COPY, ["json"])
    if "from" not in given or "to" not in given:
        raise SettingsError("copy needs --from URL and --to URL.")
    collection = given.get("collection-name")
    source = address_from(given["from"], given.get("from-database"), collection)
    target = address_from(given["to"], given.get("to-database"), collection)
    if source == target:
        raise SettingsError("--from and --to name the same store.")
    return lambda: _copy(source, target, as_json="json" in given)


def _copy(source: StoreAddress, target: StoreAddress, *, as_json: bool) -> int:
    _refuse_no_store(source)
    name = hashlib.sha256(repr((source, target)).encode()).hexdigest()[:16]
    bookmark = resolve_madsci_path(f".madsci/copies/{name}.json")
    with (
        closing(open_store(source)) as one,
        closing(open_store(target)) as other,
        Bars(shown=not as_json) as bars,
    ):
        report = copy_events(one, other, bookmark, bars)
    say(report.sentences(), report.as_json(), as_json=as_json)
    return 0


def _refuse_no_store(address: StoreAddress) -> None:
    """Refuse what is no store yet: opening it would make one, and nothing would be copied from it."""
    with closing(open_upkeep(address)) as upkeep:
        if not upkeep.is_there():
            raise StoreError(
                f"There are no events at {upkeep.location}: nothing of that name is there. Name the"
                " store to be copied with --from, as its server has it."
            )


def _recover_command(words: Sequence[str]) -> Callable[[], int]:
    given = read_flags(words, _RECOVER, ["in-place", "json"])
    if "to" in given and "in-place" in given:
        raise SettingsError("--to and --in-place cannot both be done. Leave one of them out.")
    address = address_of(_settings(given, ["db-url"]))
    salvage = open_salvage(address)
    source = Path(salvage.location)
    target = source.with_name(f"{source.stem}-recovered{source.suffix}")
    if "to" in given:
        target = _file_named(given["to"])

    def run() -> int:
        with Bars(shown="json" not in given) as bars:
            if "in-place" in given:
                salvaged = salvage.save_in_place(bars)
            else:
                salvaged = salvage.save(target, bars)
        say(salvaged_sentences(salvaged), salvaged_as_json(salvaged), as_json="json" in given)
        return 0

    return run


def _file_named(url: str) -> Path:
    if "://" in url and not url.startswith("sqlite:///"):
        raise SettingsError("--to of recover names a new event file: sqlite:///path/to/new.db.")
    return address_from(url, None, None).path


def _settings(given: Flags, names: Sequence[str]) -> MigrationSettings:
    chosen = {name.replace("-", "_"): given[name] for name in names if name in given}
    return MigrationSettings(**chosen)


def _check_command(words: Sequence[str]) -> Callable[[], int]:
    given = read_flags(words, _CHECK, ["json"])
    upkeep = open_upkeep(address_of(_settings(given, _CHECK)))

    return lambda: _check(upkeep, as_json="json" in given)


def _check(upkeep: Upkeep, *, as_json: bool) -> int:
    with closing(upkeep), Bars(shown=not as_json) as bars:
        if not upkeep.is_there():
            raise StoreError(
                f"There are no events at {upkeep.location}: nothing of that name is there."
            )
        found = upkeep.inspect(bars)
    report = {"location": upkeep.location, "well": found.is_well, **asdict(found)}
    say(_told(upkeep, found), report, as_json=as_json)
    return 0 if found.is_well else 1


def _told(upkeep: Upkeep, found: Inspection) -> Iterator[str]:
    yield f"{found.events:,} events of {upkeep.location} are whole."
    if found.is_well:
        return
    if found.number_damaged:
        yield f"{found.number_damaged:,} events are damaged:"
        yield from (f"  {name}" for name in found.damaged[:SHOWN])
        if found.number_damaged > SHOWN:
            yield f"  and {found.number_damaged - SHOWN:,} more"
        if found.is_listed:
            yield "They were listed in the table damaged_events: the server passes over them."
    if found.faults:
        yield "The structure is damaged:"
        yield from (f"  {fault}" for fault in found.faults[:SHOWN])
    if upkeep.engine != "sqlite":
        yield "Restore a backup, or correct these documents."
        return
    yield "Stop the server and restore a backup, or save what can be read into a new store:"
    yield f"  {_TOOL} recover --db-url 'sqlite:///{upkeep.location}'"
