"""The settings of the Event Manager, and the definition file that older labs keep theirs in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
)

from madsci.common.errors import SettingsError
from madsci.common.settings import (
    FileSearch,
    HttpUrl,
    Layer,
    LevelSetting,
    MadsciSettings,
    SettingsSources,
    SettingTraits,
    file_layer,
    masked_json,
    read_mapping,
    resolve_madsci_path,
    unknown_settings,
)
from madsci.common.types.alert_settings import AlertSettings
from madsci.common.types.alert_times import ZoneName
from madsci.common.types.backup_settings import BackupSettings
from madsci.common.types.connection_settings import ConnectionSettings
from madsci.common.types.health_settings import HealthSettings
from madsci.common.types.log_level import EventLogLevel
from madsci.common.types.retention_settings import RetentionSettings

STORE_SCHEMES: Final = ("sqlite", "memory", "mongodb", "mongodb+srv")
"""The beginnings of a `db_url`."""

_DEFAULT_DEFINITION: Final = Path("event.manager.yaml")
_MIB: Final = 1024 * 1024
_BYTES = SettingTraits(unit="bytes")
_REQUESTS = SettingTraits(unit="requests")
_SECONDS = SettingTraits(unit="seconds")

# Settings of other releases that this one does not have.
_UNIMPLEMENTED: Final = frozenset(
    {
        "enable_registry_resolution", "lab_url", "otel_enabled", "otel_endpoint", "otel_exporter",
        "otel_protocol", "otel_service_name", "rate_limit_cleanup_interval", "registry_lock_timeout",
        "uvicorn_limit_concurrency", "uvicorn_limit_max_requests", "uvicorn_workers",
    }
)  # fmt: skip


def _plain_http(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme == "https":
        raise ValueError(
            "it should begin with http: the server itself does not encrypt; put a reverse proxy in"
            " front of it for https"
        )
    if "@" in parts.netloc:
        raise ValueError("it should name host and port only, without a user")
    return url


def _store_url(url: str | None) -> str | None:
    if url is None or url.strip().lower() == "memory:":
        return url
    scheme, separator, _ = url.strip().partition("://")
    if not separator or scheme.lower() not in STORE_SCHEMES:
        known = ", ".join(f"{name}://" for name in STORE_SCHEMES)
        raise ValueError(
            f"it should begin with one of {known} (sqlite:///path/of/events.db names a file)"
        )
    return url.strip()


class EventManagerDefinition(BaseModel):
    """The content of a definition file (``event.manager.yaml``): who an Event Manager is.

    Members that are not listed here are kept; those that are settings apply where nothing else sets
    them.
    """

    model_config = ConfigDict(
        extra="allow",
        populate_by_name=True,
        coerce_numbers_to_str=True,
        hide_input_in_errors=True,
    )

    name: str = Field(default="Event Manager", description="The manager's name.")
    description: str | None = Field(default=None, description="What it is for.")
    manager_id: str | None = Field(
        default=None,
        validation_alias=AliasChoices("manager_id", "event_manager_id"),
        description="The manager's id, usually a ULID.",
    )
    manager_type: str = Field(default="event_manager", description="The kind of manager.")

    @classmethod
    def read(cls, path: Path) -> EventManagerDefinition:
        """Read a definition file; the file is never written.

        Raises:
            SettingsError: the file cannot be read or parsed, or a member has the wrong type.
        """
        try:
            return cls.model_validate(read_mapping(path))
        except ValidationError as error:
            lines = [
                f"{'.'.join(map(str, problem['loc']))} in {path}: "
                f"{problem['msg'].replace('Input should', 'it should', 1)}. Correct the file."
                for problem in error.errors(include_url=False, include_input=False)
            ]
            raise SettingsError("\n".join(lines)) from error

    def settings(self) -> dict[str, Any]:
        """Return the members that were given, under the names of settings."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        settings = dict(self.model_extra or {})
        for name in ("manager_definition", "event_manager_definition"):
            settings.pop(name, None)  # a definition does not name another one
        for member, setting in _SETTINGS_OF_MEMBERS.items():
            if member in given:
                settings[setting] = given[member]
        host, port = settings.pop("host", None), settings.pop("port", None)
        if host is not None or port is not None:
            host = str(host or "localhost")
            address = f"[{host}]" if ":" in host else host
            settings.setdefault("server_url", f"http://{address}:{8001 if port is None else port}/")
        return settings


