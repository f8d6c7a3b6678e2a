"""The settings of an `EventClient`. Imported by every robot program: it must stay light."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo
from typing_extensions import Self, Unpack

from madsci.common.settings import (
    HttpUrl,
    MadsciPath,
    MadsciSettings,
    SettingsSources,
    SettingTraits,
    http_url,
    resolve_madsci_path,
)
from madsci.common.settings.security import certificate_file, check_client_key, request_headers
from madsci.common.types.client_arguments import ClientArguments
from madsci.common.types.log_level import EventLogLevel, level_number
from madsci.common.types.ownership import OwnershipInfo

ROTATION_TIMES: Final = ("S", "M", "H", "D", "midnight", *(f"W{day}" for day in range(7)))
"""When a log file may be rotated by time: a unit, midnight, or a weekday from Monday (W0)."""

_BYTES = SettingTraits(unit="bytes")
_EVENTS = SettingTraits(unit="events")
_SECONDS = SettingTraits(unit="seconds")


def _any_level(value: Any) -> int:
    number = level_number(value)
    if number is None:
        raise ValueError("it should be a level name such as INFO, or an integer")
    return number


def _rotation_time(value: Any) -> Any:
    for known in ROTATION_TIMES:
        if isinstance(value, str) and value.strip().lower() == known.lower():
            return known
    raise ValueError(f"it should be one of {', '.join(ROTATION_TIMES)}")


def _endpoint(value: Any) -> Any:
    return value if value is None else http_url(value).rstrip("/")


_File = Annotated[Path, AfterValidator(resolve_madsci_path)]
_Certificates = Annotated[_File, AfterValidator(certificate_file)]


def _client_key(path: Path | None, info: ValidationInfo) -> Path | None:
    name = "event_server_client_cert_file"
    if name in info.data:  # a wrong certificate is told by itself
        check_client_key(info.data[name], path)
    return path


class EventClientConfig(MadsciSettings):
    """What an `EventClient` does with events: where it sends them, what it writes locally.

    Reads variables beginning with ``EVENT_CLIENT_`` (and ``EVENT_SERVER_URL``), ``.env``,
    ``event_client.env`` and ``event_client.json``, ``.toml`` and ``.yaml``.
    """

    sources: ClassVar[SettingsSources] = SettingsSources(
        prefix="EVENT_CLIENT_",
        dotenv_names=(".env", "event_client.env"),
        file_stems=("event_client",),
        unimplemented=frozenset({"retry_allowed_methods"}),
    )

    def __init__(self, /, **settings: Unpack[ClientArguments]) -> None:
        super().__init__(**settings)

    def replaced(self, **changes: Unpack[ClientArguments]) -> Self:  # type: ignore[override]
        """Return a checked copy with other values; reads no environment and no files.

        Raises:
            SettingsError: there is no such setting, or a value cannot be used.
        """
        return super().replaced(**changes)

    name: str | None = Field(
        default=None,
        description="Name in the log; none for that of the script or module that makes the client.",
    )
    event_server_url: Annotated[
        HttpUrl | None,
        SettingTraits(
            environment=("EVENT_CLIENT_EVENT_SERVER_URL", "EVENT_SERVER_URL"),
            synonyms=("event_server",),
            credentials=True,
        ),
    ] = Field(
        default=None, description="The Event Manager; without one, events are only logged locally."
    )
    event_server_headers: Annotated[
        dict[str, str] | None, BeforeValidator(request_headers), SettingTraits(secret=True)
    ] = Field(
        default=None,
        description="Further headers of each request, for proxies and gateways; none by default.",
    )
    event_server_ca_file: _Certificates | None = Field(
        default=None,
        description="Certificates (PEM) that the server's must descend from; none for the usual ones.",
    )
    event_server_client_cert_file: _Certificates | None = Field(
        default=None,
        description="Certificate (PEM) that the client shows; none where none is asked for.",
    )
    event_server_client_key_file: Annotated[_File | None, AfterValidator(_client_key)] = Field(
        default=None,
        validate_default=True,
        description="Key (PEM) of that certificate; none where it stands in the same file.",
    )
    log_level: Annotated[int, BeforeValidator(_any_level)] = Field(
        default=int(EventLogLevel.INFO),
        description="Lowest level logged and sent: a name or any integer.",
    )
    source: OwnershipInfo | None = Field(
        default=None, description="Ids that each event carries; none for those of the current context."
    )

    log_console_enabled: bool = Field(
        default=True, description="Write to the console; off for programs that own their terminal."
    )
    log_file_enabled: bool = Field(
        default=True, description="Write a log file; on, so that a local trace always exists."
    )
    log_output_format: Literal["console", "json"] = Field(
        default="console", description="Local output for people (console) or for programs (json)."
    )
    log_dir: MadsciPath = Field(
        default=Path(".madsci/logs"), description="Directory of log files; the lab's own by default."
    )
    log_rotation_type: Literal["size", "time", "none"] = Field(
        default="size", description="When a new log file begins; by size, so that disks do not fill."
    )
    log_max_bytes: Annotated[int, _BYTES] = Field(
        default=10_485_760,
        ge=1024,
        description="Size at which a log file is rotated; one that any editor opens.",
    )
    log_backup_count: Annotated[int, SettingTraits(unit="files")] = Field(
        default=5, ge=0, description="Rotated log files kept; with the default size some 60 MiB in all."
    )
    log_rotation_when: Annotated[
        Literal["S", "M", "H", "D", "midnight", "W0", "W1", "W2", "W3", "W4", "W5", "W6"],
        BeforeValidator(_rotation_time),
    ] = Field(
        default="midnight", description="Unit or moment of rotation by time; a file a day by default."
    )
    log_rotation_interval: int = Field(
        default=1, ge=1, description="How many of those units between rotations by time."
    )
    log_compression_enabled: bool = Field(
        default=True,
        description="Compress rotated log files (gzip); on, since log text repeats itself.",
    )

    fail_on_error: bool = Field(
        default=False, description="Raise on trouble with the log; off, since nothing stops a robot."
    )
    retry_enabled: bool = Field(
        default=True, description="Ask again after a failed request; on, since networks hiccup."
    )
    retry_total: Annotated[int, SettingTraits(unit="attempts")] = Field(
        default=3,
        ge=0,
        description="Further attempts of a request; events are kept until delivered anyway.",
    )
    retry_backoff_factor: Annotated[float, _SECONDS] = Field(
        default=0.3,
        ge=0,
        allow_inf_nan=False,
        description="Pause before the first retry; doubles each time.",
    )
    retry_status_forcelist: list[int] = Field(
        default_factory=lambda: [429, 500, 502, 503, 504],
        description="HTTP statuses worth another attempt: overload and passing faults.",
    )
    timeout_default: Annotated[float, _SECONDS] = Field(
        default=10.0, gt=0, allow_inf_nan=False, description="Patience with an ordinary request."
    )
    timeout_data_operations: Annotated[float, _SECONDS] = Field(
        default=60.0,
        gt=0,
        allow_inf_nan=False,
        description="Patience with queries and reports, which compute.",
    )
    timeout_long_operations: Annotated[float, _SECONDS] = Field(
        default=100.0,
        gt=0,
        allow_inf_nan=False,
        description="Patience with backups and other long work.",
    )
    pool_connections: int = Field(
        default=10, ge=1, description="Servers to keep connections to; more than a client talks to."
    )
    pool_maxsize: int = Field(
        default=10,
        ge=1,
        description="Connections kept open to each server; for programs of many threads.",
    )
    rate_limit_tracking_enabled: bool = Field(
        default=True, description="Accepted for compatibility, without effect: a 429 is obeyed anyway."
    )
    rate_limit_warning_threshold: float = Field(
        default=0.8, ge=0, le=1, description="Accepted for compatibility, without effect."
    )
    rate_limit_respect_limits: bool = Field(
        default=False,
        description="Accepted for compatibility, without effect: Retry-After is always respected.",
    )

    queue_max_events: Annotated[int, _EVENTS] = Field(
        default=100_000,
        ge=1,
        description="Events that may wait in memory; bounds it while no server answers.",
    )
    redact_enabled: bool = Field(
        default=True, description="Mask values whose names look like secrets; on, since logs travel."
    )
    redact_keys: list[str] = Field(
        default_factory=list,
        description="Further names to mask, * for any text; the built-in words find the usual ones.",
    )

    spool_enabled: bool = Field(
        default=True,
        description="Keep waiting events on disk; on, so that a killed process loses none.",
    )
    spool_dir: MadsciPath = Field(
        default=Path(".madsci/spool"),
        description="Directory of waiting events; the lab's own by default.",
    )
    spool_max_bytes: Annotated[int, _BYTES] = Field(
        default=2_147_483_648,
        ge=65_536,
        description="Room for a server's waiting events; two hours of 1,000 usual ones a second.",
    )
    spool_full_policy: Literal["drop_oldest", "block"] = Field(
        default="drop_oldest",
        description="What a full spool does; dropping stops no robot, and is told.",
    )
    spool_block_seconds: Annotated[float, _SECONDS] = Field(
        default=1.0,
        ge=0,
        allow_inf_nan=False,
        description="How long block waits before it drops after all.",
    )
    spool_fsync: Literal["none", "interval", "always"] = Field(
        default="interval",
        description="When events are safe from power loss; always waits in each log call.",
    )
    spool_fsync_interval_seconds: Annotated[float, _SECONDS] = Field(
        default=0.5,
        ge=0.05,
        le=1,
        description="What a power loss may cost; as other log shippers have it.",
    )
    batch_max_events: Annotated[int, _EVENTS] = Field(
        default=500,
        ge=1,
        description="Events sent in one request; bounds what is sent again after a failure.",
    )
    batch_max_bytes: Annotated[int, _BYTES] = Field(
        default=1_000_000,
        ge=1024,
        description="Size of one request; 1 MB passes the usual limits of proxies.",
    )
    flush_interval_seconds: Annotated[float, _SECONDS] = Field(
        default=0.05,
        ge=0,
        allow_inf_nan=False,
        description="How long an event waits for company in a batch.",
    )
    close_timeout_seconds: Annotated[float, _SECONDS] = Field(
        default=5.0,
        ge=0,
        allow_inf_nan=False,
        description="How long closing waits for the last events.",
    )

    otel_enabled: bool = Field(
        default=False,
        description="Take part in OpenTelemetry traces; not built yet, switching it on only warns.",
    )
    otel_service_name: str | None = Field(
        default=None, description="Service name in traces; none for the client's name."
    )
    otel_exporter: Literal["console", "otlp", "none"] = Field(
        default="console", description="Where telemetry goes; the console needs no collector."
    )
    otel_endpoint: Annotated[
        str | None, BeforeValidator(_endpoint), SettingTraits(credentials=True)
    ] = Field(default=None, description="URL of the collector; none for the exporter's own default.")
    otel_protocol: Literal["grpc", "http"] = Field(
        default="grpc", description="Protocol to the collector; grpc is the collectors' usual one."
    )
    otel_metric_export_interval_ms: Annotated[int, SettingTraits(unit="milliseconds")] = Field(
        default=10_000,
        ge=1000,
        description="Time between two exports of metrics; 10 seconds draw a usable curve.",
    )
