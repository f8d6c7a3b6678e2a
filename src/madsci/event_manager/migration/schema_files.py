"""Where the schema of a database is found when nobody names it."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Final

from madsci.common.errors import SettingsError

_MANAGERS: Final = {
    "madsci_events": "event_manager",
    "madsci_data": "data_manager",
    "madsci_experiments": "experiment_manager",
    "madsci_workcell": "workcell_manager",
    "madsci_workcells": "workcell_manager",
    "madsci_resources": "resource_manager",
    "madsci_locations": "location_manager",
}
"""The databases of a lab and the manager that each belongs to."""


def own_schema_file() -> Path:
    """Return the schema of the Event Manager that is installed."""
    return Path(str(files("madsci.event_manager").joinpath("schema.json")))


def find_schema_file(database: str) -> Path:
    """Return the schema file of a database: from the present directory, else the installed one.

    Raises:
        SettingsError: the name is that of no manager, or its schema is not here.
    """
    manager = _MANAGERS.get(database)
    if manager is None:
        raise SettingsError(
            f"No manager is known for the database {database!r}; known are {', '.join(_MANAGERS)}. Name"
            f" its schema: --schema-file '{own_schema_file()}' is that of events."
        )
    for path in (
        Path("madsci") / manager / "schema.json",
        Path("src") / f"madsci_{manager}" / "madsci" / manager / "schema.json",
    ):
        if path.is_file():
            return path
    if manager == "event_manager":
        return own_schema_file()
    raise SettingsError(
        f"The schema of {database} belongs to the {manager.replace('_', ' ')}, which is not installed"
        f" here. Name it with --schema-file, or look for madsci/{manager}/schema.json."
    )
