"""What the migration tool is told: by flags, environment variables and files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from madsci.common.settings import MadsciPath, MadsciSettings, SettingsSources, SettingTraits


class MigrationSettings(MadsciSettings):
    """The settings of ``python -m madsci.common.mongodb_migration_tool``.

    Each is also a flag, with dashes or underscores, and a variable with the prefix
    ``MONGODB_MIGRATION_``.
    """

    sources: ClassVar[SettingsSources] = SettingsSources(
        prefix="MONGODB_MIGRATION_",
        dotenv_names=(".env", "mongodb.env", "migration.env"),
        file_stems=("settings", "mongodb.settings", "migration.settings"),
        shared_stems=("settings",),
    )

    database: Annotated[
        str | None,
        SettingTraits(
            environment=("MONGODB_MIGRATION_DATABASE", "DOCUMENT_DB_MIGRATION_DATABASE"),
        ),
    ] = Field(default=None, description="Name of the database; a file of SQLite needs none.")
    db_url: Annotated[
        str | None,
        SettingTraits(
            environment=(
                "MONGODB_MIGRATION_DB_URL",
                "EVENT_DB_URL",  # the database of the server goes before those of others
                "MONGO_DB_URL",
                "MONGODB_URL",
                "MONGO_URL",
                "DATABASE_URL",
                "DB_URL",
            ),
            synonyms=("mongo_db_url", "document_db_url"),
            credentials=True,
        ),
    ] = Field(
        default=None,
        description="Where the database is: mongodb://host:27017 or sqlite:///path/to/events.db; none"
        " for that of the server, or with --database for mongodb://localhost:27017.",
    )
    collection_name: Annotated[
        str | None,
        SettingTraits(environment=("MONGODB_MIGRATION_COLLECTION_NAME", "EVENT_COLLECTION_NAME")),
    ] = Field(
        default=None, min_length=1, description="Name of the collection of events; none for events."
    )
    schema_file: Annotated[
        Path | None,
        SettingTraits(
            environment=("MONGODB_MIGRATION_SCHEMA_FILE", "MONGODB_SCHEMA_FILE", "SCHEMA_FILE"),
        ),
    ] = Field(
        default=None,
        description="How the database should look; none to find it by the database's name.",
    )
    backup_dir: Annotated[
        MadsciPath,
        SettingTraits(
            environment=("MONGODB_MIGRATION_BACKUP_DIR", "DOCUMENT_DB_MIGRATION_BACKUP_DIR"),
        ),
    ] = Field(default=Path(".madsci/mongodb/backups"), description="Folder of the backups.")
    backup_max_count: int = Field(
        default=10, ge=1, description="Backups of this database that are kept in that folder."
    )
    target_version: str | None = Field(
        default=None, description="Version to migrate to; only that of the schema is known."
    )
    naive_timezone: Annotated[
        str | None,
        SettingTraits(environment=("MONGODB_MIGRATION_NAIVE_TIMEZONE", "EVENT_NAIVE_TIMEZONE")),
    ] = Field(
        default=None, description="IANA zone of times without an offset; none for the machine's own."
    )
    validate_schema: bool = Field(default=False, description="Only compare with the schema.")
    check_version: bool = Field(default=False, description="Only tell whether a migration is needed.")
    restore_from: Path | None = Field(default=None, description="Only restore this backup.")
    backup_only: bool = Field(default=False, description="Only make a backup.")
    dry_run: bool = Field(default=False, description="Only count what a migration would change.")
    json_output: Annotated[bool, SettingTraits(synonyms=("json",))] = Field(
        default=False, description="Print one JSON object on standard output."
    )
