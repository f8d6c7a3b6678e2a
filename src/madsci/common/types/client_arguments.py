"""The arguments of `EventClient` and `EventClientConfig` for type checkers.

They are wider than the settings they become: a level may be a name, a path a text. Tests hold names
and types equal to those of `EventClientConfig`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from typing_extensions import TypedDict

from madsci.common.types.ownership import OwnershipInfo


class ClientArguments(TypedDict, total=False):
    """What each of them does stands in docs/reference/settings.md."""

    name: str | None
    event_server_url: str | None
    event_server: str | None
    event_server_headers: Mapping[str, str] | None
    event_server_ca_file: Path | str | None
    event_server_client_cert_file: Path | str | None
    event_server_client_key_file: Path | str | None
    log_level: int | str
    source: OwnershipInfo | Mapping[str, Any] | None
    log_console_enabled: bool
    log_file_enabled: bool
    log_output_format: Literal["console", "json"]
    log_dir: Path | str
    log_rotation_type: Literal["size", "time", "none"]
    log_max_bytes: int
    log_backup_count: int
    log_rotation_when: Literal[
        "S", "M", "H", "D", "midnight", "W0", "W1", "W2", "W3", "W4", "W5", "W6"
    ]  # fmt: skip
    log_rotation_interval: int
    log_compression_enabled: bool
    fail_on_error: bool
    retry_enabled: bool
    retry_total: int
    retry_backoff_factor: float
    retry_status_forcelist: list[int]
    timeout_default: float
    timeout_data_operations: float
    timeout_long_operations: float
    pool_connections: int
    pool_maxsize: int
    rate_limit_tracking_enabled: bool
    rate_limit_warning_threshold: float
    rate_limit_respect_limits: bool
    queue_max_events: int
    redact_enabled: bool
    redact_keys: list[str]
    spool_enabled: bool
    spool_dir: Path | str
    spool_max_bytes: int
    spool_full_policy: Literal["drop_oldest", "block"]
    spool_block_seconds: float
    spool_fsync: Literal["none", "interval", "always"]
    spool_fsync_interval_seconds: float
    batch_max_events: int
    batch_max_bytes: int
    flush_interval_seconds: float
    close_timeout_seconds: float
    otel_enabled: bool
    otel_service_name: str | None
    otel_exporter: Literal["console", "otlp", "none"]
    otel_endpoint: str | None
    otel_protocol: Literal["grpc", "http"]
    otel_metric_export_interval_ms: int