_SETTINGS_OF_MEMBERS: Final = {
    "name": "manager_name",
    "description": "manager_description",
    "manager_id": "manager_id",
    "manager_type": "manager_type",
}


class EventManagerSettings(
    AlertSettings,
    ConnectionSettings,
    BackupSettings,
    RetentionSettings,
    HealthSettings,
    MadsciSettings,
):
    """What an Event Manager needs to know to start.

    Reads variables beginning with ``EVENT_``; ``.env``, ``event.env`` and ``events.env``;
    ``settings``, ``event.settings`` and ``events.settings`` as JSON, TOML and YAML; and the
    definition file.
    """

    sources: ClassVar[SettingsSources] = SettingsSources(
        prefix="EVENT_",
        dotenv_names=(".env", "event.env", "events.env"),
        file_stems=("settings", "event.settings", "events.settings"),
        shared_stems=("settings",),
        foreign_prefixes=("EVENT_CLIENT_",),
        unimplemented=_UNIMPLEMENTED,
    )

    server_url: Annotated[HttpUrl, AfterValidator(_plain_http)] = Field(
        default="http://localhost:8001/",
        description="Host and port to serve at; localhost, so that nobody is served by accident.",
    )
    manager_definition: Path = Field(
        default=_DEFAULT_DEFINITION, description="The definition file; sought like the settings files."
    )
    manager_id: str | None = Field(
        default=None,
        description="Identifies this manager; none for one made at the first start and kept.",
    )
    manager_type: str = Field(default="event_manager", description="The kind of manager in a lab.")
    manager_name: str | None = Field(default=None, description="Name shown to people.")
    manager_description: str | None = Field(default=None, description="What this manager is for.")

    db_url: Annotated[
        str | None,
        AfterValidator(_store_url),
        SettingTraits(
            environment=(
                "EVENT_DB_URL",
                "EVENT_DOCUMENT_DB_URL",
                "EVENT_MONGO_DB_URL",
                "MONGO_DB_URL",
                "DOCUMENT_DB_URL",
                "DB_URL",
            ),
            synonyms=("document_db_url", "mongo_db_url"),
            credentials=True,
        ),
    ] = Field(
        default=None, description="The event store; none for the embedded one, which needs no server."
    )
    database_name: str = Field(
        default="madsci_events", min_length=1, description="Database on a MongoDB server."
    )
    collection_name: str = Field(
        default="events", min_length=1, description="Collection of events in that database."
    )

    promote_event_type: bool = Field(
        default=True,
        description="Take the type that old clients bury in event_data.event_type as the event's.",
    )
    ulid_sources_only: bool = Field(
        default=False,
        description="Show only ULIDs in source, for clients 0.7 and 0.8; off, since ids are free text.",
    )
    naive_timezone: ZoneName = Field(
        default=None, description="IANA zone of times without an offset; none for the machine's own."
    )

    max_event_bytes: Annotated[int, _BYTES] = Field(
        default=16_000_000, ge=1024, description="Largest event; what a document of MongoDB can hold."
    )
    max_body_bytes: Annotated[int, _BYTES] = Field(
        default=64 * _MIB,
        ge=1024,
        description="Largest request body, also after decompression; holds several large events.",
    )
    ingest_queue_events: Annotated[int, SettingTraits(unit="events")] = Field(
        default=50_000,
        ge=1,
        description="Events that may wait for the writer; beyond, clients must come back.",
    )
    ingest_queue_bytes: Annotated[int, _BYTES] = Field(
        default=128 * _MIB,
        ge=1024,
        description="Memory that the bodies in work may take, all together; two of the largest.",
    )
    query_timeout_seconds: Annotated[float, _SECONDS] = Field(
        default=30.0,
        gt=0,
        allow_inf_nan=False,
        description="Longest time of one question; half of what clients wait.",
    )
    query_processes: Annotated[int, SettingTraits(unit="processes")] = Field(
        default=3,
        ge=0,
        le=64,
        description="Questions answered at once, one of them a quick one, beside the server; 0: in it.",
    )
    report_dir: Annotated[Path, AfterValidator(resolve_madsci_path)] | None = Field(
        default=None,
        description="Folder below which reports are written to files, where a request says so; none for"
        " no files.",
    )
    shutdown_timeout_seconds: Annotated[float, _SECONDS] = Field(
        default=30.0,
        ge=0,
        allow_inf_nan=False,
        description="How long stopping waits for requests, and then for what works at the store.",
    )
    integrity_check_seconds: Annotated[float, _SECONDS] = Field(
        default=5.0,
        ge=0,
        allow_inf_nan=False,
        description=(
            "Time for checking a small store before it is served; a large one is checked afterwards. 0"
            " for neither."
        ),
    )
    server_log_level: LevelSetting = Field(
        default=EventLogLevel.INFO, description="Lowest level on the server's own console."
    )

    cors_origins: list[str] = Field(
        default_factory=list,
        description="Web origins whose pages may read, send and delete, such as http://dashboard:3000;"
        " * for all. None but the server's own, since any page in a lab's browser could.",
    )
    allowed_hosts: list[str] = Field(
        default_factory=list,
        description="Further names by which the server may be called; *.example.org for all below one,"
        " * for all. Addresses, names without a dot and local ones are known.",
    )
    rate_limit_enabled: bool = Field(
        default=False, description="Limit requests per client; off, since a flight recorder records."
    )
    rate_limit_requests: Annotated[int, _REQUESTS] = Field(
        default=300, ge=1, description="Requests of one client in the long window."
    )
    rate_limit_window: Annotated[int, _SECONDS] = Field(
        default=60, ge=1, description="Length of the long window."
    )
    rate_limit_short_requests: Annotated[int | None, _REQUESTS] = Field(
        default=50,
        ge=1,
        description="Requests of one client in the short window; none for no such limit.",
    )
    rate_limit_short_window: Annotated[int | None, _SECONDS] = Field(
        default=1,
        ge=1,
        description="Length of the short window, which stops bursts; none for no such limit.",
    )
    rate_limit_exempt_ips: list[str] | None = Field(
        default=None, description="Addresses without limits; none for those of this machine."
    )

    _definition: EventManagerDefinition = PrivateAttr(default_factory=EventManagerDefinition)
    _definition_path: Path | None = PrivateAttr(default=None)

    def __init__(self, /, **values: Any) -> None:
        # For type checkers, which else ask for values as they are after reading.
        super().__init__(**values)

    def _read(self, arguments: Layer) -> None:
        super()._read(arguments)
        path = FileSearch.upwards().find(self.manager_definition)
        if path is not None:
            self._definition = EventManagerDefinition.read(path)
            self._definition_path = path

    @classmethod
    def _lowest_layers(cls, layers: Sequence[Layer], search: FileSearch) -> list[Layer]:
        name: Any = _DEFAULT_DEFINITION
        for layer in layers:
            name = layer.values.get("manager_definition", name)
        path = search.find(name) if isinstance(name, (str, Path)) else None
        if path is None:
            return []
        return [file_layer(cls, EventManagerDefinition.read(path).settings(), str(path))]

    @property
    def host(self) -> str:
        """The host name or address to serve at."""
        return urlsplit(self.server_url).hostname or "localhost"

    @property
    def port(self) -> int:
        """The port to serve at."""
        return urlsplit(self.server_url).port or 80

    @property
    def root_path(self) -> str:
        """The prefix under which a proxy shows the server: the path of its URL."""
        return urlsplit(self.server_url).path.rstrip("/")

    def definition(self) -> dict[str, Any]:
        """Return who this manager is and what else its definition file says, secrets masked."""
        extra: Mapping[str, Any] = self._definition.model_extra or {}
        return {
            "name": self.manager_name or self._definition.name,
            "description": self.manager_description,
            "manager_id": self.manager_id,
            "manager_type": self.manager_type,
            **masked_json(extra),
        }

    def warnings(self) -> list[str]:
        """Return a sentence for everything that was set and has no effect."""
        sentences = unknown_settings(type(self))
        if self._definition_path is None and self.manager_definition != _DEFAULT_DEFINITION:
            sentences.append(
                f"The definition file {self.manager_definition} (manager_definition) was not found;"
                " the manager starts without one. Correct the name, or remove the setting."
            )
        return sentences
